"""A plan is applied as long as the world is as it was when the plan was made; else nothing is done."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from app.consultations import plan_queries
from app.consultations.schedule_tables import SlotPlan
from app.core import clock
from app.core.db import Database
from tests.clinics import open_clinic
from tests.lives import row_of, run_out
from tests.rows import change_booking, run
from tests.slot_plans import all_bookings, apply, assert_sound, carry_out, later, make, snapshot
from tests.wishes import act, book, confirmation, hold, post_slot, read, refusal

Change = Callable[[httpx.AsyncClient, dict[str, str], dict[str, Any]], Awaitable[Any]]
STALE = (409, "plan-stale")


async def _another_books(client: httpx.AsyncClient, _admin: dict[str, str], has: dict[str, Any]) -> Any:
    return await book(client, has["slot"]["id"])


async def _another_holds(client: httpx.AsyncClient, _admin: dict[str, str], has: dict[str, Any]) -> Any:
    return await hold(client, has["slot"]["id"])


async def _one_cancels(client: httpx.AsyncClient, _admin: dict[str, str], has: dict[str, Any]) -> Any:
    return await act(client, has["booking"], "cancel")


async def _one_leaves(client: httpx.AsyncClient, _admin: dict[str, str], has: dict[str, Any]) -> Any:
    return await act(client, has["booking"], "reschedule", {"slot_id": has["far"]["id"]})


async def _one_comes(client: httpx.AsyncClient, _admin: dict[str, str], has: dict[str, Any]) -> Any:
    return await act(client, has["stranger"], "reschedule", {"slot_id": has["slot"]["id"]})


async def _a_hold_is_confirmed(client: httpx.AsyncClient, _admin: dict[str, str], has: dict[str, Any]) -> Any:
    return await act(client, has["held"], "confirm", confirmation())


async def _the_slot_is_closed(client: httpx.AsyncClient, admin: dict[str, str], has: dict[str, Any]) -> Any:
    return await client.post(f"/consultation-slots/{has['slot']['id']}/close", headers=admin | {"If-Match": "*"})


async def _another_plan_is_applied(client: httpx.AsyncClient, admin: dict[str, str], has: dict[str, Any]) -> Any:
    return await carry_out(client, admin, "close", [has["slot"]], "keep")


async def _the_filter_finds_more(client: httpx.AsyncClient, admin: dict[str, str], _has: dict[str, Any]) -> Any:
    return await post_slot(client, admin, days=29, clinician="dr-rivera")


async def _the_target_is_taken(client: httpx.AsyncClient, _admin: dict[str, str], has: dict[str, Any]) -> Any:
    return await book(client, has["target"]["id"])


async def _the_target_is_closed(client: httpx.AsyncClient, admin: dict[str, str], has: dict[str, Any]) -> Any:
    return await client.post(f"/consultation-slots/{has['target']['id']}/close", headers=admin | {"If-Match": "*"})


CHANGES: tuple[Change, ...] = (
    _another_books, _another_holds, _one_cancels, _one_leaves, _one_comes, _a_hold_is_confirmed, _the_slot_is_closed,
    _another_plan_is_applied, _the_filter_finds_more,
)  # fmt: skip
OF_TARGETS: tuple[Change, ...] = (_the_target_is_taken, _the_target_is_closed)
WAYS = {
    "close and keep": ("close", "keep", CHANGES),
    "move and move": ("move", "move", CHANGES),
    "close and move": ("close", "move", OF_TARGETS),
    "cancel and offer": ("cancel", "offer", OF_TARGETS),
}


async def furnish(client: httpx.AsyncClient, admin: dict[str, str]) -> dict[str, Any]:
    """A slot with a booking and a hold, a slot where the booking can go, and others elsewhere."""
    await open_clinic(client, admin)
    slot = await post_slot(client, admin, clinician="dr-rivera", capacity=5)
    target = await post_slot(client, admin, days=31, clinician="dr-wu")
    far = await post_slot(client, admin, days=32, capacity=5, mode="phone")
    return {
        "slot": slot,
        "target": target,
        "far": far,
        "booking": await book(client, slot["id"]),
        "held": await hold(client, slot["id"]),
        "stranger": await book(client, far["id"]),
    }


async def plan_for(client: httpx.AsyncClient, admin: dict[str, str], action: str, bookings: str) -> dict[str, Any]:
    """A plan of all slots of the clinician."""
    change = {"shift_minutes": 60} if action == "move" else {}
    return await make(client, admin, action, None, bookings, filter={"clinician": "dr-rivera"}, **change)


@pytest.mark.parametrize(
    ("action", "bookings", "change"),
    [(action, fate, change) for action, fate, changes in WAYS.values() for change in changes],
    ids=[f"{name}: {change.__name__[1:]}" for name, (_, _, changes) in WAYS.items() for change in changes],
)
async def test_whatever_has_changed_nothing_is_done(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, action: str, bookings: str, change: Change
) -> None:
    has = await furnish(client, admin)
    plan = await plan_for(client, admin, action, bookings)
    if change in OF_TARGETS:
        assert all_bookings(plan)[has["booking"]["reference"]]["target"]["slot_id"] == has["target"]["id"]
    answer = await change(client, admin, has)
    assert not isinstance(answer, httpx.Response) or answer.status_code == 200, answer.text
    before = await snapshot(database)
    assert refusal(await apply(client, admin, plan)) == STALE
    assert await snapshot(database) == before
    await assert_sound(database)


async def test_what_others_do_elsewhere_and_holds_that_end_are_no_change(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    has = await furnish(client, admin)
    plan = await plan_for(client, admin, "close", "move")
    assert plan["totals"]["bookings_cancelled"] == 1
    await act(client, has["held"], "cancel")
    await book(client, has["far"]["id"])
    await post_slot(client, admin, days=30, clinician="dr-wu")
    done = await apply(client, admin, plan)
    assert (done.status_code, done.json()["totals"]["bookings_cancelled"]) == (200, 0)
    assert (await read(client, has["booking"]))["slot"]["id"] == has["target"]["id"]
    await assert_sound(database)


async def test_a_hold_that_is_over_on_the_way_to_its_target_is_in_nobodys_way(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    has = await furnish(client, admin)
    over = await hold(client, has["target"]["id"])
    await run_out(database, over)
    await run_out(database, has["held"])
    plan = await plan_for(client, admin, "close", "move")
    assert set(all_bookings(plan)) == {has["booking"]["reference"]}
    assert (await apply(client, admin, plan)).status_code == 200
    assert (await read(client, has["booking"]))["slot"]["id"] == has["target"]["id"]
    assert [(await read(client, each))["state"] for each in (over, has["held"])] == ["expired"] * 2


async def test_a_hold_that_ends_while_the_plan_waits_for_a_lock_is_in_nobodys_way(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    has = await furnish(client, admin)
    plan = await plan_for(client, admin, "close", "move")
    held, lock_bookings = await hold(client, has["target"]["id"]), plan_queries.lock_bookings
    booking_id = (await row_of(database, held))["id"]
    await run(database, change_booking(booking_id, hold_expires_at=clock.now() + timedelta(seconds=1)))

    async def lock_and_wait(*asked: Any) -> Any:
        found = await lock_bookings(*asked)
        await asyncio.sleep(1)
        return found

    monkeypatch.setattr(plan_queries, "lock_bookings", lock_and_wait)
    assert (await apply(client, admin, plan)).status_code == 200
    assert (await read(client, has["booking"]))["slot"]["id"] == has["target"]["id"]
    assert (await read(client, held))["state"] == "expired"


async def test_somebody_is_in_the_way_at_the_new_time_by_then(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    has = await furnish(client, admin)
    plan = await make(client, admin, "move", [has["slot"]], "move", shift_minutes=60)
    assert plan["slots"][0]["becomes"] == "moved"
    start, end = (later(has["slot"], minutes) for minutes in (70, 90))
    await post_slot(client, admin, starts_at=start, ends_at=end, clinician="dr-rivera")
    before = await snapshot(database)
    assert refusal(await apply(client, admin, plan)) == STALE
    assert await snapshot(database) == before


async def test_a_plan_is_applied_once_and_answers_the_same_again(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    has = await furnish(client, admin)
    plan = await plan_for(client, admin, "move", "move")
    first = await apply(client, admin, plan)
    await book(client, plan["slots"][0]["moved_to"]["slot_id"])
    before = await snapshot(database)
    # Also when its time is over.
    await run(database, update(SlotPlan).values(expires_at=clock.now() - timedelta(hours=1)))
    second = await apply(client, admin, plan)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    now = [[row for row in rows if "fingerprint" not in row] for rows in await snapshot(database)]
    assert now == [[row for row in rows if "fingerprint" not in row] for rows in before]
    seen = (await client.get(f"/slot-plans/{plan['id']}", headers=admin)).json()
    assert seen["applied"] == first.json()
    assert seen["slots"] == plan["slots"]
    assert (await read(client, has["booking"]))["version"] == 2


async def test_a_plan_that_was_not_applied_in_time_is_not_applied(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await furnish(client, admin)
    plan = await plan_for(client, admin, "close", "keep")
    await run(database, update(SlotPlan).where(col(SlotPlan.applied_at).is_(None)).values(expires_at=clock.now()))
    before = await snapshot(database)
    assert refusal(await apply(client, admin, plan)) == (409, "plan-expired")
    assert await snapshot(database) == before
