-- Slots of one clinician, and of one room, are apart unless a reason is on the record. They are apart from each other,
-- so only the last one that begins before the new one's end can be in its way: one step in an index.
DROP TRIGGER ex_consultation_slots_clinician_overlap
-- next
DROP TRIGGER ex_consultation_slots_clinician_overlap_update
-- next
CREATE TRIGGER ex_consultation_slots_clinician_overlap BEFORE INSERT ON consultation_slots
WHEN NEW.clinician_id IS NOT NULL AND NEW.status <> 'cancelled' AND NEW.overlap_reason IS NULL
  AND NEW.archived_at IS NULL AND NEW.starts_at < (
    SELECT other.ends_at FROM consultation_slots AS other
    WHERE other.clinician_id = NEW.clinician_id AND other.starts_at < NEW.ends_at
      AND other.status <> 'cancelled' AND other.overlap_reason IS NULL AND other.archived_at IS NULL
    ORDER BY other.starts_at DESC LIMIT 1
  )
BEGIN SELECT RAISE(ABORT, 'ex_consultation_slots_clinician_overlap'); END
-- next
CREATE TRIGGER ex_consultation_slots_clinician_overlap_update
BEFORE UPDATE OF starts_at, ends_at, clinician_id, status, overlap_reason, archived_at ON consultation_slots
WHEN NEW.clinician_id IS NOT NULL AND NEW.status <> 'cancelled' AND NEW.overlap_reason IS NULL
  AND NEW.archived_at IS NULL AND NEW.starts_at < (
    SELECT other.ends_at FROM consultation_slots AS other
    WHERE other.clinician_id = NEW.clinician_id AND other.starts_at < NEW.ends_at AND other.id <> OLD.id
      AND other.status <> 'cancelled' AND other.overlap_reason IS NULL AND other.archived_at IS NULL
    ORDER BY other.starts_at DESC LIMIT 1
  )
BEGIN SELECT RAISE(ABORT, 'ex_consultation_slots_clinician_overlap'); END
-- next
CREATE TRIGGER ex_consultation_slots_room_overlap BEFORE INSERT ON consultation_slots
WHEN NEW.room_id IS NOT NULL AND NEW.status <> 'cancelled' AND NEW.overlap_reason IS NULL
  AND NEW.archived_at IS NULL AND NEW.starts_at < (
    SELECT other.ends_at FROM consultation_slots AS other
    WHERE other.room_id = NEW.room_id AND other.starts_at < NEW.ends_at
      AND other.status <> 'cancelled' AND other.overlap_reason IS NULL AND other.archived_at IS NULL
    ORDER BY other.starts_at DESC LIMIT 1
  )
BEGIN SELECT RAISE(ABORT, 'ex_consultation_slots_room_overlap'); END
-- next
CREATE TRIGGER ex_consultation_slots_room_overlap_update
BEFORE UPDATE OF starts_at, ends_at, room_id, status, overlap_reason, archived_at ON consultation_slots
WHEN NEW.room_id IS NOT NULL AND NEW.status <> 'cancelled' AND NEW.overlap_reason IS NULL
  AND NEW.archived_at IS NULL AND NEW.starts_at < (
    SELECT other.ends_at FROM consultation_slots AS other
    WHERE other.room_id = NEW.room_id AND other.starts_at < NEW.ends_at AND other.id <> OLD.id
      AND other.status <> 'cancelled' AND other.overlap_reason IS NULL AND other.archived_at IS NULL
    ORDER BY other.starts_at DESC LIMIT 1
  )
BEGIN SELECT RAISE(ABORT, 'ex_consultation_slots_room_overlap'); END
-- next
CREATE TRIGGER ck_consultation_slots_local_time BEFORE INSERT ON consultation_slots
WHEN NEW.local_date IS NULL OR NEW.local_weekday IS NULL OR NEW.local_minute IS NULL
BEGIN SELECT RAISE(ABORT, 'ck_consultation_slots_local_time'); END
-- downgrade
DROP TRIGGER ck_consultation_slots_local_time
-- next
DROP TRIGGER ex_consultation_slots_room_overlap_update
-- next
DROP TRIGGER ex_consultation_slots_room_overlap
-- next
DROP TRIGGER ex_consultation_slots_clinician_overlap_update
-- next
DROP TRIGGER ex_consultation_slots_clinician_overlap
-- next
CREATE TRIGGER ex_consultation_slots_clinician_overlap BEFORE INSERT ON consultation_slots
WHEN NEW.status <> 'cancelled' AND EXISTS (
  SELECT 1 FROM consultation_slots AS other
  WHERE other.clinician_id = NEW.clinician_id AND other.status <> 'cancelled'
    AND other.starts_at < NEW.ends_at AND other.ends_at > NEW.starts_at
)
BEGIN SELECT RAISE(ABORT, 'ex_consultation_slots_clinician_overlap'); END
-- next
CREATE TRIGGER ex_consultation_slots_clinician_overlap_update
BEFORE UPDATE OF starts_at, ends_at, clinician_id, status ON consultation_slots
WHEN NEW.status <> 'cancelled' AND EXISTS (
  SELECT 1 FROM consultation_slots AS other
  WHERE other.clinician_id = NEW.clinician_id AND other.status <> 'cancelled' AND other.id <> OLD.id
    AND other.starts_at < NEW.ends_at AND other.ends_at > NEW.starts_at
)
BEGIN SELECT RAISE(ABORT, 'ex_consultation_slots_clinician_overlap'); END
