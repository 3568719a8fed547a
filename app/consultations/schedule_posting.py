"""Posting what a schedule comes to."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert
from sqlalchemy.dialects import postgresql
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations import schedule_expansion, schedules
from app.consultations.errors import ScheduleEnded
from app.consultations.local_times import local_time
from app.consultations.occurrences import Occurrence, OccurrenceState
from app.consultations.schedule_answers import SchedulePosted
from app.consultations.schedule_expansion import LONGEST_WINDOW, TOO_MANY, Source, TooManyOccurrences, expand
from app.consultations.schedule_tables import ScheduleStatus
from app.consultations.tables import ConsultationSlot, SlotStatus
from app.core import clock
from app.core.db import connection_of
from app.core.errors import InvalidInput
from app.core.ids import new_id

_SLOT_ID: Final = ConsultationSlot.__table__.c.id  # type: ignore[attr-defined]
# What a slot has of its schedule.
CARRIED: Final = (
    "time_zone", "mode", "capacity", "clinician_id", "location_id", "room_id", "condition_id", "category_id",
)  # fmt: skip


async def post_until(session: AsyncSession, schedule_id: UUID, until: date, *, by: str) -> SchedulePosted:
    """Post a schedule up to this local day. Raises ScheduleNotFound, ScheduleEnded, InvalidInput for a day too far."""
    schedule = await schedules.lock(session, schedule_id)
    today = schedule_expansion.today(schedule.time_zone, now=await clock.now_in(session))
    if until < today:
        raise InvalidInput.at("/until", "in_the_past", "must be today or later")
    first = max(today, schedule.valid_from)
    if until > first + LONGEST_WINDOW:
        raise InvalidInput.at("/until", "too_far", "must lie within 366 days after today, or after its first day")
    try:
        return await post(session, schedule, first=min(first, until), until=until, by=by)
    except TooManyOccurrences:
        raise InvalidInput.at("/until", "too_many_occurrences", TOO_MANY) from None


async def post(session: AsyncSession, schedule: Row[Any], *, first: date, until: date, by: str) -> SchedulePosted:
    """Post a schedule, whose row is locked, on the local days from `first`, today or later, to `until`.

    Raises ScheduleEnded, TooManyOccurrences.

    Whatever cannot be posted is told, and hinders nothing else.
    """
    if schedule.status == ScheduleStatus.ENDED:
        raise ScheduleEnded
    source = schedule_expansion.source_of(schedule, schedule_id=schedule.id)
    now = await clock.now_in(session)
    found = await expand(session, source, first=first, last=until, now=now, steady=True)
    new = await insert_slots(session, schedule._mapping, found, schedule_id=schedule.id, now=now, by=by)  # noqa: SLF001
    found = await after(session, source, found, new, first=first, last=until, now=now)
    posted_until = max(until, schedule.posted_until or until)
    if posted_until != schedule.posted_until:
        await schedules.write(session, schedule.id, posted_until=posted_until)
    if new or posted_until != schedule.posted_until:
        subject = str(schedule.id)
        await audit.record(session, by=by, action="schedule.posted", subject=subject, at=now, fields=["posted_until"])
    return SchedulePosted(
        posted_until=posted_until,
        slot_ids=list(new.values()),
        counts=schedule_expansion.counted(found),
        not_posted=[schedule_expansion.public(each) for each in found if schedule_expansion.is_left_out(each)],
    )


async def insert_slots(
    session: AsyncSession, said: Any, found: Sequence[Occurrence], *, schedule_id: UUID, now: datetime, by: str
) -> dict[str, UUID]:
    """Post what is `to_post` with what a schedule says of its slots; the slots that are new, by their occurrences.

    Others may post into the same time meanwhile. On SQLite they wait; on PostgreSQL the schema decides, and whoever
    comes second leaves that slot out.
    """
    new = [
        {name: said[name] for name in CARRIED}
        | {
            "id": new_id(),
            "starts_at": each.span.starts_at,
            "ends_at": each.span.ends_at,
            "status": SlotStatus.OPEN,
            "version": 1,
            "created_at": now,
            "schedule_id": schedule_id,
            "occurrence": each.span.occurrence,
            **local_time(each.span.starts_at, said["time_zone"])._asdict(),
        }
        for each in found
        if each.state is OccurrenceState.TO_POST and each.span.starts_at is not None
    ]
    if not new:
        return {}
    connection = await connection_of(session)
    if connection.dialect.name == "postgresql":
        statement = postgresql.insert(ConsultationSlot).on_conflict_do_nothing()
        made = (await connection.execute(statement.returning(_SLOT_ID), new)).scalars().all()
    else:
        await connection.execute(insert(ConsultationSlot), new)
        made = [row["id"] for row in new]
    is_made = frozenset(made)
    ids = {row["occurrence"]: row["id"] for row in new if row["id"] in is_made}
    subjects = [str(each) for each in ids.values()]
    await audit.record_each(session, by=by, action="slot.created", subjects=subjects, at=now)
    return ids


async def after(
    session: AsyncSession,
    source: Source,
    found: Sequence[Occurrence],
    new: Mapping[str, UUID],
    *,
    first: date,
    last: date,
    now: datetime,
) -> list[Occurrence]:
    """What was found, after these were posted."""
    done = [
        each._replace(state=OccurrenceState.POSTED, by=new[each.span.occurrence], word=SlotStatus.OPEN)
        if each.span.occurrence in new
        else each
        for each in found
    ]
    if any(each.state is OccurrenceState.TO_POST for each in done):
        # Others were quicker: their slots are what is to be told.
        return await expand(session, source, first=first, last=last, now=now)
    return done
