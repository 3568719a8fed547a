"""Who wants to be forgotten is: in tables, in stored answers, in files. What names nobody stays."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import text
from sqlmodel import col

from app.access.tables import AuditEntry, IdempotencyRecord
from app.consultations.tables import (
    BookingEvent,
    BookingState,
    ConsultationBooking,
    Erasure,
    PatientDetail,
)
from app.core import clock, crypto
from app.core.db import Database
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage
from tests.patients import OTHER, PERSON, REASON, make_patient
from tests.rows import everything, run
from tests.test_privacy import dump
from tests.wishes import bearer, book, booking_wish, new_key, post_slot


async def erase(client: httpx.AsyncClient, admin: dict[str, str], **wish: Any) -> dict[str, Any]:
    answer = await client.post("/privacy/erase", json=wish or {"email": PERSON["email"]}, headers=admin)
    assert answer.status_code == 200, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


async def sealed_bytes(database: Database) -> list[bytes]:
    """Every sequence of bytes that says anything of a patient or of an answer."""
    rows = [*await everything(database, PatientDetail), *await everything(database, IdempotencyRecord)]
    return [value for row in rows for value in row.values() if isinstance(value, bytes) and len(value) > 8]


def found_in(stored: bytes, needles: list[bytes]) -> int:
    return sum(needle in stored or needle.hex().encode() in stored for needle in needles)


async def test_nothing_of_the_person_is_left_anywhere(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    slot = await post_slot(client, admin)
    key = new_key()
    wish = booking_wish(slot["id"], patient=PERSON, reason=REASON)
    booked = (await client.post("/consultation-bookings", json=wish, headers=key)).json()
    address = f"/consultation-bookings/{booked['reference']}"
    await client.get(address, headers=admin)
    theirs = await sealed_bytes(database)
    assert len(theirs) >= 8
    assert found_in(await dump(database, settings), theirs) == len(theirs)
    others = await book(client, (await post_slot(client, admin, days=31))["id"], patient=OTHER)

    receipt = await erase(client, admin)
    assert (receipt["bookings"], receipt["cancelled"]) == (1, 1)
    stored = await dump(database, settings)
    assert found_in(stored, theirs) == 0
    assert [value for value in (*PERSON.values(), REASON) if value.encode() in stored] == []
    # The other person's is all there: it was looked for in the right place.
    kept = await sealed_bytes(database)
    assert found_in(stored, kept) == len(kept) >= 8
    # Neither the door nor a repeated request knows of the person.
    seen = await client.get(address, headers=bearer(booked))
    assert seen.status_code < 500
    assert not [value for value in PERSON.values() if value in seen.text]
    assert (
        await client.get(f"/consultation-bookings/{others['reference']}", headers=bearer(others))
    ).status_code == 200


async def test_what_names_nobody_stays_with_a_receipt(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    keyring, now = crypto.load_keyring(settings.keyring_path), clock.now()
    past = now - timedelta(days=3)
    ended = {
        await make_patient(database, keyring, state=state, ends_at=past): state
        for state in (BookingState.BOOKED, BookingState.FULFILLED, BookingState.NO_SHOW, BookingState.CANCELLED)
    }
    running = await make_patient(database, keyring, state=BookingState.BOOKED, ends_at=now + timedelta(minutes=30))
    to_come = await book(client, (await post_slot(client, admin))["id"], patient=PERSON)
    before = {row["id"]: row for row in await everything(database, ConsultationBooking)}
    events = len(await everything(database, BookingEvent))
    entries = {row["id"] for row in await everything(database, AuditEntry)}

    receipt = await erase(client, admin)
    assert (receipt["bookings"], receipt["cancelled"]) == (6, 2)
    after = {row["id"]: row for row in await everything(database, ConsultationBooking)}
    assert after.keys() == before.keys()
    cancelled = {row["id"] for row in after.values() if row["version"] > before[row["id"]]["version"]}
    assert {after[booking_id]["reference"] for booking_id in cancelled - {running}} == {to_come["reference"]}
    assert {(after[i]["state"], after[i]["cancellation_reason"]) for i in cancelled} == {("cancelled", "pat")}
    assert {booking_id: after[booking_id]["state"] for booking_id in ended} == ended
    assert len(await everything(database, BookingEvent)) == events + 2
    (row,) = await everything(database, Erasure)
    assert (str(row["id"]), sorted(row["booking_ids"])) == (receipt["receipt"], sorted(map(str, before)))
    trail = [row for row in await everything(database, AuditEntry) if row["id"] not in entries]
    actions = [entry["action"] for entry in trail]
    assert {action: actions.count(action) for action in actions} == {
        "patient.erased": 6,
        "booking.cancelled": 2,
        "privacy.erased": 1,
    }
    assert {entry["subject"] for entry in trail if entry["action"] == "patient.erased"} == set(map(str, before))
    assert {entry["actor"] for entry in trail} == {row["actor"]}


async def test_the_seat_of_who_was_forgotten_is_free(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin)
    gone = await book(client, slot["id"], patient=PERSON)
    await erase(client, admin)
    assert (await client.get(f"/consultation-slots/{slot['id']}")).json()["seats_free"] == 1
    next_one = await book(client, slot["id"], patient=OTHER)
    assert next_one["reference"] != gone["reference"]


async def test_only_the_last_step_is_still_to_be_told(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slots = [await post_slot(client, admin, days=days) for days in (30, 31, 32)]
    told, untold, live = [await book(client, slot["id"], patient=PERSON) for slot in slots]
    for booking in (told, untold):
        address = f"/consultation-bookings/{booking['reference']}/cancel"
        assert (await client.post(address, headers=bearer(booking))).status_code == 200
    ids = {row["reference"]: row["id"] for row in await everything(database, ConsultationBooking)}
    tell = text("UPDATE outbox_messages SET delivered_at = not_before WHERE subject_id = :id")
    told_id = ids[told["reference"]]
    await run(database, tell.bindparams(id=told_id.hex if database.writer else told_id))
    await erase(client, admin)
    left = await everything(database, OutboxMessage)
    assert {(m["subject_id"], m["topic"], m["sequence"]) for m in left} == {
        (ids[untold["reference"]], "booking.cancelled", 2),
        (ids[live["reference"]], "booking.cancelled", 2),
    }


async def test_erasing_again_erases_nothing(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await book(client, (await post_slot(client, admin))["id"], patient=PERSON)
    receipts = [await erase(client, admin) for _ in range(2)]
    assert [(r["bookings"], r["cancelled"]) for r in receipts] == [(1, 1), (0, 0)]
    assert receipts[0]["receipt"] != receipts[1]["receipt"]
    assert {str(row["id"]) for row in await everything(database, Erasure)} == {r["receipt"] for r in receipts}
    assert len(await everything(database, AuditEntry, col(AuditEntry.action) == "patient.erased")) == 1


async def test_erasing_while_others_change_the_same_bookings(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slots = [await post_slot(client, admin, days=30 + number) for number in range(8)]
    free = [await post_slot(client, admin, days=50 + number) for number in range(4)]
    booked = [await book(client, slot["id"], patient=PERSON) for slot in slots]
    at = [f"/consultation-bookings/{booking['reference']}" for booking in booked]
    note = {"note": REASON}
    results = await asyncio.gather(
        *(client.post(f"{at[n]}/cancel", json=note, headers=bearer(booked[n])) for n in range(4)),
        *(client.post("/privacy/erase", json={"phone": PERSON["phone"]}, headers=admin) for _ in range(3)),
        *(
            client.post(f"{at[n]}/reschedule", json={"slot_id": free[n - 4]["id"]}, headers=bearer(booked[n]))
            for n in range(4, 8)
        ),
    )
    assert [answer.status_code for answer in results if answer.status_code not in (200, 409)] == []
    erased = [answer.json()["bookings"] for answer in results if "receipt" in answer.text]
    assert (len(erased), sum(erased)) == (3, 8)
    states = [row["state"] for row in await everything(database, ConsultationBooking)]
    assert states == ["cancelled"] * 8
    # Whoever cancelled after the erasure may have left a note, of whom nobody knows: no contact is kept with it.
    left = await everything(database, PatientDetail)
    assert [row for row in left if row["email_index"] or row["phone_index"]] == []
