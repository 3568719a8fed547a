"""What slots are looked for by."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import select as core_select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations.neighbours import categories, conditions
from app.consultations.schedule_tables import Room
from app.consultations.tables import Clinician, Location, SlotMode, SlotStatus
from app.core.db import rows
from app.core.errors import FieldFault, InvalidInput


@dataclass(frozen=True, slots=True)
class SlotFilter:
    """Which slots to list; every given part must hold. Absent `statuses`: those that can be booked now.

    Days and times of day are those of the wall clock of the slot's zone.
    """

    condition: str | None = None
    category: str | None = None
    starts_from: datetime | None = None
    starts_before: datetime | None = None
    mode: SlotMode | None = None
    clinician: str | None = None
    location: str | None = None
    # Of the location, which has to be named too.
    room: str | None = None
    # 1 is Monday (ISO 8601).
    weekdays: tuple[int, ...] | None = None
    # The begin, in minutes after midnight: from the one on, before the other.
    minute_from: int | None = None
    minute_before: int | None = None
    statuses: tuple[SlotStatus, ...] | None = None
    # Whether those are among them that were laid aside long after their end; together with `statuses`.
    archived: bool | None = None

    def values(self) -> dict[str, Any]:
        """The given parts by their names, as the queries are given them: the days as the bits of a number."""
        said = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}
        return said if self.weekdays is None else said | {"weekdays": sum(1 << day for day in set(self.weekdays))}


async def refuse_unknown_slugs(source: AsyncConnection | AsyncSession, wanted: SlotFilter) -> None:
    """Raise InvalidInput for each filter that names nothing. For who finds nothing: then it is known why."""
    place = core_select(col(Location.id)).where(col(Location.slug) == wanted.location).scalar_subquery()
    slugs = {
        "condition": (conditions.c.slug == wanted.condition, wanted.condition),
        "category": (categories.c.slug == wanted.category, wanted.category),
        "clinician": (col(Clinician.slug) == wanted.clinician, wanted.clinician),
        "location": (col(Location.slug) == wanted.location, wanted.location),
        "room": ((col(Room.slug) == wanted.room) & (col(Room.location_id) == place), wanted.room),
    }
    asked = {name: core_select(1).where(is_it).exists() for name, (is_it, slug) in slugs.items() if slug is not None}
    if not asked:
        return
    (answers,) = await rows(source, core_select(*asked.values()))
    unknown = [name for name, is_known in zip(asked, answers, strict=True) if not is_known]
    if unknown:
        faults = (FieldFault("names nothing that is known here", "unknown_reference", parameter=n) for n in unknown)
        raise InvalidInput(*faults)
