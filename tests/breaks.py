"""Statements that break what must always be true of the rows, for bookings and slots that a test names."""

# What breaks each invariant, past all guards, and which others break with it.
BREAKS: dict[str, dict[str, set[str]]] = {
    "a seat has one live booking": {
        "UPDATE consultation_bookings SET seat = 1 WHERE slot_id = '{full}'": set(),
    },
    "a live booking has one of its slot's seats": {
        "UPDATE consultation_bookings SET seat = 4 WHERE id = '{booked}'": set(),
        "UPDATE consultation_bookings SET seat = 0 WHERE id = '{booked}'": set(),
        "UPDATE consultation_slots SET capacity = 1 WHERE id = '{full}'": set(),
    },
    "a cancelled slot has no live booking": {
        "UPDATE consultation_slots SET status = 'cancelled' WHERE id = '{full}'": set(),
    },
    "a clinician is in one place at a time": {
        "UPDATE consultation_slots SET starts_at = (SELECT starts_at FROM consultation_slots WHERE id = '{full}')"
        " WHERE id = '{later}'": {"a room holds one consultation at a time"},
        "UPDATE consultation_slots SET room_id = NULL,"
        " ends_at = (SELECT ends_at FROM consultation_slots WHERE id = '{last}') WHERE id = '{full}'": set(),
    },
    "a room holds one consultation at a time": {
        "UPDATE consultation_slots SET clinician_id = NULL,"
        " ends_at = (SELECT ends_at FROM consultation_slots WHERE id = '{last}') WHERE id = '{full}'": set(),
    },
    "a hold, and nothing else, expires": {
        "UPDATE consultation_bookings SET hold_expires_at = created_at WHERE id = '{booked}'": set(),
        "UPDATE consultation_bookings SET hold_expires_at = NULL WHERE id = '{held}'": set(),
        "UPDATE consultation_bookings SET hold_owner = secret_hash WHERE id = '{booked}'": set(),
    },
    "a remembered request has what it made": {
        "UPDATE idempotency_keys SET booking_id = '{nothing}' WHERE booking_id = '{booked}'": set(),
        "UPDATE idempotency_keys SET booking_id = NULL, slot_id = '{nothing}' WHERE booking_id = '{booked}'": set(),
    },
    "a booking has one event for each of its versions": {
        "UPDATE consultation_bookings SET version = 2 WHERE id = '{booked}'": set(),
        "UPDATE booking_events SET version = 5 WHERE booking_id = '{moved}' AND version = 2": {
            "an event begins where the one before it ended",
            "every step of late is told once, unless the patient was erased",
            "nothing is told that did not happen",
        },
        "DELETE FROM booking_events WHERE booking_id = '{booked}'": {"nothing is told that did not happen"},
    },
    "a booking is where its last event left it": {
        "UPDATE consultation_bookings SET state = 'no_show' WHERE id = '{booked}'": set(),
    },
    "an event begins where the one before it ended": {
        # A step from booked to booked in one slot is an offer, which is told by another name.
        "UPDATE booking_events SET from_state = 'booked' WHERE booking_id = '{moved}' AND version = 2": {
            "every step is in the trail",
            "every step of late is told once, unless the patient was erased",
            "nothing is told that did not happen",
        },
        "UPDATE booking_events SET from_state = 'held' WHERE booking_id = '{booked}'": set(),
    },
    "every step is a legal one": {
        "UPDATE booking_events SET from_state = 'held' WHERE booking_id = '{moved}' AND version = 3;"
        "UPDATE booking_events SET from_state = NULL WHERE booking_id = '{moved}' AND version = 2;"
        "UPDATE booking_events SET to_state = 'expired' WHERE booking_id = '{fulfilled}' AND version = 2": {
            "a booking is where its last event left it",
            "an event begins where the one before it ended",
            "every step is in the trail",
            "every step of late is told once, unless the patient was erased",
            "nothing is told that did not happen",
        },
    },
    "a booking moved as often as it says": {
        "UPDATE consultation_bookings SET reschedule_count = 0 WHERE id = '{moved}'": set(),
        "UPDATE consultation_bookings SET reschedule_count = 1 WHERE id = '{booked}'": set(),
    },
    "every step of late is told once, unless the patient was erased": {
        "DELETE FROM outbox_messages WHERE subject_id = '{booked}'": set(),
        "INSERT INTO outbox_messages (id, topic, subject_id, sequence, dedupe_key, not_before, attempts)"
        " SELECT '{nothing}', topic, subject_id, sequence, 'again', not_before, 0 FROM outbox_messages"
        " WHERE subject_id = '{booked}'": set(),
    },
    "nothing is told that did not happen": {
        "INSERT INTO outbox_messages (id, topic, subject_id, sequence, dedupe_key, not_before, attempts)"
        " SELECT '{nothing}', topic, subject_id, 2, 'again', not_before, 0 FROM outbox_messages"
        " WHERE subject_id = '{booked}'": set(),
    },
    "every step is in the trail": {
        "DELETE FROM audit_entries WHERE replace(subject, '-', '') = '{booked}'": set(),
        "DELETE FROM audit_entries WHERE action = 'booking.rescheduled'": set(),
    },
    "a hold has no patient": {
        "UPDATE patient_details SET booking_id = '{held}' WHERE booking_id = '{fulfilled}'": set(),
    },
    "nobody who was erased is still here": {
        "UPDATE patient_details SET booking_id = '{erased}' WHERE booking_id = '{fulfilled}'": set(),
    },
    "a consultation to come has its patient, unless erased": {
        "DELETE FROM patient_details WHERE booking_id = '{booked}'": set(),
    },
    "a former slug is no present one": {
        f"INSERT INTO slug_redirects (kind, slug, {kind}_id, renamed_at)"
        f" SELECT '{kind}', slug, id, CURRENT_TIMESTAMP FROM {table}": set()
        for kind, table in (("condition", "conditions"), ("category", "categories"), ("treatment", "treatments"))
    },
    "a page says its newest revision": {
        "UPDATE condition_pages SET revision = revision + 1": set(),
        "INSERT INTO condition_revisions"
        " (condition_id, locale, number, source, digest, document, published_by, published_at)"
        " SELECT condition_id, locale, number + 1, source, digest, document, published_by, published_at"
        " FROM condition_revisions": set(),
        "DELETE FROM condition_revisions": set(),
    },
}

# What looks like a break and is none: what was told is forgotten after a month.
HARMLESS = (
    "UPDATE booking_events SET at = '2020-01-31 12:00:00.000000' WHERE booking_id = '{booked}';"
    "DELETE FROM outbox_messages WHERE subject_id = '{booked}'"
)
