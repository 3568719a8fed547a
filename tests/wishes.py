"""What clients send: valid requests, to be changed where a test wants something else."""

import uuid
from datetime import timedelta
from typing import Any

import httpx

from app.core import clock

PATIENT = {"name": "Synthetic Patient", "email": "synthetic.patient@example.com", "phone": "+4930901820"}


def slot_wish(*, days: float = 30, minutes: int = 30, **changes: Any) -> dict[str, Any]:
    """A slot that begins in so many days and lasts so many minutes."""
    starts_at = (clock.now() + timedelta(days=days)).replace(microsecond=0)
    wish = {
        "starts_at": starts_at.isoformat(),
        "ends_at": (starts_at + timedelta(minutes=minutes)).isoformat(),
        "time_zone": "Europe/Berlin",
        "mode": "video",
        "capacity": 1,
    }
    return wish | changes


def booking_wish(slot_id: str, **changes: Any) -> dict[str, Any]:
    """A booking of this slot."""
    wish = {"slot_id": slot_id, "patient": PATIENT, "reason": "Synthetic reason.", "consent": {"text_version": "v1"}}
    return wish | changes


def new_key() -> dict[str, str]:
    """The header that names one attempt."""
    return {"Idempotency-Key": str(uuid.uuid4())}


async def post_slot(client: httpx.AsyncClient, admin: dict[str, str], **changes: Any) -> dict[str, Any]:
    """Post a slot; returns it."""
    answer = await client.post("/consultation-slots", json=slot_wish(**changes), headers=admin)
    assert answer.status_code == 201, answer.text
    slot: dict[str, Any] = answer.json()
    return slot


async def book(client: httpx.AsyncClient, slot_id: str, **changes: Any) -> dict[str, Any]:
    """Book a seat of this slot; returns the booking with its token."""
    answer = await client.post("/consultation-bookings", json=booking_wish(slot_id, **changes), headers=new_key())
    assert answer.status_code == 201, answer.text
    booking: dict[str, Any] = answer.json()
    return booking


def bearer(booking: dict[str, Any]) -> dict[str, str]:
    """The headers of the booking's holder."""
    return {"Authorization": f"Bearer {booking['token']}"}
