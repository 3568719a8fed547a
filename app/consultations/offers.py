"""Offers: other slots that the hospital offers a booking whose own was closed, moved or is to be cancelled.

They last until one of them is chosen, or the booking moves otherwise; one whose slot is full or closed is not shown.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, Uuid, bindparam, delete, func, insert
from sqlalchemy import select as core_select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations import slot_answers, slot_queries
from app.consultations.schedule_tables import BookingOffer
from app.consultations.slot_shapes import BookedSlot
from app.consultations.tables import ConsultationBooking, ConsultationSlot, SlotStatus
from app.core.clock import current_moment
from app.core.db import connection_of, rows

_offer: Final = BookingOffer.__table__  # type: ignore[attr-defined]
_INSERT: Final = insert(_offer)
_WITHDRAW: Final = delete(_offer).where(_offer.c.booking_id.in_(bindparam("ids", expanding=True)))

_TAKE_BACK: Final = (
    delete(_offer).where(_offer.c.booking_id == bindparam("booking_id", type_=Uuid())).returning(_offer.c.slot_id)
)


async def make(session: AsyncSession, offered: Mapping[UUID, Sequence[UUID]], *, plan_id: UUID, at: datetime) -> None:
    """Offer each of these bookings these slots, in the place of what it was offered before."""
    if not offered:
        return
    await withdraw_all(session, list(offered))
    values = [
        {"booking_id": booking_id, "slot_id": slot_id, "plan_id": plan_id, "created_at": at}
        for booking_id, slot_ids in offered.items()
        for slot_id in slot_ids
    ]
    await (await connection_of(session)).execute(_INSERT, values)


async def withdraw_all(session: AsyncSession, ids: Sequence[UUID]) -> None:
    """Offer these bookings nothing more."""
    await (await connection_of(session)).execute(_WITHDRAW, {"ids": ids})


async def withdraw(session: AsyncSession, booking_id: UUID) -> frozenset[UUID]:
    """Offer a booking, whose row is locked, nothing more: what it was offered until now."""
    return frozenset(row.slot_id for row in await rows(session, _TAKE_BACK, {"booking_id": booking_id}))


async def of(session: AsyncSession, booking_id: UUID) -> list[BookedSlot]:
    """The slots that are offered to a booking and can be chosen now, soonest first."""
    return [slot_answers.booked(row) for row in await rows(session, _offered(), {"booking_id": booking_id})]


@cache
def _offered() -> Select[*tuple[Any, ...]]:
    taken = (
        core_select(func.count())
        .select_from(ConsultationBooking)
        .where(col(ConsultationBooking.slot_id) == ConsultationSlot.id, *slot_queries.taken_now())
        .correlate(ConsultationSlot)
        .scalar_subquery()
    )
    offered = core_select(_offer.c.slot_id).where(_offer.c.booking_id == bindparam("booking_id", type_=Uuid()))
    return slot_queries.with_names(
        core_select(*slot_queries.columns()).where(
            slot_queries.slot_id.in_(offered),
            col(ConsultationSlot.status) == SlotStatus.OPEN,
            slot_queries.start > current_moment(),
            col(ConsultationSlot.capacity) > taken,
        )
    )
