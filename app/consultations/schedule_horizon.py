"""Schedules that are kept posted some days ahead: the worker extends them."""

import asyncio
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations import schedule_expansion, schedule_posting, schedule_queries, schedules
from app.consultations.occurrences import MOST_AT_ONCE, OccurrenceState
from app.consultations.schedule_tables import ScheduleStatus
from app.core import clock, logs
from app.core.db import Database, rows

# Slots that one transaction posts at most, or those of one day: so that nobody waits long for it.
AT_ONCE: Final = 500


class SchedulesFailed(Exception):
    """Some schedules could not be extended; each was logged, and the others were extended."""


async def extend_all(database: Database, *, by: str) -> int:
    """Post every such schedule as far as it is to be; the number of new slots. Raises SchedulesFailed at the end.

    Two workers at once: whoever comes second waits for the schedule's row, and finds nothing left to do.
    """
    async with database.read() as session:
        ids = [row.id for row in await rows(session, schedule_queries.rolling())]
    posted, failed = 0, 0
    for schedule_id in ids:
        try:
            posted += await _extend(database, schedule_id, by=by)
        except Exception as error:  # whatever it was, the other schedules are not to wait for it
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # Then the driver may have said so in an error of its own: nothing is to be begun any more.
                raise
            logs.failure("schedule_failed", error, schedule=str(schedule_id))
            failed += 1
    if failed:
        raise SchedulesFailed
    return posted


async def _extend(database: Database, schedule_id: UUID, *, by: str) -> int:
    # Looked at first: only where there is something to post, it takes its turn to write.
    async with database.read() as session:
        schedule = await schedules.get(session, schedule_id)
        due = [window async for window in _due(session, schedule)] if _is_rolling(schedule) else []
    posted = 0
    for first, last in due:
        async with database.write() as session:
            schedule = await schedules.lock(session, schedule_id)
            # It may have been ended or changed since.
            if _is_rolling(schedule):
                done = await schedule_posting.post(session, schedule, first=first, until=last, by=by)
                posted += len(done.slot_ids)
    return posted


async def _due(session: AsyncSession, schedule: Row[Any]) -> Any:
    """Spans of days in which there is something to post, or which nobody has told to be posted."""
    source = schedule_expansion.source_of(schedule, schedule_id=schedule.id)
    now = await clock.now_in(session)
    today = schedule_expansion.today(schedule.time_zone, now=now)
    at_once = timedelta(days=max(1, AT_ONCE // max(1, len(source.pattern.begins))))
    seen = 0
    for first, last in _windows(today, today + timedelta(days=schedule.horizon_days), at_once):
        found = await schedule_expansion.expand(session, source, first=first, last=last, now=now)
        seen += len(found)
        # A change looks at all that is posted, in one call.
        if seen > MOST_AT_ONCE:
            return
        is_new = schedule.posted_until is None or schedule.posted_until < last
        if is_new or any(each.state is OccurrenceState.TO_POST for each in found):
            yield first, last


def _windows(first: date, last: date, at_once: timedelta) -> Iterator[tuple[date, date]]:
    while first <= last:
        end = min(first + at_once - timedelta(days=1), last)
        yield first, end
        first = end + timedelta(days=1)


def _is_rolling(schedule: Row[Any]) -> bool:
    return bool(schedule.status == ScheduleStatus.ACTIVE and schedule.horizon_days is not None)
