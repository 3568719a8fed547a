"""What people write about a booking: sealed with the patient's words, and shown to its author and to staff."""

from typing import Any

import httpx

from app.access.callers import Scope
from app.consultations.tables import BookingState, PatientDetail
from app.core.db import Database
from app.core.settings import Settings
from tests.conftest import headers_with
from tests.lives import HELD, put_booking
from tests.rows import everything, make_slot
from tests.test_privacy import dump
from tests.wishes import PATIENT, act, book, hold, post_slot, read, refusal

ADDRESS = "/consultation-bookings"
HOLDERS, STAFFS = "Unwohlsein planted by its holder", "Dienstplan planted by staff"


def note(version: int, kind: str, text: str) -> dict[str, Any]:
    """A note as it is shown."""
    return {"version": version, "kind": kind, "text": text}


async def test_its_author_sees_a_note_and_so_does_staff(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=2)
    colleague = await headers_with(database, Scope.BOOKINGS_READ)
    for who, text, seen_by_holder in ((None, HOLDERS, True), (admin, STAFFS, False)):
        booking = await book(client, slot["id"])
        answer = await act(client, booking, "cancel", {"note": text}, headers=who)
        assert (answer.status_code, text in answer.text) == (200, False)
        written = note(2, "cancellation", text)
        for staff in (admin, colleague):
            assert (await read(client, booking, headers=staff))["notes"] == [written]
        holders = await read(client, booking)
        assert holders.get("notes", []) == ([written] if seen_by_holder else [])
        assert holders["patient"] == PATIENT


async def test_a_note_stands_sealed_and_nowhere_else(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    (before,) = await everything(database, PatientDetail)
    await act(client, booking, "cancel", {"note": HOLDERS})
    (after,) = await everything(database, PatientDetail)
    # Sealed anew, and found by the same contacts.
    for name in ("wrapped_key", "nonce", "ciphertext"):
        assert before[name] != after[name]
    for name in ("booking_id", "email_index", "phone_index", "consent_text_version"):
        assert before[name] == after[name]
    stored = await dump(database, settings)
    assert booking["reference"].encode() in stored
    assert HOLDERS.encode() not in stored
    assert HOLDERS.encode().hex().encode() not in stored
    assert HOLDERS not in (await client.get(ADDRESS, headers=admin)).text


async def test_a_hold_without_a_patient_keeps_a_note(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    held = await hold(client, (await post_slot(client, admin))["id"])
    assert (await act(client, held, "cancel", {"note": HOLDERS})).status_code == 200
    seen = await read(client, held)
    assert (seen["notes"], "patient" in seen) == ([note(2, "cancellation", HOLDERS)], False)
    (detail,) = await everything(database, PatientDetail)
    assert [detail[name] for name in ("consent_text_version", "email_index", "phone_index")] == [None] * 3
    listed = (await client.get(ADDRESS, headers=admin)).json()["items"]
    assert [(item["state"], "patient" in item) for item in listed] == [(BookingState.CANCELLED, False)]


async def test_a_refused_cancellation_leaves_no_note(client: httpx.AsyncClient, database: Database) -> None:
    slot_id = await make_slot(database)
    booking = await put_booking(database, slot_id, **HELD)
    assert refusal(await act(client, booking, "confirm", {"note": HOLDERS})) == (422, "invalid-input")
    other = {"reference": booking["reference"], "token": booking["token"] + "x"}
    assert refusal(await act(client, other, "cancel", {"note": HOLDERS})) == (404, "booking-not-found")
    assert await everything(database, PatientDetail) == []
