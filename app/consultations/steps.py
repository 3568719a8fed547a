"""The steps of a booking's life, and what each leaves behind: an event, a message to carry out, a line in the trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, null, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations.tables import BookingEvent, BookingState, ConsultationBooking
from app.core.db import connection_of
from app.core.deferred import NewRow, defer
from app.delivery import outbox

_EVENT_COLUMNS: Final = (
    "booking_id", "version", "from_state", "to_state", "actor", "at", "previous_slot_id", "reason", "is_override",
)  # fmt: skip
_EVENT: Final = NewRow(BookingEvent.__table__, "event", _EVENT_COLUMNS)  # type: ignore[attr-defined]
_booking: Final = ConsultationBooking.__table__  # type: ignore[attr-defined]
_CHANGE: Final = (
    update(_booking)
    .where(_booking.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        state=bindparam("to_state"),
        cancellation_reason=bindparam("to_reason"),
        hold_expires_at=null(),
        hold_owner=null(),
        version=col(ConsultationBooking.version) + 1,
    )
)


@dataclass(frozen=True, slots=True)
class Before:
    """A booking before a step; its row is locked. One that is made now has neither state nor version."""

    id: UUID
    state: BookingState | None = None
    version: int = 0


async def change(
    session: AsyncSession,
    bookings: Sequence[Before],
    to: BookingState,
    *,
    at: datetime,
    by: str,
    reason: str | None = None,
) -> None:
    """Take these bookings to another state."""
    if not bookings:
        return
    values = {"ids": [booking.id for booking in bookings], "to_state": to, "to_reason": reason}
    await (await connection_of(session)).execute(_CHANGE, values)
    for booking in bookings:
        await leave_traces(session, booking, to, at=at, by=by, reason=reason)


async def leave_traces(
    session: AsyncSession,
    before: Before,
    to: BookingState,
    *,
    at: datetime,
    by: str,
    reason: str | None = None,
    previous_slot_id: UUID | None = None,
    is_override: bool = False,
) -> None:
    """What a step leaves behind."""
    version = before.version + 1
    values: tuple[Any, ...] = (
        before.id, version, before.state, to, by, at, previous_slot_id, reason, is_override,
    )  # fmt: skip
    defer(session, _EVENT, dict(zip(_EVENT_COLUMNS, values, strict=True)))
    # Who is booked before and after, in the same slot, was offered others.
    is_offer = previous_slot_id is None and before.state is to
    topic = f"booking.{'rescheduled' if previous_slot_id else 'offered' if is_offer else to}"
    outbox.enqueue(session, topic=topic, subject_id=before.id, sequence=version, at=at)
    field = "slot_id" if previous_slot_id else "offers" if is_offer else "state"
    fields = [field, *(["override_reason"] if is_override else [])]
    await audit.record(session, by=by, action=topic, subject=str(before.id), at=at, fields=fields)
