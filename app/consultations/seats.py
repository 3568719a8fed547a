"""Seats: how one is taken. The unique index on live seats decides who gets it; the statements here only guess well."""

import math
from collections.abc import AsyncIterator, Callable
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Insert,
    Integer,
    LargeBinary,
    ScalarSelect,
    Select,
    Subquery,
    Update,
    Uuid,
    bindparam,
    func,
    literal_column,
)
from sqlalchemy import select as core_select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations import booking_queries, steps
from app.consultations.errors import TooManyHolds
from app.consultations.slot_queries import taken_now
from app.consultations.steps import Before
from app.consultations.tables import HELD, LIVE, BookingState, ConsultationBooking
from app.core import clock
from app.core.clock import current_moment
from app.core.db import connection_of, rows
from app.core.deferred import Decision, decide

# What a new booking says of itself, beside its seat.
COLUMNS: Final = (
    "id", "slot_id", "reference", "secret_hash", "condition_id", "state", "hold_expires_at", "hold_owner",
    "what_to_bring", "page_revision", "created_at",
)  # fmt: skip
_booking: Final = ConsultationBooking.__table__  # type: ignore[attr-defined]
_SWEPT_AT_ONCE: Final = 200


def take(session: AsyncSession, booking: dict[str, Any], slot: Any, *, refusal: Callable[[str], Exception]) -> None:
    """Insert the booking at the lowest free seat of its slot, whose row is locked: at the end of the transaction.

    With all that belongs to it, or, when there is no seat, nothing of it: then `refusal` is raised, given the reason.
    """
    values = {f"new_{name}": booking.get(name) for name in COLUMNS} | {"capacity": slot.capacity}
    refused = _refusals(session, slot)

    async def otherwise() -> None:
        reason = await anext(refused)
        if reason is not None:
            raise refusal(reason)

    decide(session, Decision(_insert(_dialect(session)), values, otherwise))


async def move(session: AsyncSession, booking: Before, slot: Any, *, topic: dict[str, Any]) -> str | None:
    """Give the booking the lowest free seat of another slot, whose row is locked; says why there was none."""
    values = {"new_slot_id": slot.id, "capacity": slot.capacity, "moved_id": booking.id} | topic
    connection = await connection_of(session)
    refused = _refusals(session, slot)
    while (await connection.execute(_update(), values)).first() is None:
        reason = await anext(refused)
        if reason is not None:
            return reason
    return None


async def expire_stale(session: AsyncSession, *, slot_id: Any = None, limit: int = _SWEPT_AT_ONCE) -> int:
    """End holds whose time is over, of one slot or of all; says how many. Nobody has to: every rule knows the time."""
    values = {"limit": limit} | ({} if slot_id is None else {"slot_id": slot_id})
    found = await rows(session, booking_queries.stale_holds(of_slot=slot_id is not None), values)
    stale = [Before(row.id, BookingState.HELD, row.version) for row in found]
    if stale:
        await steps.change(session, stale, BookingState.EXPIRED, at=await clock.now_in(session), by="expiry")
    return len(stale)


async def _refusals(session: AsyncSession, slot: Any) -> AsyncIterator[str | None]:
    """Why there is no seat, or None to try again. Only who finds the slot full looks for holds that are over."""
    await expire_stale(session, slot_id=slot.id)
    # Once more also when there was none to end: somebody else may have ended it while we waited for its row.
    yield None
    while True:
        # A hold may be over since a moment ago: then the slot is not full any more, and the hold is still to be ended.
        is_full = not await expire_stale(session, slot_id=slot.id)
        yield await why_full(session, slot) if is_full else None


async def refuse_too_many(session: AsyncSession, owner: bytes, *, most: int) -> None:
    """Raise TooManyHolds for who holds so many seats already. Best effort: two at once may both be let through."""
    ((held, first_over, now),) = await rows(session, _HELD_BY, {"owner": owner})
    if held >= most:
        raise TooManyHolds(retry_after=max(1, math.ceil((first_over - now).total_seconds())))


async def why_full(session: AsyncSession, slot: Any) -> str | None:
    """Why this slot, whose row is locked, has no seat: `held` when one may become free within minutes, else `taken`.

    None while there is one.
    """
    ((taken, held),) = await rows(session, _TAKEN, {"slot_id": slot.id})
    if taken < slot.capacity:
        return None
    return "held" if held else "taken"


_TAKEN: Final = core_select(
    func.count(), func.count().filter(col(ConsultationBooking.state) == BookingState.HELD)
).where(col(ConsultationBooking.slot_id) == bindparam("slot_id", type_=Uuid()), *taken_now())


_HELD_BY: Final = core_select(
    func.count(), func.min(col(ConsultationBooking.hold_expires_at)), current_moment().label("now")
).where(
    col(ConsultationBooking.hold_owner) == bindparam("owner", type_=LargeBinary()),
    HELD,
    col(ConsultationBooking.hold_expires_at) > current_moment(),
)


@cache
def _insert(dialect: str) -> Insert:
    lowest = _lowest()
    values = [bindparam(f"new_{name}", type_=_booking.c[name].type) for name in COLUMNS]
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement: Insert = (
        insert(_booking)
        .from_select(
            [*COLUMNS, "version", "reschedule_count", "seat"],
            core_select(*values, literal_column("1"), literal_column("0"), lowest.c.seat).where(
                lowest.c.seat.is_not(None)
            ),
        )
        .on_conflict_do_nothing(index_elements=["slot_id", "seat"], index_where=LIVE)
        .returning(_booking.c.seat)
    )
    return statement


@cache
def _update() -> Update:
    seat: ScalarSelect[int] = core_select(_lowest().c.seat).scalar_subquery()
    statement: Update = (
        _booking.update()
        .where(_booking.c.id == bindparam("moved_id"), seat.is_not(None))
        .values(
            slot_id=bindparam("new_slot_id"),
            seat=seat,
            condition_id=bindparam("new_condition_id"),
            what_to_bring=bindparam("new_what_to_bring"),
            page_revision=bindparam("new_page_revision"),
            reschedule_count=_booking.c.reschedule_count + 1,
            version=_booking.c.version + 1,
        )
        .returning(_booking.c.seat)
    )
    return statement


def _lowest() -> Subquery:
    """The lowest seat of the bound `new_slot_id`, with `capacity` seats, that no live booking has."""
    one: ColumnElement[int] = literal_column("1", Integer())
    seats = core_select(one.label("seat")).cte("seats", recursive=True)
    seats = seats.union_all(
        core_select(seats.c.seat + one).where(seats.c.seat < bindparam("capacity", type_=Integer()))
    )
    live: Select[Any] = (
        core_select(literal_column("1"))
        .select_from(ConsultationBooking)
        .where(
            col(ConsultationBooking.slot_id) == bindparam("new_slot_id", type_=Uuid()),
            col(ConsultationBooking.seat) == seats.c.seat,
            LIVE,
        )
        .correlate(seats)
    )
    return core_select(func.min(seats.c.seat).label("seat")).where(~live.exists()).subquery("lowest")


def _dialect(session: AsyncSession) -> str:
    return session.get_bind().dialect.name
