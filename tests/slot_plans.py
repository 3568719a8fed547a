"""Plans of slots: made, applied, and what the database says after them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations.schedule_tables import BookingOffer, SlotPlan
from app.consultations.tables import BookingEvent, ConsultationBooking, ConsultationSlot
from app.core.db import Database
from app.delivery.tables import OutboxMessage
from app.doctor import broken_ids, read_invariants
from tests.rows import everything

# All that a plan could change.
TABLES = (ConsultationSlot, ConsultationBooking, BookingEvent, OutboxMessage, BookingOffer)


def wish(action: str, slots: Sequence[dict[str, Any]] | None, bookings: str, **changes: Any) -> dict[str, Any]:
    """What is to be done with these slots; with a filter instead, where it is given."""
    choice = {"ids": [slot["id"] for slot in slots]} if slots is not None else {"filter": changes.pop("filter")}
    return {"action": action, "slots": choice, "bookings": bookings} | changes


async def make(client: httpx.AsyncClient, admin: dict[str, str], *said: Any, **changes: Any) -> dict[str, Any]:
    """Make a plan; returns it."""
    answer = await client.post("/slot-plans", json=wish(*said, **changes), headers=admin)
    assert answer.status_code == 201, answer.text
    plan: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/slot-plans/{plan['id']}"
    return plan


async def apply(client: httpx.AsyncClient, admin: dict[str, str], plan: dict[str, Any]) -> httpx.Response:
    """Apply a plan."""
    return await client.post(f"/slot-plans/{plan['id']}/apply", headers=admin)


async def carry_out(client: httpx.AsyncClient, admin: dict[str, str], *said: Any, **changes: Any) -> dict[str, Any]:
    """Make a plan and apply it; what was done."""
    answer = await apply(client, admin, await make(client, admin, *said, **changes))
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done


async def slot_now(client: httpx.AsyncClient, slot: dict[str, Any] | str) -> dict[str, Any]:
    """A slot as everybody reads it."""
    slot_id = slot if isinstance(slot, str) else slot["id"]
    found: dict[str, Any] = (await client.get(f"/consultation-slots/{slot_id}")).json()
    return found


async def snapshot(database: Database) -> list[list[dict[str, Any]]]:
    """All rows that a plan could change, its own included."""
    found = [await everything(database, table) for table in TABLES]
    trail = await everything(database, AuditEntry, col(AuditEntry.action) != "slot_plan.created")
    for entry in trail:
        # The trail is sealed whenever the worker comes by.
        del entry["seal"]
    applied = await everything(database, SlotPlan, col(SlotPlan.applied_at).is_not(None))
    return [sorted(rows, key=str) for rows in (*found, trail, applied)]


async def assert_sound(database: Database) -> None:
    """Every invariant holds."""
    assert await broken_ids(database) == {name: [] for name in read_invariants()}


def later(slot: dict[str, Any], minutes: int) -> str:
    """The begin of a slot so many minutes later, as answers write it."""
    moment = datetime.fromisoformat(slot["starts_at"]) + timedelta(minutes=minutes)
    return moment.isoformat().replace("+00:00", "Z")


def all_bookings(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The bookings of a plan, by their references."""
    return {booking["reference"]: booking for slot in plan["slots"] for booking in slot["bookings"]}
