"""What admins do with posted slots: close, open, cancel, each against the version that they have read."""

from typing import Any

import httpx
import pytest
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.consultations.tables import BookingEvent, SlotStatus
from app.core.db import Database
from tests.conftest import headers_with
from tests.lives import actor_of, events_of, row_of, run_out, steps_of
from tests.rows import counts, everything
from tests.wishes import (
    act,
    bearer,
    book,
    booking_wish,
    confirmation,
    hold,
    hold_wish,
    listed,
    new_key,
    post_slot,
    read,
    refusal,
    seats_free,
)

UNKNOWN = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"
ACTIONS = ("close", "open", "cancel")
ANY = {"If-Match": "*"}


async def change(
    client: httpx.AsyncClient,
    slot: dict[str, Any],
    action: str,
    headers: dict[str, str],
    wish: dict[str, Any] | None = None,
) -> httpx.Response:
    """Close, open or cancel a slot."""
    return await client.post(f"/consultation-slots/{slot['id']}/{action}", json=wish, headers=headers)


async def changes_of(database: Database, slot: dict[str, Any]) -> list[str]:
    """What the trail says was done with a slot."""
    entries = await everything(database, AuditEntry, col(AuditEntry.subject) == slot["id"])
    assert {tuple(entry["fields"]) for entry in entries if entry["action"] != "slot.created"} <= {("status",)}
    return [entry["action"] for entry in sorted(entries, key=lambda entry: str(entry["id"]))]


async def test_a_closed_slot_keeps_what_it_has_and_takes_no_more(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=3)
    booked, held = await book(client, slot["id"]), await hold(client, slot["id"])
    answer = await change(client, slot, "close", admin | ANY)
    assert (answer.status_code, answer.json()) == (200, slot | {"status": "closed", "version": 2, "seats_free": 0})
    assert await listed(client) == []
    for wish in (booking_wish(slot["id"]), hold_wish(slot["id"])):
        refused = await client.post("/consultation-bookings", json=wish, headers=new_key())
        assert (refusal(refused), refused.json()["reason"]) == ((409, "slot-taken"), "closed")
    assert (await act(client, held, "confirm", confirmation())).json()["state"] == "booked"
    assert (await read(client, booked))["slot"]["status"] == "closed"
    assert (await act(client, booked, "cancel")).status_code == 200
    # What was let go of is not for others while it is closed.
    assert await seats_free(client, slot["id"]) == 0
    answer = await change(client, slot, "open", admin)
    assert (answer.status_code, answer.json()) == (200, slot | {"version": 3, "seats_free": 2})
    assert await listed(client) == [slot["id"]]
    await book(client, slot["id"])
    assert await changes_of(database, slot) == ["slot.created", "slot.closed", "slot.opened"]


async def test_cancelling_a_slot_cancels_its_bookings(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot, other = [await post_slot(client, admin, days=days, capacity=5) for days in (1, 2)]
    booked, held, over, gone = [await make(client, slot["id"]) for make in (book, hold, hold, book)]
    bystander = await book(client, other["id"])
    await run_out(database, over)
    await act(client, gone, "cancel", {"reason": "pat-fb"})
    answer = await change(client, slot, "cancel", admin | ANY, {"reason": "prov-hosp"})
    assert (answer.status_code, answer.json()) == (200, slot | {"status": "cancelled", "version": 2, "seats_free": 0})
    by = await actor_of(database, admin)
    assert (await steps_of(database, booked))[1:] == [(2, "booked", "cancelled", by)]
    assert (await steps_of(database, held))[1:] == [(2, "held", "cancelled", by)]
    # Its time was over before: that is what ended it.
    assert [step[:3] for step in (await steps_of(database, over))[1:]] == [(3, "held", "expired")]
    assert (await steps_of(database, gone))[1:] == [(2, "booked", "cancelled", "booking_holder")]
    assert len(await steps_of(database, bystander)) == 1
    reasons = {}
    for name, booking in (("booked", booked), ("held", held), ("over", over), ("gone", gone)):
        seen = await read(client, booking)
        reasons[name] = (seen["state"], seen.get("cancellation_reason"), seen["slot"]["status"])
        assert seen["allowed_actions"] == []
        assert (await events_of(database, booking))[-1]["reason"] == seen.get("cancellation_reason")
    assert reasons == {
        "booked": ("cancelled", "prov-hosp", "cancelled"),
        "held": ("cancelled", "prov-hosp", "cancelled"),
        "over": ("expired", None, "cancelled"),
        "gone": ("cancelled", "pat-fb", "cancelled"),
    }
    assert refusal(await act(client, held, "confirm", confirmation())) == (409, "booking-ended")
    assert refusal(await act(client, over, "confirm", confirmation())) == (409, "hold-expired")
    refused = await client.post("/consultation-bookings", json=booking_wish(slot["id"]), headers=new_key())
    assert (refusal(refused), refused.json()["reason"]) == ((409, "slot-taken"), "cancelled")
    assert await changes_of(database, slot) == ["slot.created", "slot.cancelled"]


async def test_without_a_reason_it_is_the_providers(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    booking = await book(client, slot["id"])
    assert refusal(await change(client, slot, "cancel", admin | ANY, {"reason": "because"})) == (422, "invalid-input")
    assert (await row_of(database, booking))["state"] == "booked"
    await change(client, slot, "cancel", admin | ANY)
    assert (await read(client, booking))["cancellation_reason"] == "prov"


@pytest.mark.parametrize("action", ["close", "cancel"])
async def test_a_change_needs_the_version_that_was_read(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, action: str
) -> None:
    slot = await post_slot(client, admin, capacity=2)
    booking = await book(client, slot["id"])
    tag = (await client.get(f"/consultation-slots/{slot['id']}")).headers["etag"]
    assert refusal(await change(client, slot, action, admin)) == (428, "version-needed")
    # Only the version is compared, so a booking in between is no change of the slot.
    await book(client, slot["id"])
    stale = ('"2"', '"0"', '"11-6c1e4f0a9b572d8c5e1a"', "1", f"W/{tag}", "", '"', '"1-', "one")
    for sent in stale:
        told = refusal(await change(client, slot, action, admin | {"If-Match": sent}))
        assert (sent, told) == (sent, (412, "version-stale"))
    assert (await row_of(database, booking))["state"] == "booked"
    assert await changes_of(database, slot) == ["slot.created"]
    assert (await change(client, slot, action, admin | {"If-Match": tag})).json()["version"] == 2
    # Somebody who has read the slot before meets a change that is done already, or a slot that has changed.
    again = await change(client, slot, action, admin | {"If-Match": tag})
    assert (again.status_code, again.json()["version"]) == (200, 2)
    other = await change(client, slot, "open" if action == "close" else "close", admin | {"If-Match": tag})
    assert refusal(other) == (412, "version-stale")
    assert len(await changes_of(database, slot)) == 2


async def test_opening_compares_the_version_if_there_is_one(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin)
    await change(client, slot, "close", admin | ANY)
    assert refusal(await change(client, slot, "open", admin | {"If-Match": '"1"'})) == (412, "version-stale")
    assert (await change(client, slot, "open", admin | {"If-Match": '"2"'})).json()["version"] == 3
    # It is open: nothing to do, whatever was read.
    assert (await change(client, slot, "open", admin | {"If-Match": '"1"'})).json()["version"] == 3


async def test_cancelled_is_for_good(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    slot = await post_slot(client, admin)
    await change(client, slot, "close", admin | ANY)
    await change(client, slot, "cancel", admin | ANY)
    for action in ("close", "open"):
        assert refusal(await change(client, slot, action, admin | ANY)) == (409, "slot-cancelled")
    again = await change(client, slot, "cancel", admin | ANY, {"reason": "maint"})
    assert (again.status_code, again.json()["status"], again.json()["version"]) == (200, "cancelled", 3)
    assert await changes_of(database, slot) == ["slot.created", "slot.closed", "slot.cancelled"]


@pytest.mark.parametrize("action", ACTIONS)
async def test_only_staff_with_the_scope_change_slots(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, action: str
) -> None:
    slot = await post_slot(client, admin)
    booking = await book(client, slot["id"])
    other = await headers_with(database, Scope.BOOKINGS_WRITE, Scope.BOOKINGS_OVERRIDE)
    for headers in ({}, bearer(booking), {"Authorization": "Bearer cp_live_unknown"}):
        assert refusal(await change(client, slot, action, headers | ANY)) == (401, "credential-invalid")
    assert refusal(await change(client, slot, action, other | ANY)) == (403, "scope-missing")
    assert refusal(await change(client, {"id": UNKNOWN}, action, admin | ANY)) == (404, "slot-not-found")
    assert refusal(await change(client, {"id": "no-id"}, action, admin | ANY)) == (422, "invalid-input")
    assert (await client.get(f"/consultation-slots/{slot['id']}")).json()["status"] == SlotStatus.OPEN
    assert await counts(database, BookingEvent) == [1]
