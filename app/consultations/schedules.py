"""Schedules: patterns that slots recur by. What they come to, `schedule_posting` posts."""

from datetime import date
from typing import Any
from uuid import UUID

from pydantic import MISSING
from sqlalchemy import Row, insert, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations import recurrence, references, schedule_queries
from app.consultations.errors import ScheduleNotFound
from app.consultations.occurrences import Pattern
from app.consultations.references import References
from app.consultations.schedule_answers import SlotSchedulePublic
from app.consultations.schedule_shapes import SlotScheduleCreate, minute_of
from app.consultations.schedule_tables import ScheduleStatus, SlotSchedule
from app.core import clock
from app.core.db import rows
from app.core.errors import VersionStale
from app.core.ids import new_id

# The versions of which one must be the present one; None for whatever it is.
Versions = frozenset[int] | None
# What a schedule points at; `<name>_slug` and `<name>_name` stand beside its columns.
_NAMED = ("clinician", "location", "room", "category", "condition")
_ABSENT_IF_NULL = ("valid_until", "horizon_days", "posted_until")


async def add(session: AsyncSession, wish: SlotScheduleCreate, *, by: str) -> SlotSchedulePublic:
    """Make a schedule; it posts nothing. Raises InvalidInput for an unknown slug, and without a time zone."""
    known = await references.look_up(session, [wish])
    now = await clock.now_in(session)
    made = {"id": new_id(), "status": ScheduleStatus.ACTIVE, "version": 1, "created_at": now}
    await session.exec(insert(SlotSchedule).values(made | columns_of(wish, known)))
    await audit.record(session, by=by, action="schedule.created", subject=str(made["id"]), at=now)
    return public(await get(session, made["id"]))  # type: ignore[arg-type]


async def get(session: AsyncSession, schedule_id: UUID) -> Row[Any]:
    """A schedule's row; raises ScheduleNotFound."""
    found = await rows(session, schedule_queries.by_id(), {"id": schedule_id})
    if not found:
        raise ScheduleNotFound
    schedule: Row[Any] = found[0]
    return schedule


async def lock(session: AsyncSession, schedule_id: UUID, *, versions: Versions = None) -> Row[Any]:
    """A schedule's row, locked, as it is once the lock is had. Raises ScheduleNotFound, VersionStale."""
    await rows(session, schedule_queries.locked(), {"id": schedule_id})
    schedule = await get(session, schedule_id)
    if versions is not None and schedule.version not in versions:
        raise VersionStale
    return schedule


async def find(
    session: AsyncSession,
    *,
    status: ScheduleStatus | None = None,
    clinician: str | None = None,
    location: str | None = None,
    limit: int,
    after: UUID | None = None,
) -> list[SlotSchedulePublic]:
    """Schedules, newest first."""
    said = {"status": status, "clinician": clinician, "location": location, "after": after}
    values = {name: value for name, value in said.items() if value is not None}
    found = await rows(session, schedule_queries.listing(frozenset(values)), values | {"limit": limit})
    return [public(row) for row in found]


async def end(session: AsyncSession, schedule_id: UUID, *, versions: Versions, by: str) -> SlotSchedulePublic:
    """Make no more slots; those that are posted stay. Raises ScheduleNotFound, VersionStale."""
    schedule = await lock(session, schedule_id)
    if schedule.status == ScheduleStatus.ENDED:
        return public(schedule)
    if versions is not None and schedule.version not in versions:
        raise VersionStale
    await write(session, schedule_id, status=ScheduleStatus.ENDED, version=schedule.version + 1)
    now = await clock.now_in(session)
    subject = str(schedule_id)
    await audit.record(session, by=by, action="schedule.ended", subject=subject, at=now, fields=["status"])
    return public(await get(session, schedule_id))


async def write(session: AsyncSession, schedule_id: UUID, **values: Any) -> None:
    """Change the columns of a schedule whose row is locked."""
    await session.exec(update(SlotSchedule).where(col(SlotSchedule.id) == schedule_id).values(values))


def columns_of(wish: SlotScheduleCreate, known: References) -> dict[str, Any]:
    """What a schedule's row says of a wish. Raises InvalidInput for an unknown slug, and without a time zone."""
    said = wish.model_dump(exclude={*_NAMED, "time_zone", "exdates", "rdates"})
    dates = {name: sorted({day.isoformat() for day in getattr(wish, name)}) for name in ("exdates", "rdates")}
    return said | dates | known.pointers(wish)._asdict()


def pattern_of(columns: Any) -> Pattern:
    """The pattern of a schedule's row, or of what `columns_of` says."""
    said = columns._mapping if isinstance(columns, Row) else columns  # noqa: SLF001 - SQLAlchemy's public name for it
    return Pattern(
        rule=recurrence.parse(said["rrule"]),
        exdates=frozenset(date.fromisoformat(day) for day in said["exdates"]),
        rdates=frozenset(date.fromisoformat(day) for day in said["rdates"]),
        session_starts=minute_of(said["session_starts"]),
        session_ends=minute_of(said["session_ends"]),
        length=said["length_minutes"],
        gap=said["gap_minutes"],
        time_zone=said["time_zone"],
        valid_from=said["valid_from"],
        valid_until=said["valid_until"],
    )


def public(row: Row[Any]) -> SlotSchedulePublic:
    """A schedule as it is shown."""
    said = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    shown = {name: said[name] for name in SlotSchedulePublic.model_fields if name in said}
    shown |= {name: _named(said[f"{name}_slug"], said[f"{name}_name"]) for name in _NAMED}
    shown |= {name: MISSING for name in _ABSENT_IF_NULL if said[name] is None}
    return SlotSchedulePublic.model_validate(shown)


def _named(slug: str | None, name: str | None) -> Any:
    return MISSING if slug is None else {"slug": slug, "name": name or slug}
