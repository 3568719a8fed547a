"""Closing, moving and cancelling slots by a plan: what it shows is what it does."""

from datetime import timedelta

import httpx
import pytest

from app.core import clock
from app.core.db import Database
from tests.clinics import open_clinic
from tests.lives import actor_of, events_of, row_of, run_out, steps_of
from tests.rows import make_slot
from tests.slot_plans import all_bookings, apply, assert_sound, carry_out, later, make, slot_now
from tests.wishes import book, hold, post_slot, read, seats_free

PAIR = ("close", "cancel")


async def test_closing_by_a_filter_keeps_bookings_and_touches_nothing_else(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    mine = [await post_slot(client, admin, days=30 + n, clinician="dr-rivera") for n in range(3)]
    other = await post_slot(client, admin, days=30, clinician="dr-wu")
    past_end = await post_slot(client, admin, days=40, clinician="dr-rivera")
    booking = await book(client, mine[0]["id"])
    wanted = {"clinician": "dr-rivera", "to": past_end["starts_at"]}
    plan = await make(client, admin, "close", None, "keep", filter=wanted)
    assert [slot["id"] for slot in plan["slots"]] == [slot["id"] for slot in mine]
    assert {slot["becomes"] for slot in plan["slots"]} == {"closed"}
    assert plan["totals"] | {"slots_closed": 3, "bookings_staying": 1, "slots": 3} == plan["totals"]
    # Nothing is done until it is applied.
    assert (await slot_now(client, mine[0]))["status"] == "open"
    answer = await apply(client, admin, plan)
    assert (answer.status_code, answer.json()["totals"]) == (200, plan["totals"])
    assert [(await slot_now(client, slot))["status"] for slot in (*mine, other, past_end)] == ["closed"] * 3 + [
        "open"
    ] * 2
    assert (await read(client, booking))["version"] == 1
    assert await steps_of(database, booking) == [(1, None, "booked", "anonymous")]
    await assert_sound(database)


@pytest.mark.parametrize("shift", [15, 60, 7 * 24 * 60])
async def test_moving_slots_takes_their_bookings_along(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, shift: int
) -> None:
    await open_clinic(client, admin)
    place = {"clinician": "dr-rivera", "location": "main", "room": "room-1", "time_zone": None}
    # They touch: each one's new time is the next one's present time.
    slots = [
        await post_slot(client, admin, days=200 + n / 48, capacity=2, external_id=f"slot-{n}", **place)
        for n in range(3)
    ]
    first, second = [await book(client, slots[0]["id"]) for _ in range(2)]
    third, held = await book(client, slots[1]["id"]), await hold(client, slots[1]["id"])
    plan = await make(client, admin, "move", slots, "move", shift_minutes=shift)
    homes = {slot["id"]: slot["moved_to"]["slot_id"] for slot in plan["slots"]}
    # Only where nobody is booked it is the same slot.
    assert [homes[slot["id"]] == slot["id"] for slot in slots] == [False, False, True]
    assert all_bookings(plan)[held["reference"]]["then"] == "cancelled"
    assert all_bookings(plan)[third["reference"]]["target"]["slot_id"] == homes[slots[1]["id"]]
    assert (await apply(client, admin, plan)).status_code == 200
    for slot in slots:
        moved = await slot_now(client, homes[slot["id"]])
        assert moved["starts_at"] == later(slot, shift)
        assert {name: moved[name] for name in ("clinician", "location", "room", "capacity", "status", "time_zone")} == {
            name: slot[name] for name in ("clinician", "location", "room", "capacity", "status", "time_zone")
        }
    assert [(await slot_now(client, slot))["status"] for slot in slots] == ["cancelled", "cancelled", "open"]
    by = await actor_of(database, admin)
    for booking, slot in ((first, slots[0]), (second, slots[0]), (third, slots[1])):
        seen = await read(client, booking)
        assert (seen["slot"]["id"], seen["version"], seen["reschedule_count"]) == (homes[slot["id"]], 2, 1)
        assert (await steps_of(database, booking))[1:] == [(2, "booked", "booked", by)]
        assert str((await events_of(database, booking))[-1]["previous_slot_id"]) == slot["id"]
    assert {(await row_of(database, booking))["seat"] for booking in (first, second)} == {1, 2}
    assert (await read(client, held))["state"] == "cancelled"
    assert await seats_free(client, homes[slots[1]["id"]]) == 1
    await assert_sound(database)


@pytest.mark.parametrize("action", PAIR)
async def test_bookings_go_to_the_free_slot_that_fits_best_and_each_seat_to_one(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, action: str
) -> None:
    await open_clinic(client, admin)
    here = {"location": "main", "time_zone": None}
    slot = await post_slot(client, admin, capacity=5, clinician="dr-rivera", **here)
    bookings = [await book(client, slot["id"]) for _ in range(5)]
    # From the best to the worst; those that do not fit at all come first.
    await post_slot(client, admin, days=30, mode="phone", **here)
    await post_slot(client, admin, days=30, condition="acute-lymphoblastic-leukemia", **here)
    await post_slot(client, admin, days=28)
    full = await post_slot(client, admin, days=30.1, **here)
    await book(client, full["id"])
    best = [
        await post_slot(client, admin, days=33, clinician="dr-rivera", **here),
        await post_slot(client, admin, days=29.5, clinician="dr-wu", **here),
        await post_slot(client, admin, days=31, clinician="dr-wu", **here),
        await post_slot(client, admin, days=30.5),
    ]
    plan = await make(client, admin, action, [slot], "move")
    told = all_bookings(plan)
    targets = [told[booking["reference"]].get("target", {}).get("slot_id") for booking in bookings]
    assert targets == [each["id"] for each in best] + [None]
    assert plan["slots"][0]["obstacles"] == ["nowhere_to_go"]
    assert (plan["slots"][0]["becomes"], plan["slots"][0]["to_cancel"]) == ("closed", action == "cancel")
    answer = await apply(client, admin, plan)
    assert answer.json()["to_cancel"] == ([slot["id"]] if action == "cancel" else [])
    assert [(await read(client, booking))["slot"]["id"] for booking in bookings] == [*targets[:4], slot["id"]]
    assert (await slot_now(client, slot))["status"] == "closed"
    # The last one gets a seat after all; then the slot is done with.
    more = await post_slot(client, admin, days=50, capacity=2)
    await carry_out(client, admin, action, [slot], "move")
    assert (await read(client, bookings[4]))["slot"]["id"] == more["id"]
    assert (await slot_now(client, slot))["status"] == ("cancelled" if action == "cancel" else "closed")
    await assert_sound(database)


@pytest.mark.parametrize("action", ["close", "cancel", "move"])
async def test_bookings_are_cancelled_with_the_reason_that_is_given(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, action: str
) -> None:
    slot = await post_slot(client, admin, capacity=3)
    booked, held, over = await book(client, slot["id"]), await hold(client, slot["id"]), await hold(client, slot["id"])
    await run_out(database, over)
    change = {"shift_minutes": 60} if action == "move" else {}
    plan = await make(client, admin, action, [slot], "cancel", reason="prov-hosp", **change)
    assert set(all_bookings(plan)) == {booked["reference"], held["reference"]}
    assert (await apply(client, admin, plan)).json()["totals"] == plan["totals"]
    by = await actor_of(database, admin)
    for booking, before in ((booked, "booked"), (held, "held")):
        assert ((await read(client, booking))["cancellation_reason"]) == "prov-hosp"
        assert (await steps_of(database, booking))[1:] == [(2, before, "cancelled", by)]
    # Its time was over before: that is what ended it.
    assert [step[2:] for step in (await steps_of(database, over))[1:]] == [("expired", "expiry")]
    now = await slot_now(client, slot)
    assert now["status"] == {"close": "closed", "cancel": "cancelled", "move": "open"}[action]
    assert now["starts_at"] == (later(slot, 60) if action == "move" else slot["starts_at"])


async def test_a_slot_is_moved_to_somebody_else_somewhere_else(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    tokyo = {"slug": "tokyo", "name": "Tokyo", "time_zone": "Asia/Tokyo"}
    assert (await client.post("/locations", json=tokyo, headers=admin)).status_code == 201
    place = {"clinician": "dr-rivera", "location": "main", "room": "room-1", "time_zone": None}
    empty, full = [await post_slot(client, admin, days=days, **place) for days in (30, 31)]
    booking = await book(client, full["id"])
    plan = await make(client, admin, "move", [empty, full], "move", clinician="dr-wu", location="tokyo")
    await apply(client, admin, plan)
    for slot in plan["slots"]:
        moved = await slot_now(client, slot["moved_to"]["slot_id"])
        assert moved["starts_at"] == slot["starts_at"]
        told = (moved["clinician"]["slug"], moved["location"]["slug"], moved["time_zone"], "room" in moved)
        assert told == ("dr-wu", "tokyo", "Asia/Tokyo", False)
    assert (await read(client, booking))["slot"]["location"]["slug"] == "tokyo"
    starts_at = later(empty, 90)
    await carry_out(client, admin, "move", [empty], "move", starts_at=starts_at)
    assert (await slot_now(client, empty))["starts_at"] == starts_at
    await assert_sound(database)


async def test_a_slot_that_is_there_already_is_not_moved_and_nobody_is_told(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    slots = [await post_slot(client, admin, days=days, clinician="dr-wu") for days in (30, 31)]
    other = await post_slot(client, admin, days=32, clinician="dr-rivera")
    booked = [await book(client, slot["id"]) for slot in (slots[0], other)]
    plan = await make(client, admin, "move", [*slots, other], "move", clinician="dr-wu")
    assert [slot["obstacles"] for slot in plan["slots"]] == [["already_there"], ["already_there"], []]
    assert (await apply(client, admin, plan)).status_code == 200
    assert [(await slot_now(client, slot))["version"] for slot in slots] == [1, 1]
    assert [(await read(client, booking))["version"] for booking in booked] == [1, 2]
    await assert_sound(database)


async def test_a_closed_slot_is_closed_where_it_is_moved_to(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slots = [await post_slot(client, admin) for _ in range(2)]
    booking = await book(client, slots[0]["id"])
    await carry_out(client, admin, "close", slots, "keep")
    plan = await make(client, admin, "move", slots, "move", shift_minutes=-30)
    await apply(client, admin, plan)
    for slot in plan["slots"]:
        assert (await slot_now(client, slot["moved_to"]["slot_id"]))["status"] == "closed"
    assert (await read(client, booking))["slot"]["starts_at"] == later(slots[0], -30)
    await assert_sound(database)


async def test_what_cannot_be_done_is_told_and_stays_as_it_is(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    mine = {"clinician": "dr-rivera"}
    # Each is to take the time of the next one, and the last one's is another's who stays.
    chain = [await post_slot(client, admin, days=30 + n / 48, **mine) for n in range(3)]
    booking = await book(client, chain[0]["id"])
    staying = await post_slot(client, admin, days=30 + 3 / 48, **mine)
    soon = await post_slot(client, admin, days=1 / 48)
    cancelled = await post_slot(client, admin)
    await carry_out(client, admin, "cancel", [cancelled], "cancel")
    plan = await make(client, admin, "move", [*chain, soon, cancelled], "move", shift_minutes=30)
    told = {slot["id"]: (slot["becomes"], slot["obstacles"]) for slot in plan["slots"]}
    assert told == {
        **{slot["id"]: ("unchanged", ["overlap"]) for slot in chain},
        soon["id"]: ("moved", []),
        cancelled["id"]: ("unchanged", ["slot_cancelled"]),
    }
    back = await make(client, admin, "move", [soon], "move", shift_minutes=-60)
    assert back["slots"][0]["obstacles"] == ["in_the_past"]
    await apply(client, admin, plan)
    assert [(await slot_now(client, slot))["version"] for slot in (*chain, staying)] == [1] * 4
    assert (await read(client, booking))["slot"]["id"] == chain[0]["id"]
    # With a reason, they may.
    allowed = [
        await post_slot(client, admin, days=30 + n / 48, allow_overlap={"reason": "Two at once."}, **mine)
        for n in range(2)
    ]
    done = await carry_out(client, admin, "move", allowed, "move", shift_minutes=30)
    assert done["totals"]["slots_moved"] == 2
    await assert_sound(database)


@pytest.mark.parametrize(("shift", "why"), [(10, "clock_change"), (70, None)])
async def test_no_slot_is_moved_to_a_time_that_the_clock_does_not_show(
    client: httpx.AsyncClient, admin: dict[str, str], shift: int, why: str | None
) -> None:
    await open_clinic(client, admin)
    # Berlin's clock goes from 02:00 to 03:00 on that day: that is 01:00 UTC.
    night = {"starts_at": "2031-03-30T00:50:00Z", "ends_at": "2031-03-30T00:55:00Z", "clinician": "dr-rivera"}
    slot = await post_slot(client, admin, **night)
    plan = await make(client, admin, "move", [slot], "move", shift_minutes=shift)
    assert plan["slots"][0]["obstacles"] == ([why] if why else [])
    if why is None:
        # 01:50, and seventy minutes more on the wall, are 03:00: ten minutes later.
        assert plan["slots"][0]["moved_to"]["starts_at"] == "2031-03-30T01:00:00Z"


async def test_a_begun_slot_stays_as_it_is(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    begun = await make_slot(database, starts_at=clock.now() - timedelta(minutes=1))
    for action in PAIR:
        plan = await make(client, admin, action, [{"id": str(begun)}], "cancel")
        assert (plan["slots"][0]["becomes"], plan["slots"][0]["obstacles"]) == ("unchanged", ["begun"])
        assert (await apply(client, admin, plan)).status_code == 200
    assert (await slot_now(client, str(begun)))["status"] == "open"
