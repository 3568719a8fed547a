"""What else is free: told to whoever is refused a seat."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from app.consultations import slots
from app.consultations.errors import SlotTaken
from app.consultations.policies import Policy
from app.consultations.tables import SlotStatus
from app.core.brief import BriefMemory
from app.core.db import Database
from app.core.settings import Settings
from tests.lives import run_out
from tests.pages import publish
from tests.rows import change_slot, run
from tests.test_slot_lists import make_past
from tests.wishes import act, book, booking_wish, hold, new_key, post_slot, refusal

CONDITION, CATEGORY = "acute-lymphoblastic-leukemia", "hematologic-malignancies"
SIBLING, STRANGER, STRANGE_CATEGORY = "synthetic-sibling", "synthetic-condition", "synthetic-category"


async def refused(client: httpx.AsyncClient, slot_id: str, **wish: Any) -> list[str]:
    """The ids of the slots that are offered instead of this one."""
    answer = await client.post("/consultation-bookings", json=booking_wish(slot_id, **wish), headers=new_key())
    assert refusal(answer) == (409, "slot-taken")
    return [slot["id"] for slot in answer.json()["alternatives"]]


async def full_slot(client: httpx.AsyncClient, admin: dict[str, str], **topic: str) -> str:
    """The id of a slot whose only seat is taken."""
    slot = await post_slot(client, admin, days=20, **topic)
    await book(client, slot["id"])
    return str(slot["id"])


async def test_what_is_offered_is_for_the_same_condition(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(
        database, SIBLING, category={"slug": CATEGORY, "name": "Hematologic Malignancies"}, treatment_options=[]
    )
    await publish(database, STRANGER)
    topics: tuple[dict[str, str], ...] = (
        {"condition": CONDITION},
        {"condition": SIBLING},
        {"category": CATEGORY},
        {"condition": STRANGER},
        {"category": STRANGE_CATEGORY},
        {},
    )
    own, sibling, group, stranger, strange_group, anything = [
        (await post_slot(client, admin, days=days, **topic))["id"] for days, topic in enumerate(topics, start=1)
    ]
    assert await refused(client, await full_slot(client, admin, condition=CONDITION)) == [own, group, anything]
    assert await refused(client, await full_slot(client, admin, condition=STRANGER)) == [
        stranger,
        strange_group,
        anything,
    ]
    # Somebody who has said what it is about is offered what is for that.
    for topic in ({"category": CATEGORY}, {}):
        full = await full_slot(client, admin, **topic)
        assert await refused(client, full, condition=SIBLING) == [sibling, group, anything]
    # Somebody who has not is offered what the slot was for.
    assert await refused(client, await full_slot(client, admin, category=CATEGORY)) == [group, anything]
    assert await refused(client, await full_slot(client, admin)) == [anything]


async def test_what_is_offered_can_be_booked_at_most_five_and_soonest_first(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    full = await full_slot(client, admin)
    location = {"slug": "notice", "name": "-", "time_zone": "Europe/Berlin", "policy": {"min_notice_minutes": 2 * 1440}}
    assert (await client.post("/locations", json=location, headers=admin)).status_code == 201
    taken, held, over, partly, closed, cancelled, past, near = [
        await post_slot(client, admin, days=1 + number / 10, capacity=2 if number == 3 else 1, **place)
        for number, place in enumerate([{}] * 7 + [{"location": "notice"}])
    ]
    for slot in (taken, partly):
        await book(client, slot["id"])
    await hold(client, held["id"])
    await run_out(database, await hold(client, over["id"]))
    await run(database, change_slot(closed["id"], status=SlotStatus.CLOSED))
    await run(database, change_slot(cancelled["id"], status=SlotStatus.CANCELLED))
    await make_past(database, past["id"])
    later = [(await post_slot(client, admin, days=days))["id"] for days in (8, 6, 4, 2, 10)]
    offered = await refused(client, full)
    assert offered == [over["id"], partly["id"], later[3], later[2], later[1]]
    assert near["id"] not in offered
    # As good as listed: each of them can be booked now, and looks the same.
    answer = await client.post("/consultation-bookings", json=booking_wish(full), headers=new_key())
    items = (await client.get("/consultation-slots?limit=5")).json()["items"]
    assert answer.json()["alternatives"] == items
    for slot_id in offered:
        await book(client, slot_id)
    assert await refused(client, full) == [later[0], later[4]]


async def test_the_refused_slot_is_not_offered_itself_though_a_seat_was_let_go_of_meanwhile(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    refused_slot, free = [UUID((await post_slot(client, admin, days=days))["id"]) for days in (1, 2)]
    wanted = {"refused_ids": [refused_slot], "condition_id": None, "category_id": None}

    async def refuse() -> None:
        async with slots.alternatives_offered(database, BriefMemory(database), policy=Policy.of_hospital(settings)):
            raise SlotTaken(wanted=wanted)

    with pytest.raises(SlotTaken) as told:
        await refuse()
    assert [slot["id"] for slot in told.value.extra["alternatives"]] == [str(free)]


async def test_who_cannot_be_moved_is_told_what_else_is_free(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    full = await full_slot(client, admin)
    booking = await book(client, (await post_slot(client, admin, days=1))["id"])
    free = await post_slot(client, admin, days=2)
    answer = await act(client, booking, "reschedule", {"slot_id": full})
    assert (refusal(answer), answer.json()["reason"]) == ((409, "slot-taken"), "taken")
    assert answer.json()["alternatives"] == [free]
    assert set(answer.json()) == {
        "type", "title", "status", "detail", "code", "request_id", "reason", "alternatives",
    }  # fmt: skip
