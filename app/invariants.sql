-- What must always be true. Each query finds what breaks its rule; the column's name says what the ids are of.
-- `carepath doctor --invariants` runs them, and every drill does. The same words run on SQLite and on PostgreSQL, where
-- a UUID is a text without hyphens or a type of its own. None may compare every row with every other.

-- name: a seat has one live booking
SELECT slot_id AS slot FROM consultation_bookings
WHERE state IN ('held', 'booked') GROUP BY slot_id, seat HAVING count(*) > 1;

-- name: a live booking has one of its slot's seats
SELECT bookings.id AS booking
FROM consultation_bookings AS bookings LEFT JOIN consultation_slots AS slots ON slots.id = bookings.slot_id
WHERE bookings.state IN ('held', 'booked')
  AND (slots.id IS NULL OR bookings.seat < 1 OR bookings.seat > slots.capacity);

-- name: a cancelled slot has no live booking
SELECT bookings.id AS booking
FROM consultation_bookings AS bookings JOIN consultation_slots AS slots ON slots.id = bookings.slot_id
WHERE bookings.state IN ('held', 'booked') AND slots.status = 'cancelled';

-- name: a clinician is in one place at a time
SELECT id AS slot FROM (
  SELECT id, starts_at, max(ends_at) OVER (
    PARTITION BY clinician_id ORDER BY starts_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  ) AS busy_until
  FROM consultation_slots
  WHERE clinician_id IS NOT NULL AND status <> 'cancelled' AND overlap_reason IS NULL
) AS agenda
WHERE busy_until > starts_at;

-- name: a room holds one consultation at a time
SELECT id AS slot FROM (
  SELECT id, starts_at, max(ends_at) OVER (
    PARTITION BY room_id ORDER BY starts_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  ) AS busy_until
  FROM consultation_slots
  WHERE room_id IS NOT NULL AND status <> 'cancelled' AND overlap_reason IS NULL
) AS agenda
WHERE busy_until > starts_at;

-- name: a hold, and nothing else, expires
SELECT id AS booking FROM consultation_bookings
WHERE (state = 'held') <> (hold_expires_at IS NOT NULL) OR (state <> 'held' AND hold_owner IS NOT NULL);

-- name: a remembered request has what it made
SELECT requests.booking_id AS booking
FROM idempotency_keys AS requests LEFT JOIN consultation_bookings AS bookings ON bookings.id = requests.booking_id
WHERE requests.booking_id IS NOT NULL AND bookings.id IS NULL
UNION ALL
SELECT requests.slot_id
FROM idempotency_keys AS requests LEFT JOIN consultation_slots AS slots ON slots.id = requests.slot_id
WHERE requests.slot_id IS NOT NULL AND slots.id IS NULL;

-- name: a booking has one event for each of its versions
SELECT bookings.id AS booking
FROM consultation_bookings AS bookings LEFT JOIN booking_events AS events ON events.booking_id = bookings.id
GROUP BY bookings.id, bookings.version
HAVING count(events.version) <> bookings.version
  OR min(events.version) <> 1 OR max(events.version) <> bookings.version;

-- name: a booking is where its last event left it
SELECT bookings.id AS booking
FROM consultation_bookings AS bookings
JOIN booking_events AS events ON events.booking_id = bookings.id AND events.version = bookings.version
WHERE events.to_state <> bookings.state;

-- name: an event begins where the one before it ended
SELECT events.booking_id AS booking
FROM booking_events AS events LEFT JOIN booking_events AS earlier
  ON earlier.booking_id = events.booking_id AND earlier.version = events.version - 1
WHERE coalesce(events.from_state, '') <> coalesce(earlier.to_state, '');

-- name: every step is a legal one
SELECT booking_id AS booking FROM booking_events
WHERE coalesce(from_state, '') || '>' || to_state NOT IN (
  '>held', '>booked', 'held>held', 'held>booked', 'held>cancelled', 'held>expired',
  'booked>booked', 'booked>fulfilled', 'booked>no_show', 'booked>cancelled'
);

-- name: a booking moved as often as it says
SELECT bookings.id AS booking
FROM consultation_bookings AS bookings LEFT JOIN booking_events AS events
  ON events.booking_id = bookings.id AND events.previous_slot_id IS NOT NULL
GROUP BY bookings.id, bookings.reschedule_count
HAVING count(events.version) <> bookings.reschedule_count;

-- Who is booked before and after a step, in the same slot, was offered others.
-- What was delivered is kept for 30 days. Those of this calendar, whose months all have 31, are never longer.
-- name: every step of late is told once, unless the patient was erased
WITH steps AS (
  SELECT booking_id AS booking, version,
    'booking.' || CASE WHEN previous_slot_id IS NOT NULL THEN 'rescheduled' WHEN from_state = to_state THEN 'offered'
      ELSE to_state END AS topic,
    372 * CAST(substr(CAST(at AS text), 1, 4) AS integer) + 31 * CAST(substr(CAST(at AS text), 6, 2) AS integer)
      + CAST(substr(CAST(at AS text), 9, 2) AS integer) AS day
  FROM booking_events
), today AS (
  SELECT 372 * CAST(substr(now, 1, 4) AS integer) + 31 * CAST(substr(now, 6, 2) AS integer)
    + CAST(substr(now, 9, 2) AS integer) AS day
  FROM (SELECT CAST(CURRENT_TIMESTAMP AS text) AS now) AS clock
), untold AS (
  SELECT steps.booking, steps.day
  FROM steps LEFT JOIN outbox_messages AS messages
    ON messages.subject_id = steps.booking AND messages.sequence = steps.version AND messages.topic = steps.topic
  GROUP BY steps.booking, steps.version, steps.day
  HAVING count(messages.id) <> 1
)
SELECT untold.booking AS booking FROM untold CROSS JOIN today
WHERE today.day - untold.day < 30 AND replace(CAST(untold.booking AS text), '-', '') NOT IN (
  SELECT replace(subject, '-', '') FROM audit_entries WHERE action = 'patient.erased'
);

-- name: nothing is told that did not happen
SELECT messages.subject_id AS booking
FROM outbox_messages AS messages LEFT JOIN booking_events AS events
  ON events.booking_id = messages.subject_id AND events.version = messages.sequence
WHERE messages.topic LIKE 'booking.%' AND (
  events.version IS NULL OR messages.topic
    <> 'booking.' || CASE WHEN events.previous_slot_id IS NOT NULL THEN 'rescheduled'
      WHEN events.from_state = events.to_state THEN 'offered' ELSE events.to_state END
);

-- name: every step is in the trail
WITH steps AS (
  SELECT replace(CAST(booking_id AS text), '-', '') AS booking,
    'booking.' || CASE WHEN previous_slot_id IS NOT NULL THEN 'rescheduled' WHEN from_state = to_state THEN 'offered'
      ELSE to_state END AS action,
    count(*) AS number
  FROM booking_events GROUP BY 1, 2
), entries AS (
  SELECT replace(subject, '-', '') AS booking, action, count(*) AS number
  FROM audit_entries WHERE action LIKE 'booking.%' GROUP BY 1, 2
)
SELECT steps.booking AS booking
FROM steps LEFT JOIN entries ON entries.booking = steps.booking AND entries.action = steps.action
WHERE coalesce(entries.number, 0) <> steps.number;

-- name: a hold has no patient
SELECT bookings.id AS booking
FROM consultation_bookings AS bookings JOIN patient_details AS patients ON patients.booking_id = bookings.id
WHERE bookings.state IN ('held', 'expired')
  AND (patients.email_index IS NOT NULL OR patients.phone_index IS NOT NULL);

-- name: nobody who was erased is still here
SELECT booking_id AS booking FROM patient_details
WHERE (email_index IS NOT NULL OR phone_index IS NOT NULL)
  AND replace(CAST(booking_id AS text), '-', '') IN (
    SELECT replace(subject, '-', '') FROM audit_entries WHERE action = 'patient.erased'
  );

-- name: a consultation to come has its patient, unless erased
SELECT bookings.id AS booking
FROM consultation_bookings AS bookings
JOIN consultation_slots AS slots ON slots.id = bookings.slot_id
LEFT JOIN patient_details AS patients ON patients.booking_id = bookings.id
WHERE bookings.state = 'booked' AND slots.ends_at > CURRENT_TIMESTAMP AND patients.booking_id IS NULL
  AND replace(CAST(bookings.id AS text), '-', '') NOT IN (
    SELECT replace(subject, '-', '') FROM audit_entries WHERE action = 'patient.erased'
  );

-- name: a former slug is no present one
SELECT former.condition_id AS thing
FROM slug_redirects AS former JOIN conditions AS present ON present.slug = former.slug WHERE former.kind = 'condition'
UNION ALL
SELECT former.category_id
FROM slug_redirects AS former JOIN categories AS present ON present.slug = former.slug WHERE former.kind = 'category'
UNION ALL
SELECT former.treatment_id
FROM slug_redirects AS former JOIN treatments AS present ON present.slug = former.slug WHERE former.kind = 'treatment';

-- name: a page says its newest revision
SELECT pages.id AS page
FROM condition_pages AS pages LEFT JOIN condition_revisions AS revisions
  ON revisions.condition_id = pages.condition_id AND revisions.locale = pages.locale
GROUP BY pages.id, pages.revision
HAVING coalesce(max(revisions.number), 0) <> pages.revision;
