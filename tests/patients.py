"""Patients who are planted past the rooms' own rules, in bookings of any time and state."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Insert, insert

from app.consultations import patients
from app.consultations.tables import BookingEvent, BookingState, PatientDetail
from app.core.crypto import Keyring
from app.core.db import Database
from tests.rows import change_booking, make_booking, make_slot, run

PERSON = {
    "name": "Ottilie Brandwein-Kolb",
    "email": "Ottilie.Brandwein@planted.example.com",
    "phone": "+49301938475699",
}
REASON = "Vorsichtig planted words about a bruised shin"
OTHER = {"name": "Somebody Else-Entirely", "email": "somebody.else@planted.example.com", "phone": "+4930901820"}
DOORS = ("/privacy/export", "/privacy/erase")


async def ask(client: httpx.AsyncClient, admin: dict[str, str], door: str = DOORS[0], **wish: Any) -> dict[str, Any]:
    """Ask for what is held on this person."""
    answer = await client.post(door, json=wish or {"email": PERSON["email"]}, headers=admin)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told: dict[str, Any] = answer.json()
    return told


def new_patient(keyring: Keyring, booking_id: UUID, **told: Any) -> Insert:
    """What a patient told for this booking, sealed as the room seals it."""
    said = told or PERSON | {"reason": REASON}
    sealed = keyring.seal(json.dumps(said).encode(), context=patients.context(booking_id))
    indexes = {
        f"{way}_index": keyring.blind_index(patients.normalised(said[way])) for way in ("email", "phone") if way in said
    }
    return insert(PatientDetail).values(
        booking_id=booking_id,
        key_id=sealed.key_id,
        wrapped_key=sealed.wrapped_key,
        nonce=sealed.nonce,
        ciphertext=sealed.ciphertext,
        consent_text_version="v1",
        **indexes,
    )


async def make_patient(
    database: Database, keyring: Keyring, *, state: BookingState, ends_at: datetime, changed_at: datetime | None = None
) -> UUID:
    """A booking with its patient, in this state since `changed_at`, of a slot that ends then; returns its id."""
    slot_id = await make_slot(database, starts_at=ends_at - timedelta(hours=1), ends_at=ends_at)
    made_at = ends_at - timedelta(days=90)
    first = BookingState.HELD if state is BookingState.EXPIRED else BookingState.BOOKED
    expires_at = made_at + timedelta(minutes=5) if first is BookingState.HELD else None
    booking_id = await make_booking(database, slot_id, state=first, hold_expires_at=expires_at, created_at=made_at)
    await run(database, new_patient(keyring, booking_id), _event(booking_id, 1, None, first, made_at))
    if state is not first:
        await run(
            database,
            change_booking(booking_id, state=state, hold_expires_at=None),
            _event(booking_id, 2, first, state, changed_at or ends_at),
        )
    return booking_id


def _event(booking_id: UUID, version: int, before: BookingState | None, after: BookingState, at: datetime) -> Insert:
    return insert(BookingEvent).values(
        booking_id=booking_id, version=version, from_state=before, to_state=after, actor="synthetic", at=at
    )
