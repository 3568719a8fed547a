"""What a plan is not made for; what it leaves in the trail, and what it never says."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.consultations import plan_look, retention
from app.consultations.schedule_tables import BookingOffer, SlotPlan
from app.consultations.tables import ConsultationSlot
from app.core import clock
from app.core.db import Database
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage
from tests.clinics import day as local_day
from tests.clinics import make_schedule, open_clinic, post_until
from tests.conftest import headers_with
from tests.lives import actor_of
from tests.rows import change_slot, counts, everything, run
from tests.slot_plans import apply, carry_out, make, wish
from tests.wishes import PATIENT, bearer, book, post_slot, refusal

UNKNOWN = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"
A_SLOT = [{"id": UNKNOWN}]


def where(action: str = "close", bookings: str = "cancel", **parts: Any) -> dict[str, Any]:
    """A plan of the slots that are like this."""
    return wish(action, None, bookings, filter=parts)


# What is wrong: the wish, where the answer points, and the word for the rule.
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no such slot": (wish("close", A_SLOT, "keep"), "/slots/ids/0", "unknown_reference"),
    "no slots": (wish("close", [], "keep"), "/slots/ids", "too_short"),
    "too many ids": (wish("close", A_SLOT * 1001, "keep"), "/slots/ids", "too_long"),
    "neither": (wish("close", None, "keep", filter=None), "/slots", "one_of_two"),
    "all slots": (where(), "/slots/filter", "filter_empty"),
    "unknown part": (where(colour="red"), "/slots/filter/colour", "extra_forbidden"),
    "no such clinician": (where(clinician="dr-nobody"), "/slots/filter/clinician", "unknown_reference"),
    "no such location": (where(location="nowhere"), "/slots/filter/location", "unknown_reference"),
    "no such room": (where(location="main", room="room-9"), "/slots/filter/room", "unknown_reference"),
    "a room of nothing": (where(room="room-1"), "/slots/filter", "location_missing"),
    "no such condition": (where(condition="nothing"), "/slots/filter/condition", "unknown_reference"),
    "no such category": (where(category="nothing"), "/slots/filter/category", "unknown_reference"),
    "no such schedule": (where(schedule_id=UNKNOWN), "/slots/filter/schedule_id", "unknown_reference"),
    "no time zone": (where(**{"from": "2027-01-01T00:00:00"}), "/slots/filter/from", "instant_without_offset"),
    "unknown action": (wish("erase", A_SLOT, "keep"), "/action", "enum"),
    "unknown fate": (wish("close", A_SLOT, "forget"), "/bookings", "enum"),
    "no fate": ({"action": "close", "slots": {"ids": [UNKNOWN]}}, "/bookings", "missing"),
    "unknown reason": (wish("cancel", A_SLOT, "cancel", reason="because"), "/reason", "enum"),
    "kept where cancelled": (wish("cancel", A_SLOT, "keep"), "", "not_for_this_action"),
    "closed at another time": (wish("close", A_SLOT, "keep", shift_minutes=5), "", "not_for_this_action"),
    "moved nowhere": (wish("move", A_SLOT, "move"), "", "nothing_to_move"),
    "moved by a year and a day": (
        wish("move", A_SLOT, "move", shift_minutes=367 * 24 * 60), "/shift_minutes", "less_than_equal",
    ),
    "many to one begin": (wish("move", A_SLOT * 2, "move", starts_at="2031-01-01T09:00:00Z"), "", "one_slot"),
    "to a room of nothing": (wish("move", A_SLOT, "move", room="room-1"), "", "location_missing"),
    "to nobody": (wish("move", A_SLOT, "move", clinician="dr-nobody"), "/clinician", "unknown_reference"),
    "to an unknown room": (wish("move", A_SLOT, "move", location="main", room="room-9"), "/room", "unknown_reference"),
}  # fmt: skip


@pytest.mark.parametrize(("sent", "pointer", "code"), BAD.values(), ids=BAD)
async def test_a_wrong_wish_is_refused_and_no_plan_is_made(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, sent: Any, pointer: str, code: str
) -> None:
    await open_clinic(client, admin)
    answer = await client.post("/slot-plans", json=sent, headers=admin)
    assert refusal(answer) == (422, "invalid-input")
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert await counts(database, SlotPlan) == [0]


async def test_the_id_that_is_no_slots_is_pointed_at_where_it_was_sent(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    slot = await post_slot(client, admin)
    sent = wish("close", [slot, slot, *A_SLOT], "keep")
    answer = await client.post("/slot-plans", json=sent, headers=admin)
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/slots/ids/2"]


async def test_every_part_of_a_filter_narrows_it(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    alone = {
        "clinician": await post_slot(client, admin, days=31, clinician="dr-wu"),
        "location": await post_slot(client, admin, days=32, location="main"),
        "room": await post_slot(client, admin, days=33, location="main", room="room-1"),
        "condition": await post_slot(client, admin, days=34, condition="acute-lymphoblastic-leukemia"),
        "category": await post_slot(client, admin, days=35, category="hematologic-malignancies"),
        "mode": await post_slot(client, admin, days=36, mode="phone"),
    }
    schedule = await make_schedule(client, admin, valid_from=local_day(40))
    await post_until(client, admin, schedule, local_day(40))

    async def found(**parts: Any) -> list[str]:
        plan = await make(client, admin, "close", None, "keep", filter=parts)
        return [slot["id"] for slot in plan["slots"]]

    assert await found(clinician="dr-wu") == [alone["clinician"]["id"]]
    assert await found(location="main") == [alone["location"]["id"], alone["room"]["id"]]
    assert await found(location="main", room="room-1") == [alone["room"]["id"]]
    assert await found(condition="acute-lymphoblastic-leukemia") == [alone["condition"]["id"]]
    assert await found(category="hematologic-malignancies") == [alone["category"]["id"]]
    assert await found(mode="phone") == [alone["mode"]["id"]]
    assert len(await found(schedule_id=schedule["id"])) == 2
    begins = {name: slot["starts_at"] for name, slot in alone.items()}
    assert await found(**{"from": begins["room"], "to": begins["category"]}) == [
        alone["room"]["id"], alone["condition"]["id"],
    ]  # fmt: skip
    assert await found(clinician="dr-wu", mode="phone") == []
    # What is cancelled, over or laid aside is not found.
    await carry_out(client, admin, "cancel", [alone["mode"]], "cancel")
    await run(database, change_slot(alone["clinician"]["id"], archived_at=clock.now()))
    long_ago = {"starts_at": clock.now() - timedelta(days=2), "ends_at": clock.now() - timedelta(days=1)}
    await run(database, change_slot(alone["location"]["id"], **long_ago))
    assert await found(mode="phone") + await found(clinician="dr-wu") == []
    assert await found(location="main") == [alone["room"]["id"]]


async def test_a_plan_has_a_limit(
    client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slots = [await post_slot(client, admin, capacity=2) for _ in range(2)]
    for slot in slots:
        await book(client, slot["id"])
    for name, code in (("MOST_SLOTS", "too_many_slots"), ("MOST_BOOKINGS", "too_many_bookings")):
        monkeypatch.setattr(plan_look, name, 2)
        assert (await client.post("/slot-plans", json=where(mode="video"), headers=admin)).status_code == 201
        monkeypatch.setattr(plan_look, name, 1)
        refused = await client.post("/slot-plans", json=where(mode="video"), headers=admin)
        assert (refusal(refused), refused.json()["errors"][0]["code"]) == ((422, "invalid-input"), code)
        monkeypatch.undo()


async def test_only_who_writes_slots_plans_and_nobody_else_is_told(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    booking = await book(client, slot["id"])
    plan = await make(client, admin, "cancel", [slot], "cancel")
    other = await headers_with(database, *(set(Scope) - {Scope.SLOTS_WRITE}))
    doors: tuple[Callable[[dict[str, str]], Any], ...] = (
        lambda headers: client.post("/slot-plans", json=wish("cancel", [slot], "cancel"), headers=headers),
        lambda headers: client.get(f"/slot-plans/{plan['id']}", headers=headers),
        lambda headers: apply(client, headers, plan),
    )
    for door in doors:
        for headers in ({}, bearer(booking)):
            assert refusal(await door(headers)) == (401, "credential-invalid")
        assert refusal(await door(other)) == (403, "scope-missing")
    for answer in (
        await client.get(f"/slot-plans/{UNKNOWN}", headers=admin),
        await apply(client, admin, {"id": UNKNOWN}),
    ):
        assert refusal(answer) == (404, "plan-not-found")
    assert (await client.get(f"/slot-plans/{plan['id']}", headers=admin)).json() == plan


async def test_every_change_is_in_the_trail_and_no_word_of_a_patient_anywhere(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    booked, empty, kept = [await post_slot(client, admin, days=days, capacity=2) for days in (30, 31, 32)]
    bookings = [await book(client, booked["id"]) for _ in range(2)]
    moving = await make(client, admin, "move", [booked, empty], "move", shift_minutes=10)
    assert (await apply(client, admin, moving)).status_code == 200
    home = moving["slots"][0]["moved_to"]["slot_id"]
    offering = await make(client, admin, "cancel", [{"id": home}], "offer")
    assert (await apply(client, admin, offering)).status_code == 200
    by = await actor_of(database, admin)
    entries = await everything(database, AuditEntry, col(AuditEntry.actor) == by)
    told = sorted((entry["action"], entry["subject"], tuple(entry["fields"])) for entry in entries)
    assert [each for each in told if each[1] in (booked["id"], empty["id"], home)] == [
        ("slot.cancelled", booked["id"], ("status",)),
        ("slot.closed", home, ("status",)),
        *sorted(("slot.created", slot_id, ()) for slot_id in (booked["id"], empty["id"], home)),
        ("slot.updated", empty["id"], ("ends_at", "starts_at")),
    ]
    assert [each[0] for each in told if each[0].startswith(("slot_plan", "booking"))] == [
        "booking.offered", "booking.offered", "booking.rescheduled", "booking.rescheduled",
        "slot_plan.applied", "slot_plan.applied", "slot_plan.created", "slot_plan.created",
    ]  # fmt: skip
    assert {each[1] for each in told if each[0].startswith("slot_plan")} == {moving["id"], offering["id"]}
    assert len(bookings) == 2
    assert kept["id"] in str(offering)
    tables = (SlotPlan, BookingOffer, OutboxMessage, AuditEntry, ConsultationSlot)
    rows = str([await everything(database, table) for table in tables]) + str(moving) + str(offering)
    for word in (*PATIENT.values(), "Synthetic reason."):
        assert word not in rows


async def test_a_plan_that_expired_long_ago_is_deleted_unless_something_is_still_offered(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    slot, free = [await post_slot(client, admin, days=days) for days in (30, 31)]
    await book(client, slot["id"])
    offering = await make(client, admin, "close", [slot], "offer")
    await apply(client, admin, offering)
    unused, fresh = [await make(client, admin, "close", [free], "keep") for _ in range(2)]

    async def purged() -> tuple[int, set[str]]:
        told = await retention.purge_all(database, settings, by="test", at_once=1)
        return told.plans, {str(row["id"]) for row in await everything(database, SlotPlan)}

    assert await purged() == (0, {plan["id"] for plan in (offering, unused, fresh)})
    long_ago = update(SlotPlan).where(col(SlotPlan.id) != UUID(fresh["id"]))
    await run(database, long_ago.values(expires_at=clock.now() - retention.PLANS_KEPT_FOR))
    assert await purged() == (1, {plan["id"] for plan in (offering, fresh)})
    begun = {"starts_at": clock.now() - timedelta(hours=1), "ends_at": clock.now() + timedelta(hours=1)}
    await run(database, change_slot(free["id"], **begun))
    assert await purged() == (1, {fresh["id"]})
    assert await counts(database, BookingOffer) == [0]
    assert refusal(await apply(client, admin, unused)) == (404, "plan-not-found")
