-- Guards of the first tables on SQLite. The raised word is the guard's name.

CREATE TRIGGER ck_consultation_bookings_new BEFORE INSERT ON consultation_bookings
WHEN NEW.state NOT IN ('held', 'booked') OR NEW.version <> 1
BEGIN SELECT RAISE(ABORT, 'ck_consultation_bookings_new'); END
-- next
CREATE TRIGGER ck_consultation_bookings_seat BEFORE INSERT ON consultation_bookings
WHEN NEW.seat NOT BETWEEN 1 AND (SELECT capacity FROM consultation_slots WHERE id = NEW.slot_id)
BEGIN SELECT RAISE(ABORT, 'ck_consultation_bookings_seat'); END
-- next
CREATE TRIGGER ck_consultation_bookings_seat_update BEFORE UPDATE OF slot_id, seat ON consultation_bookings
WHEN NEW.seat NOT BETWEEN 1 AND (SELECT capacity FROM consultation_slots WHERE id = NEW.slot_id)
BEGIN SELECT RAISE(ABORT, 'ck_consultation_bookings_seat'); END
-- next
CREATE TRIGGER ck_consultation_bookings_slot_open BEFORE INSERT ON consultation_bookings
WHEN (SELECT status FROM consultation_slots WHERE id = NEW.slot_id) <> 'open'
BEGIN SELECT RAISE(ABORT, 'ck_consultation_bookings_slot_open'); END
-- next
CREATE TRIGGER ck_consultation_bookings_slot_open_update BEFORE UPDATE OF slot_id ON consultation_bookings
WHEN NEW.slot_id <> OLD.slot_id AND (SELECT status FROM consultation_slots WHERE id = NEW.slot_id) <> 'open'
BEGIN SELECT RAISE(ABORT, 'ck_consultation_bookings_slot_open'); END
-- next
CREATE TRIGGER ck_consultation_bookings_transition BEFORE UPDATE ON consultation_bookings
WHEN NOT (
  NEW.version = OLD.version + 1
  AND (OLD.state || '>' || NEW.state) IN (
    'held>held', 'held>booked', 'held>cancelled', 'held>expired',
    'booked>booked', 'booked>fulfilled', 'booked>no_show', 'booked>cancelled'
  )
)
BEGIN SELECT RAISE(ABORT, 'ck_consultation_bookings_transition'); END
-- next
CREATE TRIGGER ck_consultation_slots_transition BEFORE UPDATE OF status ON consultation_slots
WHEN OLD.status = 'cancelled' AND NEW.status <> 'cancelled'
BEGIN SELECT RAISE(ABORT, 'ck_consultation_slots_transition'); END
-- next
CREATE TRIGGER ck_consultation_slots_seats_in_use BEFORE UPDATE OF starts_at, ends_at, capacity, status
ON consultation_slots
WHEN EXISTS (
  SELECT 1 FROM consultation_bookings
  WHERE slot_id = OLD.id AND state IN ('held', 'booked')
    AND (
      seat > NEW.capacity OR NEW.status = 'cancelled' OR NEW.starts_at <> OLD.starts_at OR NEW.ends_at <> OLD.ends_at
    )
)
BEGIN SELECT RAISE(ABORT, 'ck_consultation_slots_seats_in_use'); END
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
-- next
CREATE TRIGGER ck_condition_revisions_immutable BEFORE UPDATE ON condition_revisions
BEGIN SELECT RAISE(ABORT, 'ck_condition_revisions_immutable'); END
-- next
CREATE TRIGGER ck_condition_revisions_immutable_delete BEFORE DELETE ON condition_revisions
BEGIN SELECT RAISE(ABORT, 'ck_condition_revisions_immutable'); END
-- next
CREATE TRIGGER ck_booking_events_append_only BEFORE UPDATE ON booking_events
BEGIN SELECT RAISE(ABORT, 'ck_booking_events_append_only'); END
-- next
CREATE TRIGGER ck_booking_events_append_only_delete BEFORE DELETE ON booking_events
BEGIN SELECT RAISE(ABORT, 'ck_booking_events_append_only'); END
-- next
CREATE TRIGGER ck_audit_entries_append_only BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'ck_audit_entries_append_only'); END
-- next
CREATE TRIGGER ck_audit_entries_append_only_delete BEFORE DELETE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'ck_audit_entries_append_only'); END
