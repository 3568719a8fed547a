"""What a schedule comes to, beside what stands already."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import MISSING
from sqlalchemy import Row
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations import occurrences, public_holidays, schedule_queries, schedules
from app.consultations.occurrences import (
    MOST_AT_ONCE,
    Blocked,
    Occurrence,
    OccurrenceState,
    Pattern,
    PostedSlot,
    Surroundings,
)
from app.consultations.schedule_answers import OccurrencePublic, Occurrences
from app.consultations.tables import SlotStatus
from app.core import clock
from app.core.db import rows
from app.core.errors import InvalidInput

# More than any zone differs from UTC.
_MARGIN: Final = timedelta(days=1)


_USUAL: Final = timedelta(days=27)
LONGEST_WINDOW: Final = timedelta(days=366)
TOO_MANY: Final = f"is so far that there are more than {MOST_AT_ONCE} slots"


class TooManyOccurrences(Exception):
    """More occurrences than one call takes."""


@dataclass(frozen=True)
class Source:
    """A pattern, saved or not, and who and what it is for."""

    schedule_id: UUID | None
    pattern: Pattern
    clinician_id: UUID | None
    location_id: UUID | None
    room_id: UUID | None


def source_of(columns: Any, *, schedule_id: UUID | None) -> Source:
    """The source that a schedule's row is, or what `schedules.columns_of` says."""
    said = columns._mapping if isinstance(columns, Row) else columns  # noqa: SLF001 - SQLAlchemy's public name for it
    pattern = schedules.pattern_of(said)
    return Source(schedule_id, pattern, said["clinician_id"], said["location_id"], said["room_id"])


def today(time_zone: str, *, now: datetime) -> date:
    """The day that it is there."""
    return now.astimezone(ZoneInfo(time_zone)).date()


async def expand(
    session: AsyncSession,
    source: Source,
    *,
    first: date,
    last: date,
    now: datetime,
    steady: bool = False,
    without: frozenset[UUID] = frozenset(),
) -> list[Occurrence]:
    """Each occurrence on these local days with its state; raises TooManyOccurrences.

    `steady`: absences are not written until this transaction is over. `without`: as if these slots were not there.
    """
    days = few_days(source.pattern, first=first, last=last)
    if not days:
        return []
    if steady:
        await _steady(session, source)
    around = await _surroundings(session, source, days, without)
    return occurrences.look(occurrences.spans(source.pattern, days), around, now=now)


def few_days(pattern: Pattern, *, first: date, last: date) -> list[date]:
    """The pattern's days from `first` to `last`; raises TooManyOccurrences."""
    days = occurrences.days(pattern, first=first, last=last)
    if len(days) * len(pattern.begins) > MOST_AT_ONCE:
        raise TooManyOccurrences
    return days


async def show(session: AsyncSession, source: Source, *, first: date | None, last: date | None) -> Occurrences:
    """Each occurrence on these local days; raises InvalidInput for a span that is too long.

    Absent `first`: today, or the day on which it begins if that is later; absent `last`: four weeks.
    """
    now, pattern = await clock.now_in(session), source.pattern
    first = first or max(today(pattern.time_zone, now=now), pattern.valid_from)
    last = last or first + _USUAL
    if last < first:
        raise InvalidInput.parameter("to", "end_before_start", "must not be earlier than from")
    if last > first + LONGEST_WINDOW:
        raise InvalidInput.parameter("to", "too_far", "must lie within 366 days after from")
    try:
        found = await expand(session, source, first=first, last=last, now=now)
    except TooManyOccurrences:
        raise InvalidInput.parameter("to", "too_many_occurrences", TOO_MANY) from None
    return Occurrences(
        time_zone=pattern.time_zone,
        first_day=first,
        last_day=last,
        counts=counted(found),
        items=[public(each) for each in found],
    )


def counted(found: Sequence[Occurrence]) -> dict[OccurrenceState, int]:
    """How many there are of each state."""
    return dict(Counter(each.state for each in found))


def is_left_out(each: Occurrence) -> bool:
    """Whether it is no slot, for a reason that somebody may want to know."""
    return each.state not in (OccurrenceState.POSTED, OccurrenceState.PAST)


def public(each: Occurrence) -> OccurrencePublic:
    """An occurrence as it is shown."""
    by, word, state = each.by or MISSING, each.word or MISSING, each.state
    is_posted = state is OccurrenceState.POSTED
    return OccurrencePublic.model_validate(
        {
            "occurrence": each.span.occurrence,
            "state": state,
            "starts_at": each.span.starts_at or MISSING,
            "ends_at": each.span.ends_at or MISSING,
            "slot_id": by if is_posted else MISSING,
            "slot_status": word if is_posted else MISSING,
            "overlaps_with": by if state is OccurrenceState.OVERLAPS else MISSING,
            "absence_id": by if state is OccurrenceState.EXCLUDED_BY_ABSENCE else MISSING,
            "holiday": word if state is OccurrenceState.EXCLUDED_BY_HOLIDAY else MISSING,
        }
    )


async def _steady(session: AsyncSession, source: Source) -> None:
    if source.clinician_id is not None:
        await rows(session, schedule_queries.clinician_shared(), {"id": source.clinician_id})
    if source.location_id is not None:
        await rows(session, schedule_queries.location_shared(), {"id": source.location_id})


async def _surroundings(
    session: AsyncSession, source: Source, days: Sequence[date], without: frozenset[UUID]
) -> Surroundings:
    window = {
        "window_starts": datetime.combine(days[0], time(), UTC) - _MARGIN,
        "window_ends": datetime.combine(days[-1], time(), UTC) + 2 * _MARGIN,
    }
    # A pattern that is not saved has no slots: no schedule has this id.
    near = {
        "own_id": source.schedule_id or UUID(int=0),
        "first": str(days[0] - _MARGIN),
        "last": str(days[-1] + 2 * _MARGIN),
    }
    own = await rows(session, schedule_queries.own(), near) if source.schedule_id is not None else []
    taken = [Blocked(row.starts_at, row.ends_at, row.id) for row in own if row.status != SlotStatus.CANCELLED]
    for column in ("clinician_id", "room_id"):
        who = getattr(source, column)
        if who is not None:
            held = await rows(session, schedule_queries.taken(column), window | near | {"id": who})
            taken += [Blocked(*row) for row in held]
    whose = {"clinician_id": source.clinician_id, "location_id": source.location_id}
    away = await rows(session, schedule_queries.absent(), window | whose) if any(whose.values()) else []
    return Surroundings(
        posted={
            row.occurrence: PostedSlot(row.id, row.status, row.starts_at, row.ends_at)
            for row in own
            if row.id not in without
        },
        taken=[each for each in taken if each.id not in without],
        absences=[Blocked(*row) for row in away],
        holidays=await _holidays(session, source, days),
    )


async def _holidays(session: AsyncSession, source: Source, days: Sequence[date]) -> dict[date, str]:
    if source.location_id is None:
        return {}
    ((code,),) = await rows(session, schedule_queries.holidays_of(), {"id": source.location_id})
    if code is None:
        return {}
    years = range(days[0].year, days[-1].year + 1)
    # In a thread: the package is loaded when it is first asked.
    found = [await asyncio.to_thread(public_holidays.names, code, year) for year in years]
    return {day: name for year in found for day, name in year.items()}
