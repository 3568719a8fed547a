-- An entry of the trail may be given its seal, once; nothing else of it ever changes.
DROP TRIGGER ck_audit_entries_append_only
-- next
CREATE TRIGGER ck_audit_entries_append_only BEFORE UPDATE ON audit_entries
WHEN NOT (
  OLD.seal IS NULL AND NEW.seal IS NOT NULL
  AND (OLD.id, OLD.at, OLD.actor, OLD.action, OLD.subject, OLD.outcome, OLD.fields)
    IS (NEW.id, NEW.at, NEW.actor, NEW.action, NEW.subject, NEW.outcome, NEW.fields)
)
BEGIN SELECT RAISE(ABORT, 'ck_audit_entries_append_only'); END
-- next
CREATE TRIGGER ck_audit_seals_append_only BEFORE UPDATE ON audit_seals
BEGIN SELECT RAISE(ABORT, 'ck_audit_seals_append_only'); END
-- next
CREATE TRIGGER ck_audit_seals_append_only_delete BEFORE DELETE ON audit_seals
BEGIN SELECT RAISE(ABORT, 'ck_audit_seals_append_only'); END
-- next
CREATE TRIGGER ck_erasures_append_only BEFORE UPDATE ON erasures
BEGIN SELECT RAISE(ABORT, 'ck_erasures_append_only'); END
-- next
CREATE TRIGGER ck_erasures_append_only_delete BEFORE DELETE ON erasures
BEGIN SELECT RAISE(ABORT, 'ck_erasures_append_only'); END
-- downgrade
DROP TRIGGER ck_erasures_append_only_delete
-- next
DROP TRIGGER ck_erasures_append_only
-- next
DROP TRIGGER ck_audit_seals_append_only_delete
-- next
DROP TRIGGER ck_audit_seals_append_only
-- next
DROP TRIGGER ck_audit_entries_append_only
-- next
CREATE TRIGGER ck_audit_entries_append_only BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'ck_audit_entries_append_only'); END
