"""Consultation bookings: the one promise is that a seat is given once.

No count decides and no isolation level: the unique index on live seats does. The query only guesses well.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, insert, literal, update
from sqlalchemy import select as core_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.access.callers import BOOKING_PREFIX
from app.consultations import patients
from app.consultations.errors import BookingEnded, BookingNotFound, SlotNotForCondition, SlotTaken
from app.consultations.shapes import ConsultationBookingCreate
from app.consultations.tables import (
    LIVE,
    BookingEvent,
    BookingState,
    ConsultationBooking,
    ConsultationSlot,
    SlotStatus,
)
from app.core import clock
from app.core.crypto import Keyring
from app.core.db import rows
from app.core.errors import InvalidInput
from app.core.ids import digest, new_reference, new_secret, parse_reference
from app.delivery import outbox

_NOBODY: Final = digest("nobody's token")


@dataclass(frozen=True, slots=True)
class Booking:
    """A claim on a seat, as the doors need it."""

    id: UUID
    reference: str
    state: BookingState
    slot_id: UUID
    condition_id: UUID | None
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class Topic:
    """The condition that a consultation is about, and the category that it belongs to."""

    condition_id: UUID
    category_id: UUID


async def book(
    session: AsyncSession,
    wish: ConsultationBookingCreate,
    *,
    booking_id: UUID,
    topic: Topic | None,
    keyring: Keyring,
    by: str,
) -> tuple[Booking, str]:
    """Take a seat for a patient; returns the booking and its token. Raises SlotTaken, SlotNotForCondition.

    Two parties race here: others who book this slot, and an admin who closes or cancels it. On PostgreSQL the slot's
    row lock lets them through one by one, in a statement of its own so that the next one sees what the last one did;
    on SQLite one transaction writes at a time. The price: bookings of one slot do not run side by side.
    """
    slot = await _lock(session, wish.slot_id)
    now = await clock.now_in(session)
    _refuse_unless_bookable(slot, now)
    booking = Booking(
        id=booking_id,
        reference=new_reference(),
        state=BookingState.BOOKED,
        slot_id=slot.id,
        condition_id=_condition_for(slot, topic),
        created_at=now,
        version=1,
    )
    token = new_secret(BOOKING_PREFIX)
    await _take_seat(session, booking, slot.capacity, secret_hash=digest(token), consent=wish.consent.text_version)
    await patients.seal(session, booking_id, wish.patient, wish.reason, keyring=keyring)
    await _tell(session, booking, None, at=now, by=by)
    return booking, token


async def cancel(session: AsyncSession, booking: Booking, *, by: str) -> Booking:
    """Give the seat back. Cancelling what is cancelled changes nothing; raises BookingEnded for any other end."""
    changed = await session.exec(
        update(ConsultationBooking)
        .where(col(ConsultationBooking.id) == booking.id, LIVE)
        .values(state=BookingState.CANCELLED, hold_expires_at=None, version=col(ConsultationBooking.version) + 1)
        .returning(*_columns())
    )
    row = changed.first()
    if row is None:
        (ended,) = await rows(session, core_select(*_columns()).where(col(ConsultationBooking.id) == booking.id))
        if ended.state != BookingState.CANCELLED:
            raise BookingEnded
        return _booking(ended)
    cancelled = _booking(row)
    await _tell(session, cancelled, booking.state, at=await clock.now_in(session), by=by)
    return cancelled


async def get(session: AsyncSession, reference: str, *, token: str | None = None) -> Booking:
    """A booking by what was said of its reference; with a token, only its holder's. Raises BookingNotFound.

    An unknown reference and a foreign token take the same steps and the same time.
    """
    query = core_select(*_columns(), col(ConsultationBooking.secret_hash)).where(
        col(ConsultationBooking.reference) == (parse_reference(reference) or "")
    )
    found = await rows(session, query)
    known = found[0].secret_hash if found else _NOBODY
    is_theirs = token is None or hmac.compare_digest(digest(token), known)
    if not found or not is_theirs:
        raise BookingNotFound
    return _booking(found[0])


async def find(
    session: AsyncSession,
    *,
    slot_id: UUID | None = None,
    state: BookingState | None = None,
    limit: int,
    after: UUID | None = None,
) -> list[Booking]:
    """Bookings, newest first."""
    query = core_select(*_columns()).order_by(col(ConsultationBooking.id).desc()).limit(limit)
    if slot_id is not None:
        query = query.where(col(ConsultationBooking.slot_id) == slot_id)
    if state is not None:
        query = query.where(col(ConsultationBooking.state) == state)
    if after is not None:
        query = query.where(col(ConsultationBooking.id) < after)
    return [_booking(row) for row in await rows(session, query)]


async def _lock(session: AsyncSession, slot_id: UUID) -> Row[Any]:
    slot = ConsultationSlot
    query = (
        core_select(
            col(slot.id),
            col(slot.starts_at),
            col(slot.capacity),
            col(slot.status),
            col(slot.condition_id),
            col(slot.category_id),
        )
        .where(col(slot.id) == slot_id)
        .with_for_update(key_share=True)
    )
    found = await rows(session, query)
    if not found:
        raise InvalidInput.at("/slot_id", "unknown_reference", "names nothing that is known here")
    slot_row: Row[Any] = found[0]
    return slot_row


def _refuse_unless_bookable(slot: Row[Any], now: datetime) -> None:
    if slot.status != SlotStatus.OPEN:
        raise SlotTaken(slot.status)
    if slot.starts_at <= now:
        raise SlotTaken("past")


def _condition_for(slot: Row[Any], topic: Topic | None) -> UUID | None:
    if topic is None:
        condition: UUID | None = slot.condition_id
        return condition
    if slot.condition_id not in (None, topic.condition_id) or slot.category_id not in (None, topic.category_id):
        raise SlotNotForCondition
    return topic.condition_id


async def _take_seat(
    session: AsyncSession, booking: Booking, capacity: int, *, secret_hash: bytes, consent: str
) -> None:
    """Insert the booking at the lowest free seat; raises SlotTaken when there is none."""
    seats = core_select(literal(1).label("seat")).cte("seats", recursive=True)
    seats = seats.union_all(core_select(seats.c.seat + 1).where(seats.c.seat < capacity))
    live = (
        core_select(col(ConsultationBooking.id))
        .where(col(ConsultationBooking.slot_id) == booking.slot_id, col(ConsultationBooking.seat) == seats.c.seat, LIVE)
        .correlate(seats)
    )
    lowest = core_select(func.min(seats.c.seat).label("seat")).where(~live.exists()).subquery("lowest")
    columns = {
        "id": booking.id,
        "slot_id": booking.slot_id,
        "reference": booking.reference,
        "secret_hash": secret_hash,
        "condition_id": booking.condition_id,
        "state": booking.state,
        "consent_text_version": consent,
        "version": booking.version,
        "created_at": booking.created_at,
    }
    table = ConsultationBooking
    values = [literal(value, getattr(table, name).type) for name, value in columns.items()]
    insert_into = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    taken = await session.exec(
        insert_into(table)
        .from_select([*columns, "seat"], core_select(*values, lowest.c.seat).where(lowest.c.seat.is_not(None)))
        .on_conflict_do_nothing(index_elements=["slot_id", "seat"], index_where=LIVE)
        .returning(col(table.seat))
    )
    if taken.first() is None:
        raise SlotTaken("taken")


async def _tell(session: AsyncSession, booking: Booking, before: BookingState | None, *, at: datetime, by: str) -> None:
    """What every step of a booking's life leaves behind: an event, a message to be carried out, a line in the trail."""
    await session.exec(
        insert(BookingEvent).values(
            booking_id=booking.id,
            version=booking.version,
            from_state=before,
            to_state=booking.state,
            actor=by,
            at=at,
        )
    )
    topic = f"booking.{booking.state}"
    await outbox.enqueue(session, topic=topic, subject_id=booking.id, sequence=booking.version, at=at)
    await audit.record(session, by=by, action=topic, subject=str(booking.id), at=at, fields=["state"])


def _columns() -> tuple[Any, ...]:
    table = ConsultationBooking
    return (
        table.id, table.reference, table.state, table.slot_id, table.condition_id, table.created_at, table.version
    )  # fmt: skip


def _booking(row: Row[Any]) -> Booking:
    return Booking(
        row.id, row.reference, BookingState(row.state), row.slot_id, row.condition_id, row.created_at, row.version
    )
