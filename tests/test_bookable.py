"""What is listed is bookable, and nothing else is: of every kind of slot, to the last seat."""

from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from app.consultations.tables import Location, SlotStatus
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.doors import started
from tests.lives import HELD, STALE
from tests.rows import change_slot, make_booking, make_slot, run
from tests.wishes import booking_wish, hold_wish, new_key, seats_free

# Minutes until a slot begins, minutes of notice that its location wants, its status, and what its two seats have seen.
BEGINS = (-30, 30, 90, 240)
NOTICES = (None, 0, 60, 180)
SEEN: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "one booked": [{}],
    "both booked": [{}, {"seat": 2}],
    "booked and held": [{}, HELD | {"seat": 2}],
    "booked and held for too long": [{}, STALE | {"seat": 2}],
    "both held for too long": [STALE, STALE | {"seat": 2}],
}
FULL = ("both booked", "booked and held")


async def make_all(database: Database) -> dict[str, tuple[int, int | None, SlotStatus, str]]:
    """A slot of each kind; returns the kinds by the slots' ids."""
    locations: dict[int | None, UUID | None] = {None: None}
    for notice in NOTICES[1:]:
        locations[notice] = new_id()
        values = {"id": locations[notice], "slug": f"notice-{notice}", "name": "-", "time_zone": "UTC"}
        await run(database, insert(Location).values(values | {"min_notice_minutes": notice}))
    made = {}
    for kind in product(BEGINS, NOTICES, SlotStatus, SEEN):
        begins, notice, status, seen = kind
        if (status is SlotStatus.CANCELLED and seen != "nothing") or (status is SlotStatus.CLOSED and "held" in seen):
            continue
        at = clock.now() + timedelta(minutes=begins)
        slot_id = await make_slot(
            database, starts_at=at, ends_at=at + timedelta(hours=1), capacity=2, location_id=locations[notice]
        )
        for booking in SEEN[seen]:
            await make_booking(database, slot_id, **booking)
        if status is not SlotStatus.OPEN:
            await run(database, change_slot(slot_id, status=status))
        made[str(slot_id)] = kind
    return made


@pytest.mark.parametrize(("of_hospital", "make"), [(0, booking_wish), (60, hold_wish)])
async def test_what_is_listed_is_bookable_and_nothing_else_is(
    settings: Settings, database: Database, of_hospital: int, make: Any
) -> None:
    kinds = await make_all(database)
    async with started(settings.model_copy(update={"min_notice_minutes": of_hospital})) as client:
        found = []
        address = "/consultation-slots?limit=100"
        while address:
            page = (await client.get(address)).json()
            found += [slot["id"] for slot in page["items"]]
            address = page.get("next", "")
        expected = {
            slot_id
            for slot_id, (begins, notice, status, seen) in kinds.items()
            if begins > (of_hospital if notice is None else notice) and status is SlotStatus.OPEN and seen not in FULL
        }
        assert expected
        assert {kinds[slot_id] for slot_id in found} == {kinds[slot_id] for slot_id in expected}
        assert {kinds[slot_id] for slot_id in kinds if await seats_free(client, slot_id)} == {
            kinds[i] for i in expected
        }
        told = {}
        for slot_id in kinds:
            answer = await client.post("/consultation-bookings", json=make(slot_id), headers=new_key())
            told[slot_id] = answer.status_code
        assert {kinds[slot_id] for slot_id, status in told.items() if status == 201} == {kinds[i] for i in expected}
        assert set(told.values()) == {201, 409}
