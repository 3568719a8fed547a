"""A month of slots: what is free on which day."""

import calendar
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import MISSING, Field
from sqlalchemy import Select, and_, bindparam, case, func
from sqlalchemy import select as core_select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import UTCDateTime, col

from app.consultations import slot_queries
from app.consultations.local_days import span_of
from app.consultations.policies import Policy
from app.consultations.slot_filters import SlotFilter, refuse_unknown_slugs
from app.consultations.slot_queries import start
from app.consultations.slots import seconds_of
from app.consultations.tables import KEPT, ConsultationSlot, SlotStatus
from app.core.clock import current_moment
from app.core.db import rows
from app.core.shapes import ResponseShape

_MOST_DAYS: Final = 31


class CalendarDay(ResponseShape):
    """What is to be had on one day."""

    day: date = Field(description="The local day.", examples=["2027-01-12"])
    slots: int = Field(description="Slots of this day that are open and to come, full ones included.", examples=[8])
    free: int = Field(description="Those of them that can be booked now.", examples=[3])
    first_free_at: datetime | MISSING = Field(
        default=MISSING,
        description="Begin of the first that can be booked now, UTC; absent where there is none.",
        examples=["2027-01-12T09:00:00Z"],
    )


class SlotCalendar(ResponseShape):
    """A month, day by day."""

    month: str = Field(description="The month.", examples=["2027-01"])
    time_zone: str | MISSING = Field(
        default=MISSING,
        description="Whose days these are; absent where a slot's day is that of its own zone.",
        examples=["Europe/Berlin"],
    )
    days: list[CalendarDay] = Field(description="Every day of the month.")


async def month_of(
    source: AsyncConnection, wanted: SlotFilter, *, month: str, time_zone: str | None, policy: Policy
) -> SlotCalendar:
    """This month (YYYY-MM). Raises InvalidInput for a filter that names an unknown slug.

    A slot's day is that of its own zone or, with `time_zone`, the one that is shown there when it begins.
    """
    days = _days(month)
    values = wanted.values()
    asked = frozenset(values)
    query = counts(asked, in_zone=time_zone is not None)
    values |= {"min_notice": seconds_of(policy)} | (
        _bounds(days, time_zone) if time_zone else span_of(days[0], days[-1])
    )
    found = await rows(source, query, values)
    if not found:
        await refuse_unknown_slugs(source, wanted)
    by_day = {row.day if time_zone is None else days[row.day]: row for row in found}
    return SlotCalendar(
        month=month,
        time_zone=MISSING if time_zone is None else time_zone,
        days=[_told(day, by_day.get(day)) for day in days],
    )


@cache
def counts(asked: frozenset[str], *, in_zone: bool) -> Select[*tuple[Any, ...]]:
    """Of each day with slots in the bound span: how many, how many of them are free, and the first of those."""
    slot = ConsultationSlot
    is_in = [start >= _instant("since"), start < _instant("until")]
    day: Any = col(slot.local_date)
    if in_zone:
        # Which day it is by how many midnights lie before it: a day has 23 or 25 hours where the clock is turned.
        day = case(*((start < _instant(f"midnight_{number + 1}"), number) for number in range(_MOST_DAYS)))
    else:
        is_in += [day >= bindparam("first"), day <= bindparam("last")]
    is_free = case((and_(*slot_queries.free(frozenset())), start))
    found = (
        core_select(day.label("day"), is_free.label("free_at"))
        .where(
            *is_in,
            KEPT,
            col(slot.status) == SlotStatus.OPEN,
            start > current_moment(),
            *slot_queries.matching(asked),
        )
        .subquery("found")
    )
    return core_select(
        found.c.day,
        func.count().label("slots"),
        func.count(found.c.free_at).label("free"),
        func.min(found.c.free_at, type_=UTCDateTime()).label("first_free_at"),
    ).group_by(found.c.day)


def _instant(name: str) -> Any:
    return bindparam(name, type_=UTCDateTime())


def _days(month: str) -> list[date]:
    year, number = int(month[:4]), int(month[5:])
    _, last = calendar.monthrange(year, number)
    return [date(year, number, day) for day in range(1, last + 1)]


def _bounds(days: list[date], time_zone: str) -> dict[str, Any]:
    """When each day begins in this zone, and when the last one ends."""
    zone = ZoneInfo(time_zone)
    after = days[-1] + timedelta(days=1)
    midnights = [datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) for day in (*days, after)]
    # Shorter months end several times: the statement stays the same.
    ends = midnights[1:] + midnights[-1:] * (_MOST_DAYS - len(days))
    numbered = {f"midnight_{number}": midnight for number, midnight in enumerate(ends, start=1)}
    return {"since": midnights[0], "until": midnights[-1], **numbered}


def _told(day: date, row: Any) -> CalendarDay:
    if row is None:
        return CalendarDay(day=day, slots=0, free=0)
    first = MISSING if row.first_free_at is None else row.first_free_at
    return CalendarDay(day=day, slots=row.slots, free=row.free, first_free_at=first)
