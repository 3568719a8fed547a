"""A request that names its attempt happens once, however often it is sent."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from app.access.tables import AuditEntry, IdempotencyRecord
from app.consultations.tables import BookingEvent, ConsultationBooking, ConsultationSlot, PatientDetail
from app.core import clock
from app.core.db import Database
from app.delivery.tables import OutboxMessage
from tests.rows import counts, everything, new_record, new_slot, refused_by, run
from tests.wishes import bearer, book, booking_wish, new_key, post_slot, slot_wish

MADE = (ConsultationBooking, PatientDetail, BookingEvent, OutboxMessage, IdempotencyRecord)
BAD_KEYS: dict[str, bytes | None] = {
    "missing": None,
    "empty": b"",
    "15 characters": b"k" * 15,
    "256 characters": b"k" * 256,
    "14 characters between quotes": b'"' + b"k" * 14 + b'"',
    "a space": b"0123456789 0123456789",
    "not ASCII": "schlüssel-0123456789".encode(),
    "a control character": b"0123456789\t0123456789",
}


async def attempt(client: httpx.AsyncClient, wish: dict[str, Any], key: str | bytes | None) -> httpx.Response:
    """Try to book, naming the attempt."""
    named = [] if key is None else [(b"Idempotency-Key", key if isinstance(key, bytes) else key.encode())]
    return await client.post("/consultation-bookings", json=wish, headers=named)


async def test_a_repeat_gets_the_same_bytes_and_makes_nothing(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=2)
    wish, key = booking_wish(slot["id"]), str(uuid4())
    first = await attempt(client, wish, key)
    # The same request in other bytes: members in another order, an id in capitals.
    same = {name: wish[name] for name in reversed(wish)} | {"slot_id": slot["id"].upper()}
    again = [await attempt(client, each, key) for each in (wish, same)]
    assert [answer.status_code for answer in (first, *again)] == [201, 201, 201]
    assert {answer.content for answer in (first, *again)} == {first.content}
    assert [answer.headers.get("idempotent-replayed") for answer in (first, *again)] == [None, "true", "true"]
    assert {answer.headers["cache-control"] for answer in (first, *again)} == {"no-store"}
    assert await counts(database, *MADE) == [1] * len(MADE)
    assert len(await everything(database, AuditEntry, AuditEntry.action == "booking.booked")) == 1


async def test_another_body_under_the_same_key_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=2)
    key = str(uuid4())
    assert (await attempt(client, booking_wish(slot["id"]), key)).status_code == 201
    other = await attempt(client, booking_wish(slot["id"], reason="Another reason."), key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert await counts(database, *MADE) == [1] * len(MADE)


async def test_a_missing_or_malformed_key_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    wish = booking_wish((await post_slot(client, admin))["id"])
    told = {name: await attempt(client, wish, key) for name, key in BAD_KEYS.items()}
    assert {name: answer.status_code for name, answer in told.items()} == dict.fromkeys(BAD_KEYS, 400)
    assert {answer.json()["code"] for answer in told.values()} == {"idempotency-key-invalid"}
    assert await counts(database, *MADE) == [0] * len(MADE)


@pytest.mark.parametrize("length", [16, 255])
async def test_a_key_between_quotes_is_the_bare_one(
    client: httpx.AsyncClient, admin: dict[str, str], length: int
) -> None:
    wish = booking_wish((await post_slot(client, admin))["id"])
    first = await attempt(client, wish, f'"{"~" * length}"')
    again = await attempt(client, wish, "~" * length)
    assert (first.status_code, again.content) == (201, first.content)


async def test_a_refusal_leaves_nothing_and_the_key_may_be_used_again(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    taken = await book(client, slot["id"])
    before = await counts(database, *MADE, AuditEntry)
    wish, key = booking_wish(slot["id"]), str(uuid4())
    refused = [await attempt(client, wish, key) for _ in range(2)]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(409, "slot-taken")] * 2
    assert await counts(database, *MADE, AuditEntry) == before
    await client.post(f"/consultation-bookings/{taken['reference']}/cancel", headers=bearer(taken))
    booked = await attempt(client, wish, key)
    assert (booked.status_code, "idempotent-replayed" in booked.headers) == (201, False)


async def test_keys_of_different_callers_and_operations_do_not_meet(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    key = new_key()
    posted = await client.post("/consultation-slots", json=slot_wish(capacity=2), headers=admin | key)
    wish = booking_wish(posted.json()["id"])
    answers = [await client.post("/consultation-bookings", json=wish, headers=headers | key) for headers in (admin, {})]
    assert [answer.status_code for answer in (posted, *answers)] == [201, 201, 201]
    assert answers[0].json()["reference"] != answers[1].json()["reference"]
    assert await counts(database, IdempotencyRecord, ConsultationBooking) == [3, 2]


async def test_an_expired_key_is_forgotten(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=2)
    wish, key = booking_wish(slot["id"]), str(uuid4())
    first = await attempt(client, wish, key)
    (record,) = await everything(database, IdempotencyRecord)
    assert timedelta(hours=71) < record["expires_at"] - clock.now() < timedelta(hours=73)
    await run(database, update(IdempotencyRecord).values(expires_at=clock.now() - timedelta(seconds=1)))
    second, third = [await attempt(client, wish, key) for _ in range(2)]
    assert (second.status_code, "idempotent-replayed" in second.headers) == (201, False)
    assert first.json()["reference"] != second.json()["reference"]
    assert third.content == second.content
    assert await counts(database, IdempotencyRecord, ConsultationBooking) == [1, 2]


async def test_the_stored_answer_cannot_be_read(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    stored = [await everything(database, table) for table in SQLModel.__subclasses__() if hasattr(table, "__table__")]
    values = [value for rows in stored for row in rows for value in row.values()]
    assert any(booking["reference"] == value for value in values)
    assert [value for value in values if booking["token"] in str(value)] == []
    assert [value for value in values if isinstance(value, bytes) and b"cp_booking_" in value] == []


@pytest.mark.parametrize("pointer", ["booking_id", "slot_id"])
async def test_an_answer_without_what_it_tells_of_cannot_be_committed(database: Database, pointer: str) -> None:
    nothing = {"booking_id": None, "slot_id": None} | {pointer: uuid4()}
    accepted = []

    async def remember_nothing() -> None:
        async with database.write() as session:
            await session.exec(new_record(**nothing))
            accepted.append(nothing)

    with pytest.raises(IntegrityError):
        await remember_nothing()
    assert accepted == [nothing]
    assert await counts(database, IdempotencyRecord) == [0]
    # The connection that failed at COMMIT is used again, and is not left in that transaction.
    assert await refused_by(database, new_slot()) is None
    assert await counts(database, ConsultationSlot) == [1]
