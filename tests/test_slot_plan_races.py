"""A plan is applied while others act: whoever comes first, all of it is done, or nothing."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.consultations import bookings, slot_plans, slots
from app.consultations.bookings import NewBooking
from app.consultations.policies import Policy
from app.consultations.reasons import CancellationReason
from app.consultations.tables import ConsultationSlot
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.clinics import open_clinic
from tests.drills.crashing import IN_COMMIT, VARIABLE
from tests.processes import serving
from tests.rows import everything, new_slot
from tests.slot_plans import apply, assert_sound, make, slot_now, snapshot
from tests.wishes import act, book, booking_wish, new_key, post_slot, read, refusal

BY = "api_key:synthetic"
CRASHING = Path(__file__).parent / "drills" / "crashing.py"
# Longer than it takes to answer, and shorter than anybody waits for a lock.
A_WHILE = 0.4
STALE = (409, "plan-stale")


async def waits(task: "asyncio.Task[Any]") -> bool:
    """Whether it has not come to an end in a while."""
    await asyncio.wait({task}, timeout=A_WHILE)
    return not task.done()


async def test_the_same_plan_applied_by_several_at_once_is_done_once(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    booking = await book(client, slot["id"])
    plan = await make(client, admin, "move", [slot], "move", shift_minutes=30)
    answers = await asyncio.gather(*(apply(client, admin, plan) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert (await read(client, booking))["version"] == 2
    await assert_sound(database)


@pytest.mark.parametrize("fate", ["move", "cancel"])
async def test_of_plans_that_touch_the_same_exactly_one_is_applied(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, fate: str
) -> None:
    for _ in range(3):
        shared, mine, theirs = [await post_slot(client, admin) for _ in range(3)]
        booking = await book(client, shared["id"])
        plans = [
            await make(client, admin, "move", [shared, mine], fate, shift_minutes=30),
            await make(client, admin, "move", [theirs, shared], fate, shift_minutes=-30),
        ]
        answers = await asyncio.gather(*(apply(client, admin, plan) for plan in plans))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        (lost,) = (answer for answer in answers if answer.status_code == 409)
        assert refusal(lost) == STALE
        # Nothing of the one that lost was done.
        own = (mine, theirs)[answers.index(lost)]
        assert (await slot_now(client, own))["version"] == 1
        assert (await read(client, booking))["version"] == 2
    await assert_sound(database)


async def test_plans_that_want_the_same_seat_do_not_both_get_it(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    first, second = [await post_slot(client, admin) for _ in range(2)]
    free = await post_slot(client, admin, days=31)
    booked = [await book(client, slot["id"]) for slot in (first, second)]
    plans = [await make(client, admin, "close", [slot], "move") for slot in (first, second)]
    answers = await asyncio.gather(*(apply(client, admin, plan) for plan in plans))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    places = [(await read(client, booking))["slot"]["id"] for booking in booked]
    assert places.count(free["id"]) == 1
    await assert_sound(database)


Step = Callable[[httpx.AsyncClient, dict[str, Any], str], Awaitable[httpx.Response]]


async def _reschedules(client: httpx.AsyncClient, booking: dict[str, Any], slot_id: str) -> httpx.Response:
    return await act(client, booking, "reschedule", {"slot_id": slot_id})


async def _cancels(client: httpx.AsyncClient, booking: dict[str, Any], _slot_id: str) -> httpx.Response:
    return await act(client, booking, "cancel")


@pytest.mark.parametrize("step", [_reschedules, _cancels])
async def test_a_patient_who_acts_while_a_plan_is_applied_waits_and_acts_on_what_it_left(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, step: Step
) -> None:
    slot, other = [await post_slot(client, admin, days=days) for days in (30, 40)]
    booking = await book(client, slot["id"])
    plan = await make(client, admin, "move", [slot], "move", shift_minutes=30)
    async with database.write() as session:
        await slot_plans.apply(session, UUID(plan["id"]), by=BY)
        task = asyncio.ensure_future(step(client, booking, other["id"]))
        assert await waits(task)
    assert (await task).status_code == 200
    seen = await read(client, booking)
    home = plan["slots"][0]["moved_to"]["slot_id"]
    assert seen["version"] == 3
    assert (seen["state"], seen["slot"]["id"]) == (
        ("booked", other["id"]) if step is _reschedules else ("cancelled", home)
    )
    await assert_sound(database)


@pytest.mark.parametrize("step", ["books", "cancels", "reschedules"])
async def test_a_plan_that_is_applied_while_a_patient_acts_waits_and_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings, step: str
) -> None:
    slot, other = [await post_slot(client, admin, days=days, capacity=2) for days in (30, 40)]
    booking, policy = await book(client, slot["id"]), Policy.of_hospital(settings)
    plan = await make(client, admin, "cancel", [slot], "cancel")
    async with database.write() as session:
        if step == "books":
            row = await slots.lock(session, UUID(slot["id"]))
            await bookings.book(session, NewBooking(new_id(), None), row, policy=policy, by="anonymous")
        elif step == "cancels":
            mine = await bookings.get(session, booking["reference"], lock=True)
            reason = CancellationReason.PATIENT
            await bookings.cancel(session, mine, reason=reason, policy=policy, staff=False, by="booking_holder")
        else:
            row = await slots.lock(session, UUID(other["id"]))
            mine = await bookings.get(session, booking["reference"], lock=True)
            await bookings.reschedule(session, mine, row, None, policy=policy, past_policy=False, by="booking_holder")
        task = asyncio.create_task(apply(client, admin, plan))
        assert await waits(task)
    assert refusal(await task) == STALE
    assert (await slot_now(client, slot))["status"] == "open"


async def test_a_plan_that_wants_a_time_that_somebody_is_posting_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    slot = await post_slot(client, admin, clinician="dr-rivera")
    booking = await book(client, slot["id"])
    plan = await make(client, admin, "move", [slot], "move", shift_minutes=60)
    (row,) = await everything(database, ConsultationSlot)
    time = {name: row[name] + timedelta(minutes=60) for name in ("starts_at", "ends_at")}
    async with database.write() as session:
        await session.exec(new_slot(clinician_id=row["clinician_id"], **time))
        task = asyncio.create_task(apply(client, admin, plan))
        assert await waits(task)
    # On PostgreSQL it is the schema that keeps them apart.
    assert refusal(await task) == (STALE if database.writer is not None else (409, "slot-overlaps"))
    assert (await read(client, booking))["slot"]["id"] == slot["id"]
    assert [(await slot_now(client, slot))[name] for name in ("status", "version")] == ["open", 1]
    await assert_sound(database)


async def test_who_books_another_slot_does_not_wait_for_a_plan(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    if database.writer is not None:
        pytest.skip("on SQLite one transaction writes at a time")
    slot, other = [await post_slot(client, admin) for _ in range(2)]
    await book(client, slot["id"])
    plan = await make(client, admin, "cancel", [slot], "offer")
    async with database.write() as session:
        await slot_plans.apply(session, UUID(plan["id"]), by=BY)
        # Not even who books what the plan offers.
        await book(client, other["id"])
        wish = booking_wish(slot["id"])
        task = asyncio.create_task(client.post("/consultation-bookings", json=wish, headers=new_key()))
        assert await waits(task)
    assert refusal(await task) == (409, "slot-taken")


@pytest.mark.parametrize("point", ["before the last rows are written", "after the last rows are written", IN_COMMIT])
async def test_a_process_that_is_killed_while_it_applies_a_plan_leaves_nothing_of_it_or_all(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings, tmp_path: Path, point: str
) -> None:
    slots = [await post_slot(client, admin) for _ in range(3)]
    booked = [await book(client, slot["id"]) for slot in slots]
    plan = await make(client, admin, "move", slots, "move", shift_minutes=45)
    before = await snapshot(database)
    told = tmp_path / "point"
    command, environment = (sys.executable, CRASHING), {VARIABLE: str(told)}
    with serving(settings, tmp_path, command=command, environment=environment) as served:
        told.write_text(point)
        async with httpx.AsyncClient(base_url=served.address, trust_env=False) as other:
            # It may have been answered a moment before.
            with suppress(httpx.TransportError):
                await apply(other, admin, plan)
        assert served.process.wait(10) == -9
    told.unlink()
    is_done = (await slot_now(client, slots[0]))["status"] == "cancelled"
    assert is_done or await snapshot(database) == before
    assert not is_done or point == IN_COMMIT
    # Whoever asks again is answered, and it is done once.
    assert (await apply(client, admin, plan)).status_code == 200
    assert [(await read(client, booking))["version"] for booking in booked] == [2, 2, 2]
    await assert_sound(database)
