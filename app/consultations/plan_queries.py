"""What a plan asks of the database: each question once, however many slots there are."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Integer, Select, Uuid, bindparam, func, literal_column, union_all
from sqlalchemy import select as core_select
from sqlmodel import UTCDateTime, col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations.plan_matching import SOONER
from app.consultations.slot_queries import POLICY, taken_now
from app.consultations.tables import HELD, KEPT, LIVE, ConsultationBooking, ConsultationSlot, Location, SlotStatus
from app.core.clock import current_moment
from app.core.db import rows

# How long after the last of the slots others are looked for.
_LATER: Final = timedelta(days=90)
_CALENDAR_ENDS: Final = datetime.max.replace(tzinfo=UTC)
# Others are looked for in one span after the other, each about a week: so many in each, so that those who are booked
# late in what a plan touches find some too.
_MOST_FREE: Final = 2_000
_WEEK: Final = timedelta(days=7)
_MOST_WEEKS: Final = 12
_slot: Final = ConsultationSlot.__table__  # type: ignore[attr-defined]
_booking: Final = ConsultationBooking.__table__  # type: ignore[attr-defined]
_IDS: Final[Any] = bindparam("ids", expanding=True)
# What holds its clinician's or its room's time, in the very words of the index.
_HOLDS: Final[Any] = literal_column("status <> 'cancelled' AND overlap_reason IS NULL AND archived_at IS NULL")
_FILTERS: Final[Mapping[str, ColumnElement[bool]]] = {
    "starts_from": _slot.c.starts_at >= bindparam("starts_from", type_=UTCDateTime()),
    "starts_before": _slot.c.starts_at < bindparam("starts_before", type_=UTCDateTime()),
    "mode": _slot.c.mode == bindparam("mode"),
    **{
        name: _slot.c[name] == bindparam(name, type_=Uuid())
        for name in ("clinician_id", "location_id", "room_id", "condition_id", "category_id", "schedule_id")
    },
}


async def found_by(session: AsyncSession, wanted: Mapping[str, Any], *, most: int) -> list[Any]:
    """Ids of the slots to come that are like this, one more than `most` where there are too many."""
    found = await rows(session, _found_by(frozenset(wanted)), {**wanted, "most": most + 1})
    return [row.id for row in found]


async def slots(session: AsyncSession, ids: Iterable[Any], *, lock: bool) -> Sequence[Any]:
    """These slots, in the order of their ids; locked, one after the other, if they are to be changed."""
    return await rows(session, _slots(lock=lock), {"ids": sorted(ids)})


async def bookings(session: AsyncSession, ids: Iterable[Any]) -> Sequence[Any]:
    """The live bookings of these slots, holds that are over included."""
    return await rows(session, _BOOKINGS, {"ids": sorted(ids)})


async def lock_bookings(session: AsyncSession, ids: Collection[Any], targets: Collection[Any]) -> Sequence[Any]:
    """The live bookings of these slots, and the holds of `targets`, locked in the order of their ids.

    All holds, not only those that are over now: one may be over by the time at which the last lock is had.
    """
    return await rows(session, _LOCKED_BOOKINGS, {"ids": sorted(ids), "targets": sorted(targets)})


async def holding(session: AsyncSession, kind: str, holders: Collection[Any], since: datetime, until: datetime) -> Any:
    """Slots of these clinicians or rooms that hold their time between these moments."""
    if not holders:
        return ()
    return await rows(session, _holding(kind), {"holders": sorted(holders), "since": since, "until": until})


async def free(session: AsyncSession, wanted: Sequence[Any], but: Collection[Any]) -> list[Any]:
    """Slots with free seats for what these slots are offered for: from a day before the first of them on."""
    if not wanted:
        return []
    values: dict[str, Any] = {
        "conditions": sorted({slot.condition_id for slot in wanted if slot.condition_id}),
        "categories": sorted({slot.category_id for slot in wanted if slot.category_id}),
        "modes": sorted({slot.mode for slot in wanted}),
        "but": sorted(but),
        "most": _MOST_FREE,
    }
    parts = {name for name in ("conditions", "categories") if values[name]}
    if any(slot.condition_id is None and slot.category_id is None for slot in wanted):
        parts.add("anything")
    spans = _spans([slot.starts_at for slot in wanted])
    for number, (since, until) in enumerate(spans):
        values |= {f"since_{number}": since, f"until_{number}": until}
    values = {name: value for name, value in values.items() if value != []}
    return list(await rows(session, _free(frozenset(parts), len(spans)), values))


def _spans(moments: Collection[datetime]) -> list[tuple[datetime, datetime]]:
    first, last = min(moments), max(moments)
    number = min(_MOST_WEEKS, 1 + (last - first) // _WEEK)
    begins = [first + (last - first) / number * place for place in range(number)]
    end = _CALENDAR_ENDS if last > _CALENDAR_ENDS - _LATER else last + _LATER
    return list(zip([first - SOONER, *begins[1:]], [*begins[1:], end], strict=True))


@cache
def _found_by(asked: frozenset[str]) -> Select[*tuple[Any, ...]]:
    query = core_select(_slot.c.id).where(
        KEPT, _slot.c.status != SlotStatus.CANCELLED, _slot.c.starts_at > current_moment()
    )
    query = query.where(*(_FILTERS[name] for name in sorted(asked)))
    return query.order_by(_slot.c.starts_at, _slot.c.id).limit(bindparam("most", type_=Integer()))


@cache
def _slots(*, lock: bool) -> Select[*tuple[Any, ...]]:
    query = core_select(*_slot.columns).where(_slot.c.id.in_(_IDS)).order_by(_slot.c.id)
    return query.with_for_update(key_share=True) if lock else query


_BOOKED: Final = core_select(
    *(_booking.c[name] for name in ("id", "slot_id", "seat", "reference", "state", "version", "hold_expires_at"))
)
_BOOKINGS: Final = _BOOKED.where(_booking.c.slot_id.in_(_IDS), LIVE).order_by(_booking.c.id)
_LOCKED_BOOKINGS: Final = (
    _BOOKED.where(
        LIVE,
        _booking.c.slot_id.in_(_IDS) | (_booking.c.slot_id.in_(bindparam("targets", expanding=True)) & HELD),
    )
    .order_by(_booking.c.id)
    .with_for_update()
)


@cache
def _holding(kind: str) -> Select[*tuple[Any, ...]]:
    holder = _slot.c[f"{kind}_id"]
    return core_select(_slot.c.id, holder.label("holder"), _slot.c.starts_at, _slot.c.ends_at).where(
        holder.in_(bindparam("holders", expanding=True)),
        _HOLDS,
        _slot.c.starts_at < bindparam("until", type_=UTCDateTime()),
        _slot.c.ends_at > bindparam("since", type_=UTCDateTime()),
    )


@cache
def _free(parts: frozenset[str], spans: int) -> Any:
    """One part for each index that finds slots by what they are offered for, and for each span of time."""
    own = core_select(_slot.c.id).where(_slot.c.id.in_(bindparam("but", expanding=True))).cte("own")
    said = {
        "conditions": _slot.c.condition_id.in_(bindparam("conditions", expanding=True)),
        "categories": _slot.c.category_id.in_(bindparam("categories", expanding=True)),
        "anything": literal_column("condition_id IS NULL AND category_id IS NULL"),
    }
    opened = (_open(said[part], own, number) for part in sorted(parts) for number in range(spans))
    found = union_all(*(core_select(each.subquery()) for each in opened)).subquery("found")
    place = col(Location.id) == found.c.location_id
    named = core_select(found, *(col(getattr(Location, name)) for name in POLICY), current_moment().label("now"))
    return named.select_from(found).outerjoin(Location, place)


def _open(part: ColumnElement[bool], own: CTE, span: int) -> Select[*tuple[Any, ...]]:
    taken = (
        core_select(func.count())
        .select_from(ConsultationBooking)
        .where(col(ConsultationBooking.slot_id) == _slot.c.id, *taken_now())
        .correlate(_slot)
        .scalar_subquery()
    )
    shown = ("id", "version", "starts_at", "mode", "clinician_id", "location_id", "condition_id", "category_id")
    return (
        core_select(*(_slot.c[name] for name in shown), (_slot.c.capacity - taken).label("free"))
        .where(
            part,
            KEPT,
            _slot.c.status == SlotStatus.OPEN,
            _slot.c.mode.in_(bindparam("modes", expanding=True)),
            _slot.c.id.not_in(core_select(own.c.id)),
            _slot.c.starts_at > current_moment(),
            _slot.c.starts_at >= bindparam(f"since_{span}", type_=UTCDateTime()),
            _slot.c.starts_at < bindparam(f"until_{span}", type_=UTCDateTime()),
            _slot.c.capacity > taken,
        )
        .order_by(_slot.c.starts_at, _slot.c.id)
        .limit(bindparam("most", type_=Integer()))
    )
