"""The query that schedules are read with, and the ones that find what stands in their way.

A statement is put together once; only values differ after that.
"""

from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, Select, Text, Uuid, bindparam, false, func, or_, text
from sqlalchemy import select as core_select
from sqlmodel import UTCDateTime, col

from app.consultations.neighbours import categories, category_names, condition_pages, conditions
from app.consultations.schedule_tables import Absence, Room, ScheduleStatus, SlotSchedule
from app.consultations.tables import LIVE, Clinician, ConsultationBooking, ConsultationSlot, Location, SlotStatus
from app.core.clock import current_moment
from app.core.shapes import DEFAULT_LOCALE

schedule_id: Final = col(SlotSchedule.id)
_slot: Final = ConsultationSlot
_table: Final = ConsultationSlot.__table__  # type: ignore[attr-defined]
# What holds its clinician's and its room's time; a partial index is used for the very words.
_HOLDS: Final = text("status <> 'cancelled' AND overlap_reason IS NULL AND archived_at IS NULL")
_STARTS: Final = bindparam("window_starts", type_=UTCDateTime())
_ENDS: Final = bindparam("window_ends", type_=UTCDateTime())
_OWN: Final = bindparam("own_id", type_=Uuid())
_IS_NEAR: Final = col(_slot.occurrence).between(bindparam("first", type_=Text()), bindparam("last", type_=Text()))


@cache
def by_id() -> Select[*tuple[Any, ...]]:
    """The schedule with the bound `id`, with the names of what it points at."""
    return _schedules().where(schedule_id == bindparam("id", type_=Uuid()))


@cache
def locked() -> Select[*tuple[Any, ...]]:
    """The id of the schedule with the bound `id`, its row locked: whoever posts or changes it waits in turn."""
    return core_select(schedule_id).where(schedule_id == bindparam("id", type_=Uuid())).with_for_update(key_share=True)


@cache
def listing(asked: frozenset[str]) -> Select[*tuple[Any, ...]]:
    """Schedules, newest first, with a bound value for each filter that is asked for and for `limit`."""
    filters: dict[str, ColumnElement[bool]] = {
        "status": col(SlotSchedule.status) == bindparam("status", type_=Text()),
        "clinician": col(Clinician.slug) == bindparam("clinician", type_=Text()),
        "location": col(Location.slug) == bindparam("location", type_=Text()),
        "after": schedule_id < bindparam("after", type_=Uuid()),
    }
    query = _schedules().where(*(filters[name] for name in sorted(asked)))
    return query.order_by(schedule_id.desc()).limit(bindparam("limit", type_=Integer()))


@cache
def rolling() -> Select[*tuple[Any, ...]]:
    """The ids of the schedules that are kept posted some days ahead."""
    is_rolling = (col(SlotSchedule.status) == ScheduleStatus.ACTIVE) & col(SlotSchedule.horizon_days).is_not(None)
    return core_select(schedule_id).where(is_rolling).order_by(schedule_id)


@cache
def clinician_shared() -> Select[*tuple[Any, ...]]:
    """The clinician with the bound `id`: an absence that is being written waits until this transaction is over."""
    query = core_select(col(Clinician.id)).where(col(Clinician.id) == bindparam("id", type_=Uuid()))
    return query.with_for_update(read=True, key_share=True)


@cache
def location_shared() -> Select[*tuple[Any, ...]]:
    """The same of the location with the bound `id`."""
    query = core_select(col(Location.id)).where(col(Location.id) == bindparam("id", type_=Uuid()))
    return query.with_for_update(read=True, key_share=True)


@cache
def holidays_of() -> Select[*tuple[Any, ...]]:
    """Whose public holidays the location with the bound `id` keeps."""
    return core_select(col(Location.holidays)).where(col(Location.id) == bindparam("id", type_=Uuid()))


@cache
def own() -> Select[*tuple[Any, ...]]:
    """Slots of the schedule with the bound `own_id` whose occurrence lies from the bound `first` to `last`."""
    return core_select(
        col(_slot.occurrence), col(_slot.id), col(_slot.status), col(_slot.starts_at), col(_slot.ends_at)
    ).where(col(_slot.schedule_id) == _OWN, _IS_NEAR)


@cache
def taken(column: str) -> Select[*tuple[Any, ...]]:
    """Slots in the bound window that hold the time of the bound `id`, of a clinician or a room.

    They are apart from each other: of those that begin before the window, only the last can reach into it. Without
    those that `own` finds.
    """
    earlier = _table.alias("earlier")
    who = bindparam("id", type_=Uuid())
    last_before = core_select(func.max(earlier.c.starts_at)).where(
        earlier.c[column] == who, _HOLDS, earlier.c.starts_at <= _STARTS
    )
    first = func.coalesce(last_before.scalar_subquery(), _STARTS)
    start = col(_slot.starts_at)
    is_other = col(_slot.schedule_id).is_(None) | (col(_slot.schedule_id) != _OWN) | ~_IS_NEAR
    return core_select(start, col(_slot.ends_at), col(_slot.id)).where(
        _table.c[column] == who, _HOLDS, start >= first, start < _ENDS, is_other
    )


@cache
def absent() -> Select[*tuple[Any, ...]]:
    """Absences in the bound window of the bound `clinician_id` or `location_id`."""
    return core_select(col(Absence.starts_at), col(Absence.ends_at), col(Absence.id)).where(
        or_(
            col(Absence.clinician_id) == bindparam("clinician_id", type_=Uuid()),
            col(Absence.location_id) == bindparam("location_id", type_=Uuid()),
        ),
        col(Absence.ends_at) > _STARTS,
        col(Absence.starts_at) < _ENDS,
    )


@cache
def upcoming() -> Select[*tuple[Any, ...]]:
    """Slots of the schedule with the bound `id` that begin after `now`, not cancelled; locked in their ids' order."""
    s = _slot
    columns: tuple[Any, ...] = (
        s.id, s.occurrence, s.starts_at, s.ends_at, s.time_zone, s.mode, s.capacity, s.clinician_id, s.location_id,
        s.room_id, s.condition_id, s.category_id, s.status,
    )  # fmt: skip
    query = core_select(*columns).where(
        col(s.schedule_id) == bindparam("id", type_=Uuid()),
        col(s.status) != SlotStatus.CANCELLED,
        col(s.starts_at) > bindparam("now", type_=UTCDateTime()),
    )
    return query.order_by(col(s.id)).with_for_update(key_share=True)


@cache
def bookings_of_upcoming() -> Select[*tuple[Any, ...]]:
    """Live bookings of the slots of `upcoming`, with whether they are holds that are over; locked in order."""
    booking, s = ConsultationBooking, _slot
    is_over = func.coalesce(col(booking.hold_expires_at) <= current_moment(), false()).label("is_over")
    query = core_select(col(booking.id), col(booking.slot_id), col(booking.state), col(booking.version), is_over)
    query = query.join(s, col(s.id) == col(booking.slot_id)).where(
        col(s.schedule_id) == bindparam("id", type_=Uuid()),
        col(s.starts_at) > bindparam("now", type_=UTCDateTime()),
        LIVE,
    )
    return query.order_by(col(booking.id)).with_for_update(of=booking)


def _schedules() -> Select[*tuple[Any, ...]]:
    schedule = SlotSchedule
    page_of = (condition_pages.c.condition_id == conditions.c.id) & (condition_pages.c.locale == DEFAULT_LOCALE)
    name_of = (category_names.c.category_id == categories.c.id) & (category_names.c.locale == DEFAULT_LOCALE)
    return (
        core_select(
            *SlotSchedule.__table__.columns,  # type: ignore[attr-defined]
            col(Clinician.slug).label("clinician_slug"),
            col(Clinician.name).label("clinician_name"),
            col(Location.slug).label("location_slug"),
            col(Location.name).label("location_name"),
            col(Room.slug).label("room_slug"),
            col(Room.name).label("room_name"),
            conditions.c.slug.label("condition_slug"),
            condition_pages.c.name.label("condition_name"),
            categories.c.slug.label("category_slug"),
            category_names.c.name.label("category_name"),
        )
        .select_from(schedule)
        .outerjoin(Clinician, col(Clinician.id) == col(schedule.clinician_id))
        .outerjoin(Location, col(Location.id) == col(schedule.location_id))
        .outerjoin(Room, col(Room.id) == col(schedule.room_id))
        .outerjoin(conditions, conditions.c.id == col(schedule.condition_id))
        .outerjoin(condition_pages, page_of)
        .outerjoin(categories, categories.c.id == col(schedule.category_id))
        .outerjoin(category_names, name_of)
    )
