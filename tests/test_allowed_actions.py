"""What a booking says can be done with it can be, and nothing else."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert

from app.consultations.policies import BookingAction
from app.consultations.tables import BookingState, Location
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from tests.lives import HELD, STALE, put_booking, put_ended, row_of
from tests.rows import make_slot, run
from tests.wishes import act, confirmation, read

CONFIRM, CANCEL, RESCHEDULE, FULFIL, NO_SHOW = BookingAction
HELD_STATES = [CONFIRM, CANCEL]
HOUR = timedelta(hours=1)


async def slot_for(database: Database, *, begins: timedelta = 2 * HOUR, **policy: int) -> UUID:
    """A slot that begins then, at a location with this policy."""
    location = new_id()
    values = {"id": location, "slug": f"at-{location}", "name": "-", "time_zone": "UTC"} | policy
    await run(database, insert(Location).values(values))
    at = clock.now() + begins
    return await make_slot(database, starts_at=at, ends_at=at + HOUR, location_id=location)


Make = Callable[[Database], Awaitable[dict[str, Any]]]
# A booking in each situation, and what its holder and staff can do with it.
SITUATIONS: dict[str, tuple[Make, list[BookingAction], list[BookingAction]]] = {}


def situation(holder: list[BookingAction], staff: list[BookingAction]) -> Callable[[Make], None]:
    """Name a situation by its function."""

    def remember(make: Make) -> None:
        SITUATIONS[make.__name__] = make, holder, staff

    return remember


@situation(HELD_STATES, HELD_STATES)
async def held(database: Database) -> dict[str, Any]:
    return await put_booking(database, await slot_for(database), **HELD)


@situation(HELD_STATES, HELD_STATES)
async def held_and_late(database: Database) -> dict[str, Any]:
    slot_id = await slot_for(database, cancel_until_minutes=1440, reschedule_until_minutes=1440)
    return await put_booking(database, slot_id, **HELD)


@situation([], [])
async def held_for_too_long(database: Database) -> dict[str, Any]:
    return await put_booking(database, await slot_for(database), **STALE)


@situation([CANCEL, RESCHEDULE], [CANCEL, RESCHEDULE])
async def booked(database: Database) -> dict[str, Any]:
    return await put_booking(database, await slot_for(database))


@situation([RESCHEDULE], [CANCEL, RESCHEDULE])
async def too_late_to_cancel(database: Database) -> dict[str, Any]:
    return await put_booking(database, await slot_for(database, cancel_until_minutes=121))


@situation([CANCEL], [CANCEL])
async def too_late_to_reschedule(database: Database) -> dict[str, Any]:
    return await put_booking(database, await slot_for(database, reschedule_until_minutes=121))


@situation([CANCEL], [CANCEL])
async def rescheduled_often(database: Database) -> dict[str, Any]:
    return await put_booking(database, await slot_for(database, max_reschedules=2), reschedule_count=2)


@situation([], [CANCEL, FULFIL, NO_SHOW])
async def begun(database: Database) -> dict[str, Any]:
    return await put_booking(database, await slot_for(database, begins=-HOUR / 2))


@situation([], [CANCEL, FULFIL, NO_SHOW])
async def over(database: Database) -> dict[str, Any]:
    return await put_booking(database, await slot_for(database, begins=-2 * HOUR))


@situation([], [])
async def fulfilled(database: Database) -> dict[str, Any]:
    return await put_ended(database, await slot_for(database, begins=-HOUR), BookingState.FULFILLED)


@situation([], [])
async def no_show(database: Database) -> dict[str, Any]:
    return await put_ended(database, await slot_for(database, begins=-HOUR), BookingState.NO_SHOW)


@situation([], [])
async def cancelled(database: Database) -> dict[str, Any]:
    return await put_ended(database, await slot_for(database), BookingState.CANCELLED)


@situation([], [])
async def expired(database: Database) -> dict[str, Any]:
    return await put_ended(database, await slot_for(database), BookingState.EXPIRED)


# What was done already may be asked for again: it is done, and changes nothing.
DONE = {("cancelled", CANCEL), ("fulfilled", FULFIL), ("no_show", NO_SHOW)}


@pytest.mark.parametrize("name", SITUATIONS)
@pytest.mark.parametrize("is_staff", [False, True], ids=["holder", "staff"])
async def test_what_is_allowed_can_be_done_and_nothing_else(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, name: str, is_staff: bool
) -> None:
    make, for_holder, for_staff = SITUATIONS[name]
    allowed = for_staff if is_staff else for_holder
    headers = admin if is_staff else None
    new = {"slot_id": str(await make_slot(database, capacity=5))}
    wishes = {CONFIRM: confirmation(), RESCHEDULE: new}
    done = []
    for action in BookingAction:
        booking = await make(database)
        assert (await read(client, booking, headers=headers))["allowed_actions"] == allowed
        before = await row_of(database, booking)
        answer = await act(client, booking, action, wishes.get(action), headers=headers)
        after = await row_of(database, booking)
        told = (action, answer.status_code, after["version"] - before["version"])
        if action in allowed:
            assert told == (action, 200, 1)
        elif (name, action) in DONE and (is_staff or action is CANCEL):
            assert (told, after) == ((action, 200, 0), before)
        else:
            assert answer.status_code in (403, 409)
            assert after == before
        done.append(action)
    assert done == list(BookingAction)
