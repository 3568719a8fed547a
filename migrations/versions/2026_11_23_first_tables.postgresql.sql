-- Guards of the first tables on PostgreSQL. A trigger names itself as the violated constraint.

ALTER TABLE consultation_slots ADD CONSTRAINT ex_consultation_slots_clinician_overlap
EXCLUDE USING gist (clinician_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&) WHERE (status <> 'cancelled')
-- next
CREATE FUNCTION carepath_check_booking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' AND (NEW.state NOT IN ('held', 'booked') OR NEW.version <> 1)
    OR TG_OP = 'UPDATE' AND NOT (
      NEW.version = OLD.version + 1
      AND (OLD.state || '>' || NEW.state) IN (
        'held>held', 'held>booked', 'held>cancelled', 'held>expired',
        'booked>booked', 'booked>fulfilled', 'booked>no_show', 'booked>cancelled'
      )
    )
  THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = TG_NAME, CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$
-- next
CREATE TRIGGER ck_consultation_bookings_new BEFORE INSERT ON consultation_bookings
FOR EACH ROW EXECUTE FUNCTION carepath_check_booking()
-- next
CREATE TRIGGER ck_consultation_bookings_transition BEFORE UPDATE ON consultation_bookings
FOR EACH ROW EXECUTE FUNCTION carepath_check_booking()
-- next
-- FOR SHARE: a booking and whoever closes, cancels or shrinks the slot at the same time must wait for each other.
CREATE FUNCTION carepath_check_booked_slot() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  slot record;
BEGIN
  SELECT status, capacity INTO slot FROM consultation_slots WHERE id = NEW.slot_id FOR SHARE;
  IF TG_NAME = 'ck_consultation_bookings_seat' AND NEW.seat NOT BETWEEN 1 AND slot.capacity
    OR TG_NAME = 'ck_consultation_bookings_slot_open' AND slot.status <> 'open'
      AND (TG_OP = 'INSERT' OR NEW.slot_id <> OLD.slot_id)
  THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = TG_NAME, CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$
-- next
CREATE TRIGGER ck_consultation_bookings_slot_open BEFORE INSERT OR UPDATE OF slot_id ON consultation_bookings
FOR EACH ROW EXECUTE FUNCTION carepath_check_booked_slot()
-- next
CREATE TRIGGER ck_consultation_bookings_seat BEFORE INSERT OR UPDATE OF slot_id, seat ON consultation_bookings
FOR EACH ROW EXECUTE FUNCTION carepath_check_booked_slot()
-- next
CREATE FUNCTION carepath_check_slot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_NAME = 'ck_consultation_slots_transition' AND OLD.status = 'cancelled' AND NEW.status <> 'cancelled'
    OR TG_NAME = 'ck_consultation_slots_seats_in_use' AND EXISTS (
      SELECT 1 FROM consultation_bookings
      WHERE slot_id = OLD.id AND state IN ('held', 'booked')
        AND (
          seat > NEW.capacity OR NEW.status = 'cancelled'
          OR NEW.starts_at <> OLD.starts_at OR NEW.ends_at <> OLD.ends_at
        )
    )
  THEN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = TG_NAME, CONSTRAINT = TG_NAME;
  END IF;
  RETURN NEW;
END $$
-- next
CREATE TRIGGER ck_consultation_slots_transition BEFORE UPDATE OF status ON consultation_slots
FOR EACH ROW EXECUTE FUNCTION carepath_check_slot()
-- next
CREATE TRIGGER ck_consultation_slots_seats_in_use BEFORE UPDATE OF starts_at, ends_at, capacity, status
ON consultation_slots FOR EACH ROW EXECUTE FUNCTION carepath_check_slot()
-- next
CREATE FUNCTION carepath_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = TG_NAME, CONSTRAINT = TG_NAME;
END $$
-- next
CREATE TRIGGER ck_condition_revisions_immutable BEFORE UPDATE OR DELETE ON condition_revisions
FOR EACH ROW EXECUTE FUNCTION carepath_append_only()
-- next
CREATE TRIGGER ck_booking_events_append_only BEFORE UPDATE OR DELETE ON booking_events
FOR EACH ROW EXECUTE FUNCTION carepath_append_only()
-- next
CREATE TRIGGER ck_audit_entries_append_only BEFORE UPDATE OR DELETE ON audit_entries
FOR EACH ROW EXECUTE FUNCTION carepath_append_only()
-- next
CREATE TRIGGER ck_condition_revisions_immutable_truncate BEFORE TRUNCATE ON condition_revisions
FOR EACH STATEMENT EXECUTE FUNCTION carepath_append_only()
-- next
CREATE TRIGGER ck_booking_events_append_only_truncate BEFORE TRUNCATE ON booking_events
FOR EACH STATEMENT EXECUTE FUNCTION carepath_append_only()
-- next
CREATE TRIGGER ck_audit_entries_append_only_truncate BEFORE TRUNCATE ON audit_entries
FOR EACH STATEMENT EXECUTE FUNCTION carepath_append_only()
