"""Changing a schedule, and what that means for the slots that are posted already."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, bindparam, null, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations import (
    occurrences,
    references,
    schedule_expansion,
    schedule_posting,
    schedule_queries,
    schedules,
    steps,
)
from app.consultations.errors import ScheduleEnded
from app.consultations.occurrences import Occurrence, OccurrenceState, Span
from app.consultations.schedule_answers import AffectedSlot, ScheduleChanged
from app.consultations.schedule_expansion import Source, TooManyOccurrences, expand, source_of, today
from app.consultations.schedule_posting import CARRIED, insert_slots
from app.consultations.schedule_shapes import SlotScheduleCreate
from app.consultations.schedule_tables import ScheduleStatus
from app.consultations.schedules import Versions
from app.consultations.steps import Before
from app.consultations.tables import BookingState, ConsultationSlot, SlotStatus
from app.core import clock
from app.core.db import connection_of, rows
from app.core.errors import InvalidInput

_slot: Final = ConsultationSlot.__table__  # type: ignore[attr-defined]
# The schedule lets go of them: should the pattern have them again, they can be posted again.
_CANCEL: Final = (
    update(_slot)
    .where(_slot.c.id == bindparam("slot_id"))
    .values(status=SlotStatus.CANCELLED, version=_slot.c.version + 1, schedule_id=null(), occurrence=null())
)


@dataclass(frozen=True)
class _Impact:
    """What a change means for the slots that are posted."""

    cancelled: list[Row[Any]]
    kept: list[Row[Any]]
    # How many live bookings each slot has.
    bookings: Mapping[UUID, int]
    # Holds that are over, of slots that are cancelled.
    stale: list[Before]
    source: Source
    first: date
    last: date
    found: list[Occurrence]


async def change(
    session: AsyncSession, schedule_id: UUID, wish: SlotScheduleCreate, *, versions: Versions, dry_run: bool, by: str
) -> ScheduleChanged:
    """Give a schedule another pattern, and its slots up to the day that was posted; `dry_run` only tells.

    Raises ScheduleNotFound, VersionStale, ScheduleEnded, InvalidInput. Slots that are booked or closed are kept. Two
    parties race here: an admin, and patients who book slots that would go. Each slot is locked before its bookings are
    looked at, and whoever books locks it too: so a slot that is booked by then is kept, and one that is cancelled was
    not booked.
    """
    schedule = await schedules.lock(session, schedule_id, versions=versions)
    if schedule.status == ScheduleStatus.ENDED:
        raise ScheduleEnded
    columns = schedules.columns_of(wish, await references.look_up(session, [wish]))
    now = await clock.now_in(session)
    try:
        impact = await _weigh(session, schedule, columns, now=now)
    except TooManyOccurrences:
        most = occurrences.MOST_AT_ONCE
        raise InvalidInput.at(
            "/length_minutes", "too_many_occurrences", f"makes more than {most} slots up to the day that is posted"
        ) from None
    found, new = impact.found, dict[str, UUID]()
    if not dry_run:
        await _write(session, schedule, columns, now=now, by=by)
        await _cancel(session, impact, now=now, by=by)
        new = await insert_slots(session, columns, found, schedule_id=schedule_id, now=now, by=by)
        found = await schedule_posting.after(
            session, impact.source, found, new, first=impact.first, last=impact.last, now=now
        )
    shown = await schedules.get(session, schedule_id)
    added = [each for each in found if each.span.occurrence in new or each.state is OccurrenceState.TO_POST]
    return ScheduleChanged(
        schedule=schedules.public(shown),
        is_dry_run=dry_run,
        added=[schedule_expansion.public(each) for each in added],
        cancelled=[_affected(slot, impact) for slot in impact.cancelled],
        kept=[_affected(slot, impact) for slot in impact.kept],
        not_posted=[
            schedule_expansion.public(each)
            for each in found
            if schedule_expansion.is_left_out(each) and each.state is not OccurrenceState.TO_POST
        ],
    )


async def _weigh(session: AsyncSession, schedule: Row[Any], columns: dict[str, Any], *, now: datetime) -> _Impact:
    asked = {"id": schedule.id, "now": now}
    slots = await rows(session, schedule_queries.upcoming(), asked)
    live = await rows(session, schedule_queries.bookings_of_upcoming(), asked)
    bookings = Counter(booking.slot_id for booking in live if not booking.is_over)
    old, new = source_of(schedule, schedule_id=schedule.id), source_of(columns, schedule_id=schedule.id)
    # The days that they were posted for: one that was moved may lie on another.
    on = {date.fromisoformat(slot.occurrence[:10]) for slot in slots}
    first, last = today(columns["time_zone"], now=now), max([schedule.posted_until or date.min, *on])
    # Too many are refused before any is computed.
    schedule_expansion.few_days(new.pattern, first=first, last=last)
    before, after = _slots_of(old, schedule._mapping, on), _slots_of(new, columns, on)  # noqa: SLF001
    gone = [slot for slot in slots if not _stays(slot, before.get(slot.occurrence), after.get(slot.occurrence))]
    # To post a closed one anew would open it.
    cancelled = [slot for slot in gone if not bookings[slot.id] and slot.status != SlotStatus.CLOSED]
    ids = frozenset(slot.id for slot in cancelled)
    found = await expand(session, new, first=first, last=last, now=now, steady=True, without=ids)
    return _Impact(
        cancelled,
        kept=[slot for slot in gone if slot.id not in ids],
        bookings=bookings,
        stale=[Before(b.id, BookingState(b.state), b.version) for b in live if b.is_over and b.slot_id in ids],
        source=new,
        first=first,
        last=last,
        found=found,
    )


def _slots_of(source: Source, said: Any, on: Collection[date]) -> dict[str, dict[str, Any]]:
    """What the slots of a pattern on these days are to be, by occurrence."""
    carried = {name: said[name] for name in CARRIED}

    def slot(span: Span) -> dict[str, Any]:
        return {"starts_at": span.starts_at, "ends_at": span.ends_at, **carried}

    days = [day for day in occurrences.days(source.pattern, first=date.min, last=date.max) if day in on]
    return {span.occurrence: slot(span) for span in occurrences.spans(source.pattern, days) if span.trouble is None}


def _stays(slot: Row[Any], before: dict[str, Any] | None, after: dict[str, Any] | None) -> bool:
    """Whether a slot has what the change changes. What an admin has changed in one slot alone is left as it is."""
    if after is None:
        return False
    changed = {name: value for name, value in after.items() if before is None or before[name] != value}
    return all(getattr(slot, name) == value for name, value in changed.items())


async def _write(session: AsyncSession, schedule: Row[Any], columns: dict[str, Any], *, now: datetime, by: str) -> None:
    changed = [name for name, value in columns.items() if getattr(schedule, name) != value]
    if not changed:
        return
    values = {name: columns[name] for name in changed}
    await schedules.write(session, schedule.id, **values, version=schedule.version + 1)
    fields = sorted(name.removesuffix("_id") for name in changed)
    await audit.record(session, by=by, action="schedule.changed", subject=str(schedule.id), at=now, fields=fields)


async def _cancel(session: AsyncSession, impact: _Impact, *, now: datetime, by: str) -> None:
    if not impact.cancelled:
        return
    await steps.change(session, impact.stale, BookingState.EXPIRED, at=now, by="expiry")
    ids = [slot.id for slot in impact.cancelled]
    await (await connection_of(session)).execute(_CANCEL, [{"slot_id": each} for each in ids])
    subjects: Sequence[str] = [str(each) for each in ids]
    await audit.record_each(session, by=by, action="slot.cancelled", subjects=subjects, at=now, fields=["status"])


def _affected(slot: Row[Any], impact: _Impact) -> AffectedSlot:
    return AffectedSlot(
        id=slot.id, starts_at=slot.starts_at, ends_at=slot.ends_at, bookings=impact.bookings.get(slot.id, 0)
    )
