-- What one booking writes, as pgbench runs it with every statement prepared: the most that this server can do.
-- `:slots` slots have ids made from their numbers; `:booking` is the number of a booking that nobody else makes.
\set slot random(1, :slots)
\set booking random(1, 9000000000000000000)
BEGIN;
INSERT INTO idempotency_keys (caller, operation, key_hash, fingerprint, booking_id, key_id, wrapped_key, nonce, answer, expires_at)
VALUES ('anonymous', 'book_consultation', decode(md5((:booking)::text), 'hex'), '', md5((:booking)::text)::uuid, 'bench', '', '', '', statement_timestamp() + interval '72 hours')
ON CONFLICT DO NOTHING RETURNING caller;
SELECT id, starts_at, ends_at, time_zone, mode, capacity, status, clock_timestamp() FROM (
  SELECT * FROM consultation_slots WHERE id = md5('slot' || (:slot)::text)::uuid FOR NO KEY UPDATE
) AS slot;
INSERT INTO consultation_bookings (id, slot_id, reference, secret_hash, state, created_at, version, reschedule_count, seat)
SELECT md5((:booking)::text)::uuid, md5('slot' || (:slot)::text)::uuid, (:booking)::text, sha256((:booking)::text::bytea), 'booked', clock_timestamp(), 1, 0, seat
FROM (
  SELECT min(seat) AS seat FROM generate_series(1, 50) AS seat
  WHERE NOT EXISTS (
    SELECT 1 FROM consultation_bookings AS other
    WHERE other.slot_id = md5('slot' || (:slot)::text)::uuid AND other.seat = seat.seat AND state IN ('held', 'booked')
  )
) AS lowest WHERE seat IS NOT NULL
ON CONFLICT (slot_id, seat) WHERE state IN ('held', 'booked') DO NOTHING RETURNING seat;
INSERT INTO booking_events (booking_id, version, to_state, actor, at, is_override)
VALUES (md5((:booking)::text)::uuid, 1, 'booked', 'anonymous', clock_timestamp(), false);
INSERT INTO outbox_messages (id, topic, subject_id, sequence, dedupe_key, not_before, attempts)
VALUES (gen_random_uuid(), 'booking.booked', md5((:booking)::text)::uuid, 1, md5((:booking)::text) || '-1-booking.booked', clock_timestamp(), 0);
INSERT INTO audit_entries (id, at, actor, action, subject, outcome, fields)
VALUES (gen_random_uuid(), clock_timestamp(), 'anonymous', 'booking.booked', md5((:booking)::text), 'done', '["state"]');
INSERT INTO patient_details (booking_id, key_id, wrapped_key, nonce, ciphertext, consent_text_version, email_index)
VALUES (md5((:booking)::text)::uuid, 'bench', decode(repeat('ab', 60), 'hex'), decode(repeat('cd', 12), 'hex'), decode(repeat('ef', 90), 'hex'), '2026-01', sha256((:booking)::text::bytea));
UPDATE idempotency_keys SET key_id = 'bench', wrapped_key = decode(repeat('ab', 60), 'hex'), nonce = decode(repeat('cd', 12), 'hex'), answer = decode(repeat('ef', 900), 'hex'), fingerprint = sha256((:booking)::text::bytea)
WHERE caller = 'anonymous' AND operation = 'book_consultation' AND key_hash = decode(md5((:booking)::text), 'hex');
COMMIT;
