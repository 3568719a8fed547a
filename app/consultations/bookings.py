"""Consultation bookings: the one promise is that a seat is given once.

No count decides and no isolation level: the unique index on live seats does. See `seats.py` for how one is taken and
`steps.py` for what each step leaves behind.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.callers import BOOKING_PREFIX
from app.consultations import booking_queries, offers, seats, steps
from app.consultations.errors import (
    BookingEnded,
    BookingNotFound,
    DeadlinePassed,
    HoldExpired,
    NotBegun,
    ReschedulesUsedUp,
    SlotNotForCondition,
    SlotTaken,
)
from app.consultations.policies import Allowance, Policy
from app.consultations.reasons import CancellationReason
from app.consultations.steps import Before
from app.consultations.tables import BookingState, SlotStatus
from app.core import clock
from app.core.db import rows
from app.core.ids import digest, new_reference, new_secret, parse_reference

_NOBODY: Final = digest("nobody's token")


@dataclass(frozen=True, slots=True)
class Topic:
    """The condition that a consultation is about, the category that it belongs to, and what its page says to bring."""

    condition_id: UUID
    # None where it does not matter: for the condition that a slot itself is offered for.
    category_id: UUID | None
    slug: str
    name: str
    what_to_bring: dict[str, Any] | None
    page_revision: int | None


@dataclass(frozen=True, slots=True)
class Booking:
    """A claim on a seat at one moment, with its slot's row (see `slot_queries`), as the doors need it."""

    id: UUID
    reference: str
    # A hold whose time is over is expired, whether or not somebody has tidied up.
    state: BookingState
    hold_expires_at: datetime | None
    # As its page was when it was booked.
    topic: Topic | None
    reschedule_count: int
    cancellation_reason: str | None
    version: int
    # How many changes it has seen, the end of a hold that is over included, whether or not somebody has tidied up.
    changes: int
    created_at: datetime
    changed_at: datetime
    slot: Row[Any]
    # When this was true: the moment that decides.
    now: datetime

    def allowance(self, hospital: Policy) -> Allowance:
        """What its location's policy comes to."""
        policy = hospital.at_location(self.slot)
        return Allowance.under(policy, starts_at=self.slot.starts_at, reschedule_count=self.reschedule_count)

    def is_within_notice(self, hospital: Policy) -> bool:
        """Whether its slot begins sooner than patients are to book: staff have gone past the policy."""
        return bool(self.slot.starts_at <= self.now + hospital.at_location(self.slot).min_notice)

    @property
    def before(self) -> Before:
        """The same, as `steps` takes it."""
        return Before(self.id, self.state, self.version)


@dataclass(frozen=True, slots=True)
class NewBooking:
    """What becomes a booking: about what; held for a while, or booked."""

    id: UUID
    topic: Topic | None
    # None books at once.
    held_for: timedelta | None = None
    hold_owner: bytes | None = None
    # Staff may book within the notice that patients are to give.
    may_override: bool = False


async def book(
    session: AsyncSession, new: NewBooking, slot: Row[Any], *, policy: Policy, by: str
) -> tuple[Booking, str]:
    """Take a seat of this slot, whose row is locked. Returns the booking and its token.

    Raises SlotTaken, SlotNotForCondition. Two parties race here: others who want this slot, and an admin who closes or
    cancels it. The row's lock lets them through one by one (on SQLite one transaction writes at a time). The price:
    bookings of one slot do not run side by side.
    """
    notice = policy.at_location(slot).min_notice
    _refuse_unless_bookable(slot, new.topic, timedelta(0) if new.may_override else notice, now=slot.now)
    _refuse_other_topic(slot, new.topic)
    # Most who come too late can be told for little: the slot was full before its lock was had, and still is.
    if slot.taken >= slot.capacity and (reason := await seats.why_full(session, slot)) is not None:
        raise _taken(reason, slot, new.topic)
    expires_at = None if new.held_for is None else min(slot.now + new.held_for, slot.starts_at)
    state = BookingState.BOOKED if expires_at is None else BookingState.HELD
    token, reference = new_secret(BOOKING_PREFIX), new_reference()
    about = _about(new.topic)
    made = about | {
        "id": new.id,
        "slot_id": slot.id,
        "reference": reference,
        "secret_hash": digest(token),
        "state": state,
        "hold_expires_at": expires_at,
        "hold_owner": new.hold_owner,
        "created_at": slot.now,
    }
    seats.take(session, made, slot, refusal=lambda reason: _taken(reason, slot, new.topic))
    booking = Booking(
        id=new.id,
        reference=reference,
        state=state,
        hold_expires_at=expires_at,
        topic=new.topic,
        reschedule_count=0,
        cancellation_reason=None,
        version=1,
        changes=0,
        created_at=slot.now,
        changed_at=slot.now,
        slot=slot,
        now=slot.now,
    )
    is_override = booking.is_within_notice(policy)
    await steps.leave_traces(session, Before(new.id), state, at=slot.now, by=by, is_override=is_override)
    return booking, token


async def confirm(session: AsyncSession, booking: Booking, *, by: str) -> None:
    """Make a hold a booking. Raises HoldExpired, BookingEnded."""
    if booking.state is BookingState.EXPIRED:
        raise HoldExpired
    if booking.state is not BookingState.HELD:
        raise BookingEnded
    await steps.change(session, [booking.before], BookingState.BOOKED, at=booking.now, by=by)


async def cancel(
    session: AsyncSession, booking: Booking, *, reason: CancellationReason, policy: Policy, staff: bool, by: str
) -> None:
    """Give the seat back. Raises DeadlinePassed for a patient who comes too late, BookingEnded for any other end."""
    if booking.state is BookingState.CANCELLED:
        return
    if booking.state not in (BookingState.HELD, BookingState.BOOKED):
        raise BookingEnded
    late = booking.now >= booking.allowance(policy).cancel_until
    if late and booking.state is BookingState.BOOKED and not staff:
        raise DeadlinePassed
    await steps.change(session, [booking.before], BookingState.CANCELLED, at=booking.now, by=by, reason=reason)


async def reschedule(
    session: AsyncSession,
    booking: Booking,
    slot: Row[Any],
    topic: Topic | None,
    *,
    policy: Policy,
    past_policy: bool,
    by: str,
) -> bool:
    """Move a booking to this slot, whose row was locked before the booking's: the new seat first, then the old is free.

    `topic` is the booking's, or the slot's where the booking has none. Says whether staff went past the policy. Raises
    DeadlinePassed, ReschedulesUsedUp, SlotTaken, SlotNotForCondition, BookingEnded; the booking is then as it was.
    """
    if booking.state is not BookingState.BOOKED:
        raise BookingEnded
    allowance = booking.allowance(policy)
    late, used_up = booking.now >= allowance.reschedule_until, not allowance.reschedules_left
    notice = policy.at_location(slot).min_notice
    # Where the hospital asks for it, nobody is too late. Whichever slot is chosen, nothing is offered any more.
    is_offered = slot.id in await offers.withdraw(session, booking.id)
    if not past_policy and not is_offered:
        if late:
            raise DeadlinePassed
        if used_up:
            raise ReschedulesUsedUp
    # By the time at which the second lock was had: waiting for it may have taken a while.
    needed = timedelta(0) if past_policy or is_offered else notice
    _refuse_unless_bookable(slot, topic, needed, now=booking.now, own=booking.slot.id)
    _refuse_other_topic(slot, topic)
    moved = {f"new_{name}": value for name, value in _about(topic).items()}
    refused = await seats.move(session, booking.before, slot, topic=moved)
    if refused is not None:
        raise _taken(refused, slot, topic, own=booking.slot.id)
    is_override = past_policy and not is_offered and (late or used_up or slot.starts_at <= booking.now + notice)
    await steps.leave_traces(
        session,
        booking.before,
        BookingState.BOOKED,
        at=booking.now,
        by=by,
        previous_slot_id=booking.slot.id,
        is_override=is_override,
    )
    return is_override


async def mark(session: AsyncSession, booking: Booking, to: BookingState, *, by: str) -> None:
    """Say how a consultation ended: fulfilled or no_show. Raises NotBegun, BookingEnded."""
    if booking.state is to:
        return
    if booking.state is not BookingState.BOOKED:
        raise BookingEnded
    if booking.now < booking.slot.starts_at:
        raise NotBegun
    await steps.change(session, [booking.before], to, at=booking.now, by=by)


async def get(session: AsyncSession, reference: str, *, token: str | None = None, lock: bool = False) -> Booking:
    """A booking by what was said of its reference; with a token, only its holder's. Raises BookingNotFound.

    An unknown reference and a foreign token take the same steps and the same time. Whoever means to change the booking
    locks it, once it is known to be theirs.
    """
    known = parse_reference(reference) or ""
    found = await rows(session, booking_queries.by_reference(lock=lock), {"reference": known})
    if lock and not found:
        # Whoever we waited for moved it to a slot that was made just then: our statement began too early to see that.
        found = await rows(session, booking_queries.by_reference(lock=lock), {"reference": known})
    secret_hash = found[0].booking_secret_hash if found else _NOBODY
    is_theirs = token is None or hmac.compare_digest(digest(token), secret_hash)
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
    values: dict[str, Any] = {"slot_id": slot_id, "after": after}
    values = {name: value for name, value in values.items() if value is not None}
    asked = frozenset(values) | ({str(state)} if state is not None else set())
    return [_booking(row) for row in await rows(session, booking_queries.listing(asked), values | {"limit": limit})]


async def cancel_all_of(session: AsyncSession, slot_id: UUID, *, reason: CancellationReason, by: str) -> None:
    """Cancel every live booking of a slot whose row is locked. Holds that are over expire instead."""
    found = await rows(session, booking_queries.live_of_slot(), {"slot_id": slot_id})
    # After their locks were waited for: an event is never older than the one before it.
    at = await clock.now_in(session)
    live = [Before(row.id, BookingState(row.state), row.version) for row in found]
    stale = {row.id for row in found if row.hold_expires_at is not None and row.hold_expires_at <= at}
    gone, left = [b for b in live if b.id in stale], [b for b in live if b.id not in stale]
    await steps.change(session, gone, BookingState.EXPIRED, at=at, by=by)
    await steps.change(session, left, BookingState.CANCELLED, at=at, by=by, reason=reason)


def _refuse_unless_bookable(
    slot: Row[Any], topic: Topic | None, notice: timedelta, *, now: datetime, own: UUID | None = None
) -> None:
    if slot.status != SlotStatus.OPEN:
        raise _taken(slot.status, slot, topic, own=own)
    if slot.starts_at <= now + notice:
        raise _taken("past", slot, topic, own=own)


def _taken(reason: str, slot: Row[Any], topic: Topic | None, *, own: UUID | None = None) -> SlotTaken:
    wanted = {
        # Not the slot that the booking has already, either.
        "refused_ids": [slot.id, *([own] if own else [])],
        "condition_id": topic.condition_id if topic else slot.condition_id,
        "category_id": topic.category_id if topic else slot.category_id,
    }
    return SlotTaken(reason, wanted=wanted)


def _refuse_other_topic(slot: Row[Any], topic: Topic | None) -> None:
    if topic is None:
        return
    if slot.condition_id not in (None, topic.condition_id) or slot.category_id not in (None, topic.category_id):
        raise SlotNotForCondition


def _about(topic: Topic | None) -> dict[str, Any]:
    return {
        "condition_id": topic.condition_id if topic else None,
        "what_to_bring": topic.what_to_bring if topic else None,
        "page_revision": topic.page_revision if topic else None,
    }


def _topic(row: Row[Any]) -> Topic | None:
    if row.topic_slug is None:
        return None
    return Topic(
        row.booking_condition_id,
        row.topic_category_id,
        row.topic_slug,
        row.topic_name or row.topic_slug,
        row.booking_what_to_bring,
        row.booking_page_revision,
    )


def _booking(row: Row[Any]) -> Booking:
    is_over = row.booking_hold_expires_at is not None and row.booking_hold_expires_at <= row.now
    changed_at = row.booking_hold_expires_at if is_over else row.changed_at
    return Booking(
        id=row.booking_id,
        reference=row.booking_reference,
        state=BookingState.EXPIRED if is_over else BookingState(row.booking_state),
        hold_expires_at=None if is_over else row.booking_hold_expires_at,
        topic=_topic(row),
        reschedule_count=row.booking_reschedule_count,
        cancellation_reason=row.booking_cancellation_reason,
        version=row.booking_version,
        changes=row.booking_version if is_over else row.booking_version - 1,
        created_at=row.booking_created_at,
        changed_at=changed_at or row.booking_created_at,
        slot=row,
        now=row.now,
    )
