"""The guards of slots, and of what is never rewritten, each met by hand."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, update
from sqlmodel import SQLModel

from app.access.tables import AuditEntry
from app.consultations.schedule_tables import Room
from app.consultations.tables import BookingEvent, BookingState, Clinician, Location, SlotStatus
from app.content.tables import ConditionRevision
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from tests.rows import (
    change_booking,
    change_slot,
    everything,
    make_booking,
    make_slot,
    new_booking,
    new_slot,
    refused_by,
    run,
)

IN_USE = "ck_consultation_slots_seats_in_use"
OVERLAP = "ex_consultation_slots_clinician_overlap"
ROOM_OVERLAP = "ex_consultation_slots_room_overlap"
HOUR = timedelta(hours=1)


async def make_clinician(database: Database) -> UUID:
    """Put a clinician there; returns the id."""
    clinician_id = new_id()
    await run(database, insert(Clinician).values(id=clinician_id, slug="synthetic", name="Synthetic"))
    return clinician_id


async def make_room(database: Database) -> UUID:
    """Put a location with one room there; returns the room's id."""
    location_id, room_id = new_id(), new_id()
    place = {"slug": "synthetic", "name": "Synthetic"}
    await run(database, insert(Location).values(id=location_id, time_zone="UTC", **place))
    await run(database, insert(Room).values(id=room_id, location_id=location_id, **place))
    return room_id


async def test_a_cancelled_slot_stays_cancelled_and_a_closed_one_may_open(database: Database) -> None:
    cancelled, closed = await make_slot(database), await make_slot(database)
    await run(database, change_slot(cancelled, status=SlotStatus.CANCELLED))
    await run(database, change_slot(closed, status=SlotStatus.CLOSED))
    assert await refused_by(database, change_slot(cancelled, status=SlotStatus.OPEN)) == (
        "ck_consultation_slots_transition"
    )
    assert await refused_by(database, change_slot(closed, status=SlotStatus.OPEN)) is None


async def test_a_slot_with_live_bookings_keeps_its_time_its_seats_and_its_life(database: Database) -> None:
    slot_id = await make_slot(database, capacity=3)
    booking_id = await make_booking(database, slot_id, seat=2)
    later = clock.now() + timedelta(days=2)
    harmful: dict[str, dict[str, Any]] = {
        "fewer seats": {"capacity": 1},
        "cancelled": {"status": SlotStatus.CANCELLED},
        "begins earlier": {"starts_at": clock.now()},
        "ends later": {"ends_at": later},
    }
    refused = {name: await refused_by(database, change_slot(slot_id, **change)) for name, change in harmful.items()}
    assert refused == dict.fromkeys(harmful, IN_USE)
    assert await refused_by(database, change_slot(slot_id, capacity=2, status=SlotStatus.CLOSED)) is None
    await run(database, change_booking(booking_id, state=BookingState.CANCELLED))
    assert await refused_by(database, change_slot(slot_id, capacity=1, ends_at=later)) is None


@pytest.mark.parametrize("whose", ["clinician_id", "room_id"])
async def test_slots_of_a_clinician_or_a_room_may_touch_but_not_overlap(database: Database, whose: str) -> None:
    one = await (make_clinician if whose == "clinician_id" else make_room)(database)
    refusal = OVERLAP if whose == "clinician_id" else ROOM_OVERLAP
    begin = clock.now() + timedelta(days=1)
    first = {whose: one, "starts_at": begin, "ends_at": begin + HOUR}
    second_id, third_id = new_id(), new_id()
    second = {**first, "starts_at": begin + HOUR, "ends_at": begin + 2 * HOUR}
    overlapping = {**first, "starts_at": begin + timedelta(minutes=59), "ends_at": begin + timedelta(minutes=60)}
    assert await refused_by(database, new_slot(**first)) is None
    assert await refused_by(database, new_slot(id=second_id, **second)) is None
    assert await refused_by(database, new_slot(**overlapping)) == refusal
    assert await refused_by(database, new_slot(**overlapping, status=SlotStatus.CLOSED)) == refusal
    assert await refused_by(database, new_slot(**overlapping, status=SlotStatus.CANCELLED)) is None
    assert await refused_by(database, new_slot(id=third_id, **overlapping | {whose: None})) is None
    assert await refused_by(database, change_slot(third_id, **{whose: one})) == refusal
    assert await refused_by(database, change_slot(second_id, starts_at=overlapping["starts_at"])) == refusal
    assert await refused_by(database, change_slot(second_id, ends_at=begin + 3 * HOUR)) is None
    # One inside of another, and one around it.
    inside = {**first, "starts_at": begin + timedelta(minutes=10), "ends_at": begin + timedelta(minutes=20)}
    assert await refused_by(database, new_slot(**inside)) == refusal
    around = {**first, "starts_at": begin - HOUR, "ends_at": begin + 4 * HOUR}
    assert await refused_by(database, new_slot(**around)) == refusal


@pytest.mark.parametrize("whose", ["clinician_id", "room_id"])
async def test_slots_overlap_with_a_reason_and_the_reason_cannot_be_taken_away(database: Database, whose: str) -> None:
    one = await (make_clinician if whose == "clinician_id" else make_room)(database)
    refusal = OVERLAP if whose == "clinician_id" else ROOM_OVERLAP
    second_id = new_id()
    assert await refused_by(database, new_slot(**{whose: one})) is None
    assert await refused_by(database, new_slot(id=second_id, overlap_reason="Synthetic", **{whose: one})) is None
    assert await refused_by(database, change_slot(second_id, overlap_reason=None)) == refusal
    # What was laid aside is in nobody's way, and comes back only where nothing else is.
    old_id = new_id()
    assert await refused_by(database, new_slot(id=old_id, archived_at=clock.now(), **{whose: one})) is None
    assert await refused_by(database, change_slot(old_id, archived_at=None)) == refusal


async def test_a_slot_knows_its_begin_on_the_clock_of_its_zone(database: Database) -> None:
    assert await refused_by(database, new_slot(local_date=None)) == "ck_consultation_slots_local_time"
    assert await refused_by(database, new_slot(local_minute=None)) == "ck_consultation_slots_local_time"


async def test_of_two_overlapping_slots_posted_at_once_the_second_waits_and_is_refused(database: Database) -> None:
    clinician_id = await make_clinician(database)
    async with database.write() as first:
        await first.exec(new_slot(clinician_id=clinician_id))
        second = asyncio.create_task(refused_by(database, new_slot(clinician_id=clinician_id)))
        await asyncio.sleep(0.2)
        assert not second.done()
    assert await second == OVERLAP


async def test_a_slot_cannot_be_cancelled_under_a_booking_that_is_being_made(database: Database) -> None:
    slot_id = await make_slot(database)
    async with database.write() as booking:
        await booking.exec(new_booking(slot_id))
        cancelling = asyncio.create_task(refused_by(database, change_slot(slot_id, status=SlotStatus.CANCELLED)))
        await asyncio.sleep(0.2)
        assert not cancelling.done()
    assert await cancelling == IN_USE


async def test_a_slot_that_is_being_cancelled_takes_no_booking(database: Database) -> None:
    slot_id = await make_slot(database)
    async with database.write() as cancelling:
        await cancelling.exec(change_slot(slot_id, status=SlotStatus.CANCELLED))
        booking = asyncio.create_task(refused_by(database, new_booking(slot_id)))
        await asyncio.sleep(0.2)
        assert not booking.done()
    assert await booking == "ck_consultation_bookings_slot_open"


@pytest.mark.parametrize("table", [AuditEntry, BookingEvent, ConditionRevision])
async def test_what_was_written_down_stays(database: Database, table: type[SQLModel]) -> None:
    booking_id = await make_booking(database, await make_slot(database))
    event = {
        "booking_id": booking_id,
        "version": 1,
        "to_state": BookingState.BOOKED,
        "actor": "nobody",
        "at": clock.now(),
    }
    await run(database, insert(BookingEvent).values(event))
    before = await everything(database, table)
    assert before
    name = f"ck_{table.__tablename__}_{'immutable' if table is ConditionRevision else 'append_only'}"
    column = next(iter(table.__table__.columns))  # type: ignore[attr-defined]
    assert await refused_by(database, update(table).values({column: column})) == name
    assert await refused_by(database, delete(table)) == name
    assert await everything(database, table) == before
