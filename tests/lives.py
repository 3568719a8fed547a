"""The life of a booking as the database tells it, and moments of it that a test cannot wait for."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlmodel import col

from app.access import callers
from app.access.tables import AuditEntry
from app.consultations.tables import BookingEvent, BookingState, ConsultationBooking
from app.core import clock
from app.core.db import Database
from app.core.ids import digest, new_reference, new_secret
from app.delivery.tables import OutboxMessage
from tests.rows import change_booking, everything, make_booking, run

A_YEAR = timedelta(days=365)
# Of no person: whoever holds a seat while a test says so.
HELD = {"state": BookingState.HELD, "hold_expires_at": clock.now() + A_YEAR}
STALE = {"state": BookingState.HELD, "hold_expires_at": clock.now() - timedelta(seconds=1)}


async def row_of(database: Database, booking: dict[str, Any]) -> dict[str, Any]:
    """The row of a booking."""
    (row,) = await everything(database, ConsultationBooking, col(ConsultationBooking.reference) == booking["reference"])
    return row


async def put_booking(database: Database, slot_id: UUID, **changes: Any) -> dict[str, Any]:
    """Put a booking of this slot there, past the room's own rules; returns its reference and its holder's token."""
    token, reference = new_secret("cp_booking_"), new_reference()
    await make_booking(database, slot_id, reference=reference, secret_hash=digest(token), **changes)
    return {"reference": reference, "token": token}


async def put_ended(database: Database, slot_id: UUID, end: BookingState, **changes: Any) -> dict[str, Any]:
    """Put a booking there that has ended like this."""
    before = HELD if end is BookingState.EXPIRED else {}
    booking = await put_booking(database, slot_id, **before, **changes)
    row = await row_of(database, booking)
    await run(database, change_booking(row["id"], state=end, hold_expires_at=None))
    return booking


async def run_out(database: Database, held: dict[str, Any]) -> None:
    """Let the time of a hold be over since a second; nobody tidies up."""
    row = await row_of(database, held)
    await run(database, change_booking(row["id"], hold_expires_at=clock.now() - timedelta(seconds=1)))


async def events_of(database: Database, booking: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of a booking, in order: each has its message and its line in the trail, and there are no others."""
    booking_id = (await row_of(database, booking))["id"]
    events = await everything(database, BookingEvent, col(BookingEvent.booking_id) == booking_id)
    events.sort(key=lambda event: event["version"])
    topics = [(event["version"], f"booking.{_kind_of(event)}") for event in events]
    messages = await everything(database, OutboxMessage, col(OutboxMessage.subject_id) == booking_id)
    assert sorted((message["sequence"], message["topic"]) for message in messages) == topics
    entries = await everything(
        database,
        AuditEntry,
        col(AuditEntry.subject) == str(booking_id),
        col(AuditEntry.action).startswith("booking."),
    )
    told = sorted((entry["at"], entry["action"], entry["actor"]) for entry in entries)
    assert told == sorted(
        (event["at"], topic, event["actor"]) for event, (_, topic) in zip(events, topics, strict=True)
    )
    return events


def _kind_of(event: dict[str, Any]) -> str:
    if event["previous_slot_id"]:
        return "rescheduled"
    return "offered" if event["from_state"] == event["to_state"] else str(event["to_state"])


async def steps_of(database: Database, booking: dict[str, Any]) -> list[tuple[int, str | None, str, str]]:
    """The same as version, state before, state after, and who did it."""
    events = await events_of(database, booking)
    return [(event["version"], event["from_state"], event["to_state"], event["actor"]) for event in events]


async def actor_of(database: Database, headers: dict[str, str]) -> str:
    """How the records name the caller who sends these headers."""
    token = headers["Authorization"].removeprefix("Bearer ")
    async with database.read() as session:
        return (await callers.identify(session, token)).actor
