-- Slots of one clinician, and of one room, are apart unless a reason is on the record.
ALTER TABLE consultation_slots DROP CONSTRAINT ex_consultation_slots_clinician_overlap
-- next
ALTER TABLE consultation_slots ADD CONSTRAINT ex_consultation_slots_clinician_overlap
EXCLUDE USING gist (clinician_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&)
WHERE (status <> 'cancelled' AND overlap_reason IS NULL AND archived_at IS NULL AND clinician_id IS NOT NULL)
-- next
ALTER TABLE consultation_slots ADD CONSTRAINT ex_consultation_slots_room_overlap
EXCLUDE USING gist (room_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&)
WHERE (status <> 'cancelled' AND overlap_reason IS NULL AND archived_at IS NULL AND room_id IS NOT NULL)
-- next
CREATE FUNCTION carepath_check_local_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.local_date IS NULL OR NEW.local_weekday IS NULL OR NEW.local_minute IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = TG_NAME, CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$
-- next
CREATE TRIGGER ck_consultation_slots_local_time BEFORE INSERT ON consultation_slots
FOR EACH ROW EXECUTE FUNCTION carepath_check_local_time()
-- downgrade
DROP TRIGGER ck_consultation_slots_local_time ON consultation_slots
-- next
DROP FUNCTION carepath_check_local_time()
-- next
ALTER TABLE consultation_slots DROP CONSTRAINT ex_consultation_slots_room_overlap
-- next
ALTER TABLE consultation_slots DROP CONSTRAINT ex_consultation_slots_clinician_overlap
-- next
ALTER TABLE consultation_slots ADD CONSTRAINT ex_consultation_slots_clinician_overlap
EXCLUDE USING gist (clinician_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&) WHERE (status <> 'cancelled')
