-- An entry of the trail may be given its seal, once; nothing else of it ever changes.
DROP TRIGGER ck_audit_entries_append_only ON audit_entries
-- next
CREATE FUNCTION carepath_check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.seal IS NULL AND NEW.seal IS NOT NULL
    AND to_jsonb(OLD) - 'seal' = to_jsonb(NEW) - 'seal'
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = TG_NAME, CONSTRAINT = TG_NAME;
END $$
-- next
CREATE TRIGGER ck_audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
FOR EACH ROW EXECUTE FUNCTION carepath_check_entry()
-- next
CREATE TRIGGER ck_audit_seals_append_only BEFORE UPDATE OR DELETE ON audit_seals
FOR EACH ROW EXECUTE FUNCTION carepath_append_only()
-- next
CREATE TRIGGER ck_audit_seals_append_only_truncate BEFORE TRUNCATE ON audit_seals
FOR EACH STATEMENT EXECUTE FUNCTION carepath_append_only()
-- next
CREATE TRIGGER ck_erasures_append_only BEFORE UPDATE OR DELETE ON erasures
FOR EACH ROW EXECUTE FUNCTION carepath_append_only()
-- next
CREATE TRIGGER ck_erasures_append_only_truncate BEFORE TRUNCATE ON erasures
FOR EACH STATEMENT EXECUTE FUNCTION carepath_append_only()
-- downgrade
DROP TRIGGER ck_erasures_append_only_truncate ON erasures
-- next
DROP TRIGGER ck_erasures_append_only ON erasures
-- next
DROP TRIGGER ck_audit_seals_append_only_truncate ON audit_seals
-- next
DROP TRIGGER ck_audit_seals_append_only ON audit_seals
-- next
DROP TRIGGER ck_audit_entries_append_only ON audit_entries
-- next
DROP FUNCTION carepath_check_entry()
-- next
CREATE TRIGGER ck_audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
FOR EACH ROW EXECUTE FUNCTION carepath_append_only()
