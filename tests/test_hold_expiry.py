"""Holds end by themselves: the time is part of every rule, whether or not anybody tidies up."""

import asyncio
from datetime import datetime
from typing import Any

import httpx
import pytest

from app.consultations import bookings, seats
from app.consultations.tables import BookingEvent, BookingState, ConsultationBooking, PatientDetail
from app.core import clock
from app.core.db import Database
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage
from tests.doors import started
from tests.lives import STALE, put_booking, row_of, run_out, steps_of
from tests.rows import counts, everything, make_slot
from tests.wishes import (
    act,
    book,
    booking_wish,
    confirmation,
    hold,
    hold_wish,
    listed,
    new_key,
    post_slot,
    read,
    refusal,
    seats_free,
)

ADDRESS = "/consultation-bookings"


async def references(client: httpx.AsyncClient, admin: dict[str, str], state: str) -> list[str]:
    """The references of the bookings that are listed as being in this state."""
    answer = await client.get(f"{ADDRESS}?state={state}", headers=admin)
    assert {item["state"] for item in answer.json()["items"]} <= {state}
    return [item["reference"] for item in answer.json()["items"]]


async def test_a_hold_that_is_over_is_over_although_nobody_tidies_up(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    held = await hold(client, slot["id"])
    await run_out(database, held)
    seen = await read(client, held)
    assert (seen["state"], seen["allowed_actions"]) == ("expired", [])
    assert "hold_expires_at" not in seen
    assert await listed(client) == [slot["id"]]
    assert await seats_free(client, slot["id"]) == 1
    before = await row_of(database, held)
    for action, wish, code in (
        ("confirm", confirmation(), "hold-expired"),
        ("cancel", None, "booking-ended"),
        ("reschedule", {"slot_id": slot["id"]}, "booking-ended"),
    ):
        assert refusal(await act(client, held, action, wish)) == (409, code)
    assert await row_of(database, held) == before
    assert before["state"] == "held"
    assert await counts(database, BookingEvent, OutboxMessage, PatientDetail) == [1, 1, 0]


@pytest.mark.parametrize("wish", [hold_wish, booking_wish])
async def test_the_next_one_takes_the_seat_of_a_hold_that_is_over(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, wish: Any
) -> None:
    slot = await post_slot(client, admin)
    held = await hold(client, slot["id"])
    await run_out(database, held)
    answer = await client.post(ADDRESS, json=wish(slot["id"]), headers=new_key())
    assert answer.status_code == 201, answer.text
    row = await row_of(database, held)
    # The second version is this test's own: it set the clock.
    assert (row["state"], row["version"], row["hold_expires_at"]) == ("expired", 3, None)
    assert await steps_of(database, held) == [(1, None, "held", "anonymous"), (3, "held", "expired", "expiry")]
    assert await steps_of(database, answer.json()) == [(1, None, answer.json()["state"], "anonymous")]
    seen = await read(client, held)
    assert (seen["state"], seen["version"]) == ("expired", 3)
    assert refusal(await act(client, held, "confirm", confirmation())) == (409, "hold-expired")
    assert (await row_of(database, held)) == row


async def test_a_hold_that_somebody_is_tidying_up_blocks_nobody(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    await run_out(database, await hold(client, slot["id"]))
    async with database.write() as session:
        assert await seats.expire_stale(session, limit=10) == 1
        booking = asyncio.create_task(client.post(ADDRESS, json=booking_wish(slot["id"]), headers=new_key()))
        await asyncio.wait({booking}, timeout=0.3)
    assert (await booking).status_code == 201


async def test_only_as_many_holds_end_as_are_over(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=4)
    over = [await hold(client, slot["id"]) for _ in range(3)]
    lives = await hold(client, slot["id"])
    for held in over:
        await run_out(database, held)
    told = []
    for limit in (2, 2, 2):
        async with database.write() as session:
            told.append(await seats.expire_stale(session, limit=limit))
    assert told == [2, 1, 0]
    assert {(await row_of(database, held))["state"] for held in over} == {"expired"}
    assert (await read(client, lives))["state"] == "held"
    for held in over:
        assert (await steps_of(database, held))[-1] == (3, "held", "expired", "expiry")


async def test_a_hold_of_one_second_expires_by_itself(settings: Settings, admin: dict[str, str]) -> None:
    async with started(settings.model_copy(update={"hold_seconds": 1})) as client:
        slot = await post_slot(client, admin)
        held = await hold(client, slot["id"])
        left = datetime.fromisoformat(held["hold_expires_at"]) - clock.now()
        await asyncio.sleep(left.total_seconds() + 0.05)
        assert refusal(await act(client, held, "confirm", confirmation())) == (409, "hold-expired")
        await book(client, slot["id"])


async def test_the_time_that_decides_is_the_one_after_the_wait(
    settings: Settings, admin: dict[str, str], database: Database
) -> None:
    async with started(settings.model_copy(update={"hold_seconds": 1})) as client:
        held = await hold(client, (await post_slot(client, admin))["id"])
        async with database.write() as session:
            await bookings.get(session, held["reference"], lock=True)
            confirming = asyncio.create_task(act(client, held, "confirm", confirmation()))
            # Sent in time, and kept waiting until the time is over.
            await asyncio.wait({confirming}, timeout=1.1)
            assert not confirming.done()
        assert refusal(await confirming) == (409, "hold-expired")
        assert (await row_of(database, held))["state"] == "held"


async def test_no_hold_outlives_the_begin_of_its_slot(
    client: httpx.AsyncClient, admin: dict[str, str], settings: Settings
) -> None:
    seconds = settings.hold_seconds / 2
    slot = await post_slot(client, admin, days=seconds / 86_400)
    held = await hold(client, slot["id"])
    assert held["hold_expires_at"] == slot["starts_at"]


async def test_the_list_of_bookings_knows_the_time(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=4)
    lives, over, swept = [await hold(client, slot["id"]) for _ in range(3)]
    await run_out(database, swept)
    async with database.write() as session:
        assert await seats.expire_stale(session, limit=10) == 1
    await run_out(database, over)
    booked = await book(client, slot["id"])
    assert (await row_of(database, over))["state"] == "held"
    assert await references(client, admin, "held") == [lives["reference"]]
    assert await references(client, admin, "expired") == [swept["reference"], over["reference"]]
    assert await references(client, admin, "booked") == [booked["reference"]]
    items = (await client.get(ADDRESS, headers=admin)).json()["items"]
    assert [(item["state"], "patient" in item) for item in items] == [
        ("booked", True),
        ("expired", False),
        ("expired", False),
        ("held", False),
    ]


async def test_a_stale_hold_is_no_reason_to_call_a_full_slot_held(
    client: httpx.AsyncClient, database: Database
) -> None:
    slot_id = await make_slot(database, capacity=2)
    await put_booking(database, slot_id, **STALE)
    await put_booking(database, slot_id, seat=2)
    await book(client, str(slot_id))
    answer = await client.post(ADDRESS, json=booking_wish(str(slot_id)), headers=new_key())
    assert answer.json()["reason"] == "taken"
    states = [row["state"] for row in await everything(database, ConsultationBooking)]
    assert sorted(states) == [BookingState.BOOKED, BookingState.BOOKED, BookingState.EXPIRED]
