"""What is kept for so long, and no longer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Delete, Integer, Uuid, bindparam, delete, or_, tuple_
from sqlalchemy import select as core_select
from sqlmodel import UTCDateTime, col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.access.tables import IdempotencyRecord
from app.consultations import patients
from app.consultations.schedule_tables import BookingOffer, SlotPlan
from app.consultations.tables import (
    BookingEvent,
    BookingState,
    ConsultationBooking,
    ConsultationSlot,
    Erasure,
    PatientDetail,
)
from app.core import clock, wiping
from app.core.db import Database, connection_of, rows
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage

# Rows that one transaction looks at, so that nobody waits long for it.
AT_ONCE: Final = 200
# What a purge makes sure of: that files hold nothing more of who was erased since the purge before it, and then some.
_ERASED_LATELY: Final = timedelta(hours=3)
MESSAGES_KEPT_FOR: Final = timedelta(days=30)
# After they have expired, applied or not: who applied one may ask for what was done.
PLANS_KEPT_FOR: Final = timedelta(days=7)
# Tables whose rows hold what is sealed.
SEALED: Final = ("patient_details", "idempotency_keys")

# From when a state's days are counted: from the end of the consultation, or from the step that meant there would be
# none.
_SINCE: Final[Mapping[BookingState, Any]] = {
    BookingState.BOOKED: ConsultationSlot.ends_at,
    BookingState.FULFILLED: ConsultationSlot.ends_at,
    BookingState.NO_SHOW: ConsultationSlot.ends_at,
    BookingState.CANCELLED: BookingEvent.at,
    BookingState.EXPIRED: BookingEvent.at,
}
_LIMIT: Final = bindparam("limit", type_=Integer())
_BEFORE: Final = bindparam("before", type_=UTCDateTime())
# The other tables only grow. This one holds no more than a span of retention, and is gone through in its own order.
_NEXT: Final = (
    core_select(col(PatientDetail.booking_id))
    .where(col(PatientDetail.booking_id) > bindparam("after", type_=Uuid()))
    .order_by(col(PatientDetail.booking_id))
    .limit(_LIMIT)
)
# Whatever somebody is busy with is left for the next time.
DUE: Final = (
    core_select(col(PatientDetail.booking_id))
    .join(ConsultationBooking, col(ConsultationBooking.id) == col(PatientDetail.booking_id))
    .join(ConsultationSlot, col(ConsultationSlot.id) == col(ConsultationBooking.slot_id))
    .outerjoin(
        BookingEvent,
        (col(BookingEvent.booking_id) == col(ConsultationBooking.id))
        & (col(BookingEvent.version) == col(ConsultationBooking.version)),
    )
    .where(
        col(PatientDetail.booking_id).in_(bindparam("ids", expanding=True)),
        or_(
            *(
                (col(ConsultationBooking.state) == state) & (col(since) <= bindparam(state, type_=UTCDateTime()))
                for state, since in _SINCE.items()
            )
        ),
    )
    .with_for_update(of=[PatientDetail, ConsultationBooking], skip_locked=True)
)
_FORGET: Final = delete(PatientDetail).where(col(PatientDetail.booking_id).in_(bindparam("ids", expanding=True)))
_key: Final = (col(IdempotencyRecord.caller), col(IdempotencyRecord.operation), col(IdempotencyRecord.key_hash))
EXPIRED_ANSWERS: Final = delete(IdempotencyRecord).where(
    tuple_(*_key).in_(
        core_select(*_key)
        .where(col(IdempotencyRecord.expires_at) <= _BEFORE)
        .order_by(col(IdempotencyRecord.expires_at))
        .limit(_LIMIT)
        .with_for_update(skip_locked=True)
    )
)
OLD_MESSAGES: Final = delete(OutboxMessage).where(
    col(OutboxMessage.id).in_(
        core_select(col(OutboxMessage.id))
        .where(col(OutboxMessage.delivered_at) <= _BEFORE)
        .limit(_LIMIT)
        .with_for_update(skip_locked=True)
    )
)
# Offers of slots that have begun; then plans that no offer comes from any more.
OLD_OFFERS: Final = delete(BookingOffer).where(
    tuple_(col(BookingOffer.booking_id), col(BookingOffer.slot_id)).in_(
        core_select(col(BookingOffer.booking_id), col(BookingOffer.slot_id))
        .join(ConsultationSlot, col(ConsultationSlot.id) == col(BookingOffer.slot_id))
        .where(col(ConsultationSlot.starts_at) <= _BEFORE)
        .limit(_LIMIT)
        .with_for_update(of=BookingOffer, skip_locked=True)
    )
)
OLD_PLANS: Final = delete(SlotPlan).where(
    col(SlotPlan.id).in_(
        core_select(col(SlotPlan.id))
        .where(
            col(SlotPlan.expires_at) <= _BEFORE,
            ~core_select(col(BookingOffer.plan_id)).where(col(BookingOffer.plan_id) == col(SlotPlan.id)).exists(),
        )
        .order_by(col(SlotPlan.expires_at))
        .limit(_LIMIT)
        .with_for_update(skip_locked=True)
    )
)

_ANY_ERASURE: Final = core_select(
    core_select(col(Erasure.id)).where(col(Erasure.at) > bindparam("since", type_=UTCDateTime())).exists()
)


@dataclass(frozen=True, slots=True)
class Purged:
    """How much was deleted."""

    # Bookings whose patient is no longer known.
    bookings: int = 0
    # Answers that were kept in case a request is repeated.
    answers: int = 0
    # Messages that were delivered long ago.
    messages: int = 0
    # Plans that expired long ago.
    plans: int = 0


async def purge_all(database: Database, settings: Settings, *, by: str, at_once: int = AT_ONCE) -> Purged:
    """Delete what has been kept long enough, in many small transactions; then rid the files of it.

    Bookings, events and the trail stay: they name nobody.
    """
    total, last, is_more = Purged(), UUID(int=0), True
    while is_more:
        async with database.write() as session:
            now = await clock.now_in(session)
            seen = [row.booking_id for row in await rows(session, _NEXT, {"after": last, "limit": at_once})]
            bookings = await _forget(session, seen, settings, at=now, by=by)
            answers = await _delete(session, EXPIRED_ANSWERS, before=now, limit=at_once)
            messages = await _delete(session, OLD_MESSAGES, before=now - MESSAGES_KEPT_FOR, limit=at_once)
            offered = await _delete(session, OLD_OFFERS, before=now, limit=at_once)
            plans = await _delete(session, OLD_PLANS, before=now - PLANS_KEPT_FOR, limit=at_once)
        total = Purged(
            total.bookings + bookings, total.answers + answers, total.messages + messages, total.plans + plans
        )
        last = seen[-1] if seen else last
        is_more = at_once in (len(seen), answers, messages, offered, plans)
    # Also where nothing was purged: an earlier erasure may have met a reader who was in the way.
    async with database.read() as session:
        since = await clock.now_in(session) - _ERASED_LATELY
        ((erased_lately,),) = await rows(session, _ANY_ERASURE, {"since": since})
    await wiping.wipe(database, *SEALED, rewrite=erased_lately)
    return total


async def _forget(session: AsyncSession, seen: Sequence[UUID], settings: Settings, *, at: datetime, by: str) -> int:
    """Of these patients, forget those whose time is over; says how many."""
    if not seen:
        return 0
    cutoffs = {str(state): at - timedelta(days=getattr(settings, f"retention_days_{state}")) for state in _SINCE}
    due = [row.booking_id for row in await rows(session, DUE, cutoffs | {"ids": seen})]
    if due:
        await (await connection_of(session)).execute(_FORGET, {"ids": due})
        subjects = [str(booking_id) for booking_id in due]
        await audit.record_each(
            session, by=by, action="patient.purged", subjects=subjects, at=at, fields=patients.FIELDS
        )
    return len(due)


async def _delete(session: AsyncSession, statement: Delete, *, before: datetime, limit: int) -> int:
    result = await (await connection_of(session)).execute(statement, {"before": before, "limit": limit})
    return result.rowcount
