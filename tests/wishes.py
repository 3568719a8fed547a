"""What clients send: valid requests, to be changed where a test wants something else."""

import uuid
from collections.abc import Mapping
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
    return {"slot_id": slot_id} | confirmation() | changes


def hold_wish(slot_id: str, **changes: Any) -> dict[str, Any]:
    """A hold of a seat of this slot."""
    return {"slot_id": slot_id} | changes


def confirmation(**changes: Any) -> dict[str, Any]:
    """What makes a hold a booking."""
    wish = {"patient": PATIENT, "reason": "Synthetic reason.", "consent": {"text_version": "v1"}}
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


async def hold(
    client: httpx.AsyncClient, slot_id: str, *, headers: Mapping[str, str] = {}, **changes: Any
) -> dict[str, Any]:
    """Hold a seat of this slot; returns the hold with its token."""
    wish = hold_wish(slot_id, **changes)
    answer = await client.post("/consultation-bookings", json=wish, headers=new_key() | dict(headers))
    assert answer.status_code == 201, answer.text
    held: dict[str, Any] = answer.json()
    return held


async def act(
    client: httpx.AsyncClient,
    booking: dict[str, Any],
    action: str,
    wish: dict[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Do this with a booking; as its holder, unless these are somebody else's headers."""
    address = f"/consultation-bookings/{booking['reference']}/{action}"
    return await client.post(address, json=wish, headers=headers or bearer(booking))


async def read(
    client: httpx.AsyncClient, booking: dict[str, Any], *, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The booking as its holder sees it, or whoever has these headers."""
    answer = await client.get(f"/consultation-bookings/{booking['reference']}", headers=headers or bearer(booking))
    assert answer.status_code == 200, answer.text
    seen: dict[str, Any] = answer.json()
    return seen


async def seats_free(client: httpx.AsyncClient, slot_id: str) -> int:
    """How many seats of this slot everybody is told are free."""
    free: int = (await client.get(f"/consultation-slots/{slot_id}")).json()["seats_free"]
    return free


async def listed(client: httpx.AsyncClient, query: str = "", headers: Mapping[str, str] = {}) -> list[str]:
    """The ids of the slots that this query finds."""
    answer = await client.get(f"/consultation-slots?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [slot["id"] for slot in answer.json()["items"]]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """The status and the name of a refusal."""
    return answer.status_code, answer.json().get("code", "no problem")


def bearer(booking: dict[str, Any]) -> dict[str, str]:
    """The headers of the booking's holder."""
    return {"Authorization": f"Bearer {booking['token']}"}
