"""Rescheduling: another seat, the same booking."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations.tables import BookingState, PatientDetail, SlotStatus
from app.core.db import Database
from tests.lives import HELD, STALE, actor_of, events_of, put_booking, put_ended, row_of, steps_of
from tests.pages import publish
from tests.rows import change_slot, everything, make_slot, run
from tests.test_slot_lists import make_past
from tests.wishes import act, book, hold, listed, post_slot, read, refusal, seats_free

CONDITION, STRANGER = "acute-lymphoblastic-leukemia", "synthetic-condition"


async def move(client: httpx.AsyncClient, booking: dict[str, Any], slot: dict[str, Any], **how: Any) -> httpx.Response:
    """Ask for another slot."""
    return await act(client, booking, "reschedule", {"slot_id": slot["id"]}, **how)


async def test_a_booking_keeps_its_name_and_its_token_and_changes_its_seat(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    old, new = [await post_slot(client, admin, days=days, condition=CONDITION) for days in (1, 2)]
    booking = await book(client, old["id"])
    details = await everything(database, PatientDetail)
    answer = await move(client, booking, new)
    moved = answer.json()
    assert (answer.status_code, moved["state"], moved["version"]) == (200, "booked", 2)
    assert moved["slot"] == {name: value for name, value in new.items() if name != "seats_free"}
    assert (moved["reschedule_count"], moved["reschedules_left"]) == (1, booking["reschedules_left"] - 1)
    same = ("reference", "condition", "created_at")
    assert {name: moved[name] for name in same} == {name: booking[name] for name in same}
    assert moved["cancel_until"] == moved["reschedule_until"] == new["starts_at"]
    seen = await read(client, booking)
    assert {name: seen[name] for name in moved} == moved
    assert await listed(client) == [old["id"]]
    assert [await seats_free(client, slot["id"]) for slot in (old, new)] == [1, 0]
    first, second = await events_of(database, booking)
    assert (first["previous_slot_id"], str(second["previous_slot_id"])) == (None, old["id"])
    assert (second["from_state"], second["to_state"], second["is_override"]) == ("booked", "booked", False)
    assert second["actor"] == "booking_holder"
    entries = await everything(database, AuditEntry, AuditEntry.action == "booking.rescheduled")
    assert [entry["fields"] for entry in entries] == [["slot_id"]]
    assert await everything(database, PatientDetail) == details


async def test_the_seat_that_it_has_already_is_no_change(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    old, new = [await post_slot(client, admin, days=days) for days in (1, 2)]
    booking = await book(client, old["id"])
    assert (await move(client, booking, old)).json()["version"] == 1
    answers = [await move(client, booking, new) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json() for answer in answers] == [answers[0].json()] * 3
    # Also once nobody else could have it.
    await run(database, change_slot(new["id"], status=SlotStatus.CLOSED))
    assert (await move(client, booking, new)).status_code == 200
    assert [version for version, *_ in await steps_of(database, booking)] == [1, 2]


async def test_of_two_who_want_the_last_seat_the_loser_keeps_what_it_has(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    for day in range(1, 4):
        new = await post_slot(client, admin, days=day)
        rivals = [await book(client, (await post_slot(client, admin, days=10 + day))["id"]) for _ in range(2)]
        before = [await row_of(database, booking) for booking in rivals]
        answers = await asyncio.gather(*(move(client, booking, new) for booking in rivals))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        loser = [answer.status_code for answer in answers].index(409)
        refused = answers[loser].json()
        assert (refused["code"], refused["reason"]) == ("slot-taken", "taken")
        assert await row_of(database, rivals[loser]) == before[loser]
        assert len(await steps_of(database, rivals[loser])) == 1
        winner = await row_of(database, rivals[1 - loser])
        assert (str(winner["slot_id"]), winner["version"]) == (new["id"], 2)
        # The winner's old seat is free, the loser's is not.
        assert await seats_free(client, str(before[1 - loser]["slot_id"])) == 1
        assert await seats_free(client, str(before[loser]["slot_id"])) == 0


@pytest.mark.parametrize(("capacity", "status"), [(1, 409), (2, 200)])
async def test_two_who_go_to_each_others_slot_do_not_stop_each_other(
    client: httpx.AsyncClient, admin: dict[str, str], capacity: int, status: int
) -> None:
    slots = [await post_slot(client, admin, days=days, capacity=capacity) for days in (1, 2)]
    pair = [await book(client, slot["id"]) for slot in slots]
    for _ in range(3):
        answers = await asyncio.gather(
            *(move(client, booking, slot) for booking, slot in zip(pair, reversed(slots), strict=True))
        )
        assert [answer.status_code for answer in answers] == [status, status]
        if status == 200:
            slots.reverse()


async def test_a_slot_that_cannot_be_booked_is_refused_and_nothing_changes(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    full, held, closed, cancelled, past, free = [await post_slot(client, admin, days=days) for days in range(2, 8)]
    await book(client, full["id"])
    await hold(client, held["id"])
    await run(database, change_slot(closed["id"], status=SlotStatus.CLOSED))
    await run(database, change_slot(cancelled["id"], status=SlotStatus.CANCELLED))
    await make_past(database, past["id"])
    booking = await book(client, (await post_slot(client, admin, days=1))["id"])
    before = await row_of(database, booking)
    told = []
    for slot in (full, held, closed, cancelled, past):
        answer = await move(client, booking, slot)
        assert refusal(answer) == (409, "slot-taken")
        assert [slot["id"] for slot in answer.json()["alternatives"]] == [free["id"]]
        told.append(answer.json()["reason"])
    assert told == ["taken", "held", "closed", "cancelled", "past"]
    unknown = await move(client, booking, {"id": "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"})
    assert [(fault["pointer"], fault["code"]) for fault in unknown.json()["errors"]] == [
        ("/slot_id", "unknown_reference")
    ]
    assert (await row_of(database, booking), len(await steps_of(database, booking))) == (before, 1)


async def test_the_seat_of_a_hold_that_is_over_can_be_moved_to(client: httpx.AsyncClient, database: Database) -> None:
    old, new = [await make_slot(database) for _ in range(2)]
    stale = await put_booking(database, new, **STALE)
    booking = await book(client, str(old))
    assert (await move(client, booking, {"id": str(new)})).status_code == 200
    assert await steps_of(database, stale) == [(2, "held", "expired", "expiry")]
    assert (await row_of(database, stale))["state"] == "expired"


async def test_it_stays_about_the_same_condition(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, STRANGER)
    own, strange, category, anything = [
        await post_slot(client, admin, days=days, **topic)
        for days, topic in enumerate(
            ({"condition": CONDITION}, {"condition": STRANGER}, {"category": "hematologic-malignancies"}, {}), start=1
        )
    ]
    about = await book(client, own["id"])
    assert refusal(await move(client, about, strange)) == (409, "slot-not-for-condition")
    for slot in (category, anything):
        answer = await move(client, about, slot)
        assert (answer.status_code, answer.json()["condition"]) == (200, about["condition"])
    # A booking that was about nothing is about what its new slot is for.
    nothing = await book(client, (await post_slot(client, admin, days=9))["id"])
    assert "condition" not in nothing
    answer = await move(client, nothing, strange)
    assert (answer.status_code, answer.json()["condition"]["slug"]) == (200, STRANGER)
    assert answer.json()["condition"]["what_to_bring"]["items"] == ["Synthetic thing"]
    assert refusal(await move(client, nothing, own)) == (409, "slot-not-for-condition")


@pytest.mark.parametrize(
    "state", [BookingState.HELD, BookingState.FULFILLED, BookingState.NO_SHOW, BookingState.CANCELLED]
)
async def test_only_what_is_booked_can_be_rescheduled(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, state: BookingState
) -> None:
    old, new = [await make_slot(database) for _ in range(2)]
    if state is BookingState.HELD:
        booking = await put_booking(database, old, **HELD)
    else:
        booking = await put_ended(database, old, state)
    before = await row_of(database, booking)
    for slot_id in (old, new):
        for headers in (None, admin):
            answer = await move(client, booking, {"id": str(slot_id)}, headers=headers)
            assert refusal(answer) == (409, "booking-ended")
    assert await row_of(database, booking) == before


async def test_staff_move_a_booking_in_their_own_name(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    old, new = [await post_slot(client, admin, days=days) for days in (1, 2)]
    booking = await book(client, old["id"])
    assert (await move(client, booking, new, headers=admin)).status_code == 200
    actor = await actor_of(database, admin)
    assert (await steps_of(database, booking))[-1] == (2, "booked", "booked", actor)
    assert len(await everything(database, AuditEntry, col(AuditEntry.actor) == actor)) >= 1
