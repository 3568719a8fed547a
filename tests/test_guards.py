"""The guards of bookings, each met by hand past the code that would never ask for what they refuse."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.consultations.tables import BookingState, SlotStatus
from app.core import clock
from app.core.db import Database
from tests.rows import change_booking, make_booking, make_slot, new_booking, refused_by, run

SEAT_LIVE = "uq_consultation_bookings_seat_live"
NEW = "ck_consultation_bookings_new"
SEAT = "ck_consultation_bookings_seat"
SLOT_OPEN = "ck_consultation_bookings_slot_open"
TRANSITION = "ck_consultation_bookings_transition"

HELD, BOOKED = BookingState.HELD, BookingState.BOOKED
# How a booking comes to its end, and every legal step.
LAST_STEP_FROM = {
    BookingState.FULFILLED: BOOKED,
    BookingState.NO_SHOW: BOOKED,
    BookingState.CANCELLED: BOOKED,
    BookingState.EXPIRED: HELD,
}
LEGAL: dict[BookingState, set[BookingState]] = {
    HELD: {HELD, BOOKED, BookingState.CANCELLED, BookingState.EXPIRED},
    BOOKED: {BOOKED, BookingState.FULFILLED, BookingState.NO_SHOW, BookingState.CANCELLED},
    BookingState.FULFILLED: set(),
    BookingState.NO_SHOW: set(),
    BookingState.CANCELLED: set(),
    BookingState.EXPIRED: set(),
}


def state(to: BookingState) -> dict[str, Any]:
    """The columns that say this state."""
    return {"state": to, "hold_expires_at": clock.now() + timedelta(minutes=5) if to == HELD else None}


async def test_a_second_live_booking_of_a_seat_is_refused_only_while_the_index_stands(database: Database) -> None:
    slot_id = await make_slot(database)
    await make_booking(database, slot_id)
    assert await refused_by(database, new_booking(slot_id)) == SEAT_LIVE
    assert await refused_by(database, new_booking(slot_id, **state(HELD))) == SEAT_LIVE
    await run(database, text(f"DROP INDEX {SEAT_LIVE}"))
    assert await refused_by(database, new_booking(slot_id)) is None


async def test_a_seat_whose_booking_ended_may_be_booked_again(database: Database) -> None:
    slot_id = await make_slot(database)
    booking_id = await make_booking(database, slot_id)
    await run(database, change_booking(booking_id, state=BookingState.CANCELLED))
    assert await refused_by(database, new_booking(slot_id)) is None


@pytest.mark.parametrize("seat", [-1, 0, 3])
async def test_a_seat_that_the_slot_does_not_have_is_refused(database: Database, seat: int) -> None:
    slot_id = await make_slot(database, capacity=2)
    booking_id = await make_booking(database, slot_id, seat=2)
    assert await refused_by(database, new_booking(slot_id, seat=seat)) == SEAT
    assert await refused_by(database, change_booking(booking_id, seat=seat)) == SEAT


@pytest.mark.parametrize("status", [SlotStatus.CLOSED, SlotStatus.CANCELLED])
async def test_a_slot_that_is_not_open_takes_no_booking(database: Database, status: SlotStatus) -> None:
    slot_id = await make_slot(database, status=status)
    open_slot_id = await make_slot(database)
    booking_id = await make_booking(database, open_slot_id)
    assert await refused_by(database, new_booking(slot_id)) == SLOT_OPEN
    assert await refused_by(database, change_booking(booking_id, slot_id=slot_id)) == SLOT_OPEN


async def test_a_booking_begins_held_or_booked_and_at_version_one(database: Database) -> None:
    slot_id = await make_slot(database)
    refused = {end: await refused_by(database, new_booking(slot_id, **state(end))) for end in LAST_STEP_FROM}
    assert refused == dict.fromkeys(LAST_STEP_FROM, NEW)
    assert await refused_by(database, new_booking(slot_id, version=2)) == NEW
    assert await refused_by(database, new_booking(slot_id, **state(HELD))) is None


@pytest.mark.parametrize("start", BookingState)
async def test_a_booking_takes_the_legal_steps_and_no_other(database: Database, start: BookingState) -> None:
    taken = set()
    for to in BookingState:
        slot_id = await make_slot(database)
        booking_id = await make_booking(database, slot_id, **state(LAST_STEP_FROM.get(start, start)))
        if start in LAST_STEP_FROM:
            await run(database, change_booking(booking_id, **state(start)))
        if (refused := await refused_by(database, change_booking(booking_id, **state(to)))) is None:
            taken.add(to)
        else:
            assert refused == TRANSITION
    assert taken == LEGAL[start]


@pytest.mark.parametrize("version", [0, 1, 3])
async def test_a_version_that_does_not_rise_by_one_is_refused(database: Database, version: int) -> None:
    booking_id = await make_booking(database, await make_slot(database))
    assert await refused_by(database, change_booking(booking_id, version=version)) == TRANSITION
