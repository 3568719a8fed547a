"""Going past the policy: staff who may, with a reason, on the record."""

from typing import Any

import httpx
import pytest

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.core.db import Database
from tests.conftest import headers_with
from tests.lives import events_of, row_of
from tests.rows import everything
from tests.test_policies import STRICT, make_location, terms
from tests.wishes import act, book, booking_wish, new_key, post_slot, read, refusal

NEVER_LATE = {"cancel_until_minutes": 0, "reschedule_until_minutes": 0}
REASON = "Planted words of the head of the ward."


@pytest.fixture
async def staff(database: Database) -> dict[str, str]:
    """Staff who may change bookings, within the policy."""
    return await headers_with(database, Scope.BOOKINGS_WRITE, Scope.BOOKINGS_READ)


@pytest.fixture
async def head(database: Database) -> dict[str, str]:
    """Staff who may go past the policy too."""
    return await headers_with(database, Scope.BOOKINGS_WRITE, Scope.BOOKINGS_READ, Scope.BOOKINGS_OVERRIDE)


async def expect_on_record(
    client: httpx.AsyncClient, booking: dict[str, Any], head: dict[str, str], database: Database
) -> None:
    """That the last step went past the policy is on the record; why, for staff to read."""
    event = (await events_of(database, booking))[-1]
    assert event["is_override"] is True
    entries = await everything(database, AuditEntry, AuditEntry.subject == str(event["booking_id"]))
    changed = [entry["fields"] for entry in entries if entry["at"] == event["at"] and entry["action"] != "patient.read"]
    assert [fields[-1] for fields in changed] == ["override_reason"]
    assert REASON not in str(entries)
    seen = await read(client, booking, headers=head)
    assert seen["notes"] == [{"version": event["version"], "kind": "override", "text": REASON}]
    assert "notes" not in await read(client, booking)


async def test_after_reschedule_until_nobody_moves_a_booking_without_saying_why(
    client: httpx.AsyncClient,
    admin: dict[str, str],
    staff: dict[str, str],
    head: dict[str, str],
    database: Database,
) -> None:
    location = await make_location(client, admin, "strict", **STRICT)
    old = await post_slot(client, admin, days=2, location=location)
    new = await post_slot(client, admin, days=30)
    booking = await book(client, old["id"])
    before = await row_of(database, booking)
    wish = {"slot_id": new["id"]}
    for headers in (None, staff, head):
        assert refusal(await act(client, booking, "reschedule", wish, headers=headers)) == (409, "deadline-passed")
    excused = wish | {"override_reason": REASON}
    for headers in (None, staff):
        assert refusal(await act(client, booking, "reschedule", excused, headers=headers)) == (403, "scope-missing")
    assert await row_of(database, booking) == before
    answer = await act(client, booking, "reschedule", excused, headers=head)
    assert (answer.status_code, answer.json()["slot"]["id"], REASON in answer.text) == (200, new["id"], False)
    await expect_on_record(client, booking, head, database)


async def test_nobody_moves_a_booking_too_often_without_saying_why(
    client: httpx.AsyncClient, admin: dict[str, str], head: dict[str, str], database: Database
) -> None:
    location = await make_location(client, admin, "strict", **STRICT | NEVER_LATE)
    slots = [await post_slot(client, admin, days=days, location=location) for days in range(2, 6)]
    booking = await book(client, slots[0]["id"])
    told = []
    for slot in slots[1:]:
        answer = await act(client, booking, "reschedule", {"slot_id": slot["id"]})
        seen = await read(client, booking)
        told.append((answer.status_code, seen["reschedule_count"], seen["reschedules_left"], seen["allowed_actions"]))
    both, only_cancel = ["cancel", "reschedule"], ["cancel"]
    assert told == [(200, 1, 1, both), (200, 2, 0, only_cancel), (409, 2, 0, only_cancel)]
    wish = {"slot_id": slots[3]["id"]}
    assert refusal(await act(client, booking, "reschedule", wish, headers=head)) == (409, "reschedules-used-up")
    answer = await act(client, booking, "reschedule", wish | {"override_reason": REASON}, headers=head)
    assert (answer.json()["reschedule_count"], answer.json()["reschedules_left"]) == (3, 0)
    await expect_on_record(client, booking, head, database)
    # A location that is more patient allows more.
    patient = await post_slot(client, admin, days=9)
    await act(client, booking, "reschedule", {"slot_id": patient["id"], "override_reason": REASON}, headers=head)
    assert terms(await read(client, booking)) == {"cancel": 0, "reschedule": 0, "left": 0}


async def test_a_reason_within_the_policy_is_no_override_and_leaves_no_note(
    client: httpx.AsyncClient, admin: dict[str, str], head: dict[str, str], database: Database
) -> None:
    old, new = [await post_slot(client, admin, days=days) for days in (2, 3)]
    booking = await book(client, old["id"])
    wish = {"slot_id": new["id"], "override_reason": REASON}
    assert (await act(client, booking, "reschedule", wish, headers=head)).status_code == 200
    assert (await events_of(database, booking))[-1]["is_override"] is False
    assert "notes" not in await read(client, booking, headers=head)


async def test_no_reason_opens_what_is_full_or_over(
    client: httpx.AsyncClient, admin: dict[str, str], head: dict[str, str]
) -> None:
    booking = await book(client, (await post_slot(client, admin, days=2))["id"])
    full = await post_slot(client, admin, days=3)
    await book(client, full["id"])
    wish = {"slot_id": full["id"], "override_reason": REASON}
    assert refusal(await act(client, booking, "reschedule", wish, headers=head)) == (409, "slot-taken")
    await act(client, booking, "cancel")
    assert refusal(await act(client, booking, "reschedule", wish, headers=head)) == (409, "booking-ended")
    # What was refused has left no note.
    assert "notes" not in await read(client, booking, headers=head)


@pytest.mark.parametrize("is_hold", [False, True])
async def test_staff_book_within_the_notice_that_patients_are_to_give(
    client: httpx.AsyncClient,
    admin: dict[str, str],
    staff: dict[str, str],
    head: dict[str, str],
    database: Database,
    is_hold: bool,
) -> None:
    location = await make_location(client, admin, "notice", min_notice_minutes=3 * 1440)
    slot = await post_slot(client, admin, days=2, location=location)
    wish = {"slot_id": slot["id"]} if is_hold else booking_wish(slot["id"])
    excused = wish | {"override_reason": REASON}
    told = []
    for body, headers in ((wish, {}), (wish, head), (excused, {}), (excused, staff), (excused, head)):
        answer = await client.post("/consultation-bookings", json=body, headers=new_key() | headers)
        told.append((answer.status_code, answer.json().get("code"), answer.json().get("reason")))
    past = (409, "slot-taken", "past")
    assert told == [past, past, (401, "credential-invalid", None), (403, "scope-missing", None), (201, None, None)]
    booking = answer.json()
    assert REASON not in answer.text
    await expect_on_record(client, booking, head, database)
    # Confirming it goes by the hold, not by the notice, and keeps the note.
    if is_hold:
        confirmed = await act(
            client, booking, "confirm", {name: booking_wish("")[name] for name in ("patient", "consent")}
        )
        assert confirmed.status_code == 200
        assert [note["text"] for note in (await read(client, booking, headers=head))["notes"]] == [REASON]


async def test_the_notice_holds_for_the_slot_that_is_moved_to(
    client: httpx.AsyncClient, admin: dict[str, str], head: dict[str, str], database: Database
) -> None:
    location = await make_location(client, admin, "notice", min_notice_minutes=3 * 1440)
    near, far = [await post_slot(client, admin, days=days, location=location) for days in (2, 4)]
    booking = await book(client, (await post_slot(client, admin, days=1))["id"])
    wish = {"slot_id": near["id"]}
    answer = await act(client, booking, "reschedule", wish)
    assert (refusal(answer), answer.json()["reason"]) == ((409, "slot-taken"), "past")
    assert [slot["id"] for slot in answer.json()["alternatives"]] == [far["id"]]
    excused = await act(client, booking, "reschedule", wish | {"override_reason": REASON}, headers=head)
    assert excused.status_code == 200
    await expect_on_record(client, booking, head, database)
