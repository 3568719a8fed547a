"""Bookings that are offered other slots: they stay booked until the patient chooses, and keep who they are."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations.schedule_tables import BookingOffer
from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from tests.lives import actor_of, steps_of
from tests.rows import counts, everything
from tests.slot_plans import all_bookings, apply, assert_sound, carry_out, later, make, slot_now
from tests.wishes import act, bearer, book, hold, post_slot, read, refusal


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The application, for patients who may not reschedule at all."""
    return create_app(settings.model_copy(update={"max_reschedules": 0, "min_notice_minutes": 0}))


async def offered(client: httpx.AsyncClient, booking: dict[str, Any]) -> list[str]:
    """The slots that a booking's holder is offered."""
    return [slot["id"] for slot in (await read(client, booking)).get("offers", [])]


@pytest.mark.parametrize(("action", "status"), [("close", "closed"), ("cancel", "closed")])
async def test_an_offer_is_chosen_past_the_policy_and_then_the_others_are_gone(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, action: str, status: str
) -> None:
    slot = await post_slot(client, admin, capacity=3)
    booking, other, held = (
        await book(client, slot["id"]), await book(client, slot["id"]), await hold(client, slot["id"]),
    )  # fmt: skip
    free = [await post_slot(client, admin, days=31 + n) for n in range(3)]
    last = await post_slot(client, admin, days=60)
    plan = await make(client, admin, action, [slot], "offer")
    told = all_bookings(plan)
    assert [told[each["reference"]]["target"]["slot_id"] for each in (booking, other)] == [free[0]["id"], free[1]["id"]]
    assert (await offered(client, booking), told[held["reference"]]["then"]) == ([], "cancelled")
    assert "offers" not in await read(client, booking)
    done = await apply(client, admin, plan)
    assert done.json()["to_cancel"] == ([slot["id"]] if action == "cancel" else [])
    assert (await slot_now(client, slot))["status"] == status
    seen = await read(client, booking)
    assert (seen["state"], seen["slot"]["id"], seen["version"]) == ("booked", slot["id"], 2)
    assert [each["id"] for each in seen["offers"]] == [free[0]["id"], free[2]["id"], last["id"]]
    assert seen["offers"][0]["starts_at"] == free[0]["starts_at"]
    assert "reschedule" in seen["allowed_actions"]
    # What is not offered is by the policy, as ever.
    elsewhere = await post_slot(client, admin, days=70)
    assert refusal(await act(client, booking, "reschedule", {"slot_id": elsewhere["id"]})) == (
        409,
        "reschedules-used-up",
    )
    assert len(await offered(client, booking)) == 3
    # What is full or closed is not offered any more.
    await book(client, free[2]["id"])
    await carry_out(client, admin, "close", [last], "keep")
    assert await offered(client, booking) == [free[0]["id"]]
    answer = await act(client, booking, "reschedule", {"slot_id": free[2]["id"]})
    assert (refusal(answer), answer.json()["reason"]) == ((409, "slot-taken"), "taken")
    chosen = await act(client, booking, "reschedule", {"slot_id": free[0]["id"]})
    assert (chosen.status_code, chosen.json()["slot"]["id"]) == (200, free[0]["id"])
    assert chosen.json()["reference"] == booking["reference"]
    assert await offered(client, booking) == []
    assert refusal(await act(client, booking, "reschedule", {"slot_id": free[1]["id"]})) == (409, "reschedules-used-up")
    # What was proposed to one was not offered to the other.
    assert await offered(client, other) == [free[1]["id"]]
    by = await actor_of(database, admin)
    assert await steps_of(database, booking) == [
        (1, None, "booked", "anonymous"),
        (2, "booked", "booked", by),
        (3, "booked", "booked", "booking_holder"),
    ]
    assert (await act(client, other, "reschedule", {"slot_id": free[1]["id"]})).status_code == 200
    await carry_out(client, admin, "cancel", [slot], "move")
    assert (await slot_now(client, slot))["status"] == "cancelled"
    assert await counts(database, BookingOffer) == [0]
    await assert_sound(database)


async def test_a_slot_that_is_moved_is_offered_first_and_the_old_one_closed(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot, empty = [await post_slot(client, admin, days=days, capacity=2) for days in (30, 60)]
    booking = await book(client, slot["id"])
    other = await post_slot(client, admin, days=31)
    plan = await make(client, admin, "move", [slot, empty], "offer", shift_minutes=90)
    home, away = [each["moved_to"]["slot_id"] for each in plan["slots"]]
    assert away == empty["id"]
    done = await apply(client, admin, plan)
    assert done.json()["to_cancel"] == [slot["id"]]
    assert [(await slot_now(client, each))["starts_at"] for each in (home, empty)] == [
        later(slot, 90), later(empty, 90),
    ]  # fmt: skip
    assert (await slot_now(client, slot))["status"] == "closed"
    assert (await read(client, booking))["slot"]["id"] == slot["id"]
    assert await offered(client, booking) == [home, other["id"]]
    assert (await act(client, booking, "reschedule", {"slot_id": home})).status_code == 200
    await assert_sound(database)


async def test_a_closed_slot_that_gives_its_name_to_another_is_another_version_and_it_is_in_the_trail(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, external_id="slot-1")
    await book(client, slot["id"])
    await post_slot(client, admin, days=31)
    await carry_out(client, admin, "close", [slot], "keep")
    tag = (await client.get(f"/consultation-slots/{slot['id']}")).headers["etag"]
    await carry_out(client, admin, "move", [slot], "offer", shift_minutes=60)
    stale = await client.post(f"/consultation-slots/{slot['id']}/cancel", headers=admin | {"If-Match": tag})
    assert refusal(stale) == (412, "version-stale")
    (entry,) = await everything(
        database, AuditEntry, col(AuditEntry.subject) == slot["id"], col(AuditEntry.action) == "slot.updated"
    )
    assert entry["fields"] == ["external_id"]


async def test_what_is_offered_again_takes_the_place_of_what_was(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot, first = [await post_slot(client, admin, days=days) for days in (30, 31)]
    booking = await book(client, slot["id"])
    await carry_out(client, admin, "close", [slot], "offer")
    await book(client, first["id"])
    second = await post_slot(client, admin, days=32)
    await carry_out(client, admin, "cancel", [slot], "offer")
    assert await offered(client, booking) == [second["id"]]
    rows = await everything(database, BookingOffer)
    assert [str(row["slot_id"]) for row in rows] == [second["id"]]
    assert [step[0] for step in await steps_of(database, booking)] == [1, 2, 3]
    # Nothing is offered to who has cancelled.
    assert (await act(client, booking, "cancel")).status_code == 200
    assert await offered(client, booking) == []
    await assert_sound(database)


async def test_where_nothing_is_free_nothing_is_offered_and_the_booking_stays(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    booking = await book(client, slot["id"])
    plan = await make(client, admin, "cancel", [slot], "offer")
    assert plan["slots"][0]["obstacles"] == ["nowhere_to_go"]
    assert plan["totals"]["bookings_staying"] == 1
    done = await apply(client, admin, plan)
    assert (done.json()["to_cancel"], (await read(client, booking))["version"]) == ([slot["id"]], 1)
    assert (
        await client.get(f"/consultation-bookings/{booking['reference']}", headers=bearer(booking))
    ).status_code == 200
    assert await everything(database, BookingOffer, col(BookingOffer.slot_id).is_not(None)) == []
    await assert_sound(database)
