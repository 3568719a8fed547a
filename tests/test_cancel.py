"""Cancelling: the seat is free at once, and cancelling again changes nothing."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations.tables import BookingEvent, BookingState, ConsultationBooking
from app.core import clock
from app.core.db import Database
from app.core.ids import digest, new_reference, new_secret
from app.delivery.tables import OutboxMessage
from tests.rows import change_booking, everything, make_booking, make_slot, run
from tests.wishes import bearer, book, post_slot

HELD = {"state": BookingState.HELD, "hold_expires_at": clock.now() + timedelta(days=365)}


async def steps(database: Database) -> list[tuple[int, str | None, str, str]]:
    """What each step of the only booking left behind, by all who keep a record of it."""
    events = sorted(await everything(database, BookingEvent), key=lambda event: event["version"])
    topics = sorted(f"booking.{event['to_state']}" for event in events)
    assert sorted(message["topic"] for message in await everything(database, OutboxMessage)) == topics
    entries = await everything(database, AuditEntry, col(AuditEntry.action).startswith("booking."))
    assert sorted(entry["action"] for entry in entries) == topics
    return [(event["version"], event["from_state"], event["to_state"], event["actor"]) for event in events]


async def test_cancelling_again_changes_nothing(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    address = f"/consultation-bookings/{booking['reference']}/cancel"
    answers = [await client.post(address, headers=headers) for headers in (bearer(booking), bearer(booking), admin)]
    assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [(200, "cancelled")] * 3
    assert [answer.json() for answer in answers] == [answers[0].json()] * 3
    assert (answers[0].json()["version"], answers[0].json()["slot"]["seats_free"]) == (2, 1)
    assert await steps(database) == [
        (1, None, "booked", "anonymous"),
        (2, "booked", "cancelled", "booking_holder"),
    ]


async def test_cancelling_twice_at_once_is_one_step(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    address = f"/consultation-bookings/{booking['reference']}/cancel"
    answers = await asyncio.gather(*(client.post(address, headers=bearer(booking)) for _ in range(4)))
    assert [(answer.status_code, answer.json()["version"]) for answer in answers] == [(200, 2)] * 4
    assert len(await steps(database)) == 2


async def test_the_seat_can_be_booked_again_at_once(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin)
    first = await book(client, slot["id"])
    await client.post(f"/consultation-bookings/{first['reference']}/cancel", headers=bearer(first))
    second = await book(client, slot["id"])
    assert second["reference"] != first["reference"]
    assert second["slot"]["seats_free"] == 0


@pytest.mark.parametrize("end", [BookingState.FULFILLED, BookingState.NO_SHOW, BookingState.EXPIRED])
async def test_what_has_ended_otherwise_cannot_be_cancelled(
    client: httpx.AsyncClient, database: Database, end: BookingState
) -> None:
    token, reference = new_secret("cp_booking_"), new_reference()
    before = HELD if end is BookingState.EXPIRED else {}
    known = {"reference": reference, "secret_hash": digest(token)}
    booking_id = await make_booking(database, await make_slot(database), **known, **before)
    await run(database, change_booking(booking_id, state=end, hold_expires_at=None))
    answer = await client.post(f"/consultation-bookings/{reference}/cancel", headers=bearer({"token": token}))
    assert (answer.status_code, answer.json()["code"]) == (409, "booking-ended")
    (row,) = await everything(database, ConsultationBooking)
    assert (row["state"], row["version"]) == (end, 2)
    assert await steps(database) == []


async def test_a_hold_can_be_cancelled(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    reference = new_reference()
    await make_booking(database, await make_slot(database), reference=reference, **HELD)
    answer = await client.post(f"/consultation-bookings/{reference}/cancel", headers=admin)
    assert (answer.status_code, answer.json()["state"], answer.json()["version"]) == (200, "cancelled", 2)
