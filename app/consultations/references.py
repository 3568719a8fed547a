"""What slots point at by slug: looked up for as many of them as there are, with at most one query a kind."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import BindParameter, Executable, bindparam
from sqlalchemy import select as core_select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations.neighbours import categories, conditions
from app.consultations.schedule_tables import Room
from app.consultations.tables import Clinician, Location
from app.core.db import rows
from app.core.errors import InvalidInput

_T = TypeVar("_T")
_SLUGS: Final[BindParameter[Any]] = bindparam("slugs", expanding=True)


class Place(NamedTuple):
    """A location, as far as a slot has to know it."""

    id: UUID
    time_zone: str
    holidays: str | None


class Pointing(Protocol):
    """Whatever names things as a slot does."""

    clinician: str | None
    location: str | None
    room: str | None
    condition: str | None
    category: str | None
    time_zone: str | None


class Pointers(NamedTuple):
    """The columns of a slot that come from what it names."""

    time_zone: str
    clinician_id: UUID | None
    location_id: UUID | None
    room_id: UUID | None
    condition_id: UUID | None
    category_id: UUID | None


@dataclass(frozen=True, slots=True)
class References:
    """What is known of the slugs that were asked for."""

    clinicians: Mapping[str, UUID]
    locations: Mapping[str, Place]
    rooms: Mapping[tuple[UUID, str], UUID]
    conditions: Mapping[str, UUID]
    categories: Mapping[str, UUID]

    def pointers(self, wish: Pointing) -> Pointers:
        """What this one points at. Raises InvalidInput for an unknown slug, and without a time zone."""
        place = _known(self.locations, wish.location, "/location")
        room = None
        if place is not None and wish.room is not None:
            room = _known(self.rooms, (place.id, wish.room), "/room")
        clinician = _known(self.clinicians, wish.clinician, "/clinician")
        condition = _known(self.conditions, wish.condition, "/condition")
        category = _known(self.categories, wish.category, "/category")
        zone = _zone(wish.time_zone, place.time_zone if place else None)
        return Pointers(zone, clinician, place.id if place else None, room, condition, category)


async def look_up(session: AsyncSession, wishes: Iterable[Pointing]) -> References:
    """What these name. Whoever deletes one of their categories at this moment is waited for."""
    asked = list(wishes)
    locations = await _by_slug(session, _LOCATIONS, (wish.location for wish in asked))
    return References(
        clinicians=await _by_slug(session, _CLINICIANS, (wish.clinician for wish in asked)),
        locations={slug: Place(*row) for slug, row in locations.items()},
        rooms=await _rooms(session, (wish.room for wish in asked)),
        conditions=await _by_slug(session, _CONDITIONS, (wish.condition for wish in asked)),
        categories=await _by_slug(session, _CATEGORIES, (wish.category for wish in asked)),
    )


async def _by_slug(session: AsyncSession, query: Executable, slugs: Iterable[str | None]) -> dict[str, Any]:
    wanted = {slug for slug in slugs if slug is not None}
    if not wanted:
        return {}
    found = await rows(session, query, {"slugs": sorted(wanted)})
    return {row[0]: row[1] if len(row) == len(("slug", "id")) else tuple(row[1:]) for row in found}


async def _rooms(session: AsyncSession, slugs: Iterable[str | None]) -> dict[tuple[UUID, str], UUID]:
    wanted = {slug for slug in slugs if slug is not None}
    if not wanted:
        return {}
    found = await rows(session, _ROOMS, {"slugs": sorted(wanted)})
    return {(row.location_id, row.slug): row.id for row in found}


_CLINICIANS: Final = core_select(col(Clinician.slug), col(Clinician.id)).where(col(Clinician.slug).in_(_SLUGS))
_LOCATIONS: Final = (
    core_select(col(Location.slug), col(Location.id), col(Location.time_zone), col(Location.holidays))
    .where(col(Location.slug).in_(_SLUGS))
    .order_by(col(Location.id))
    .with_for_update(read=True, key_share=True)
)
_ROOMS: Final = core_select(col(Room.location_id), col(Room.slug), col(Room.id)).where(col(Room.slug).in_(_SLUGS))
_CONDITIONS: Final = core_select(conditions.c.slug, conditions.c.id).where(conditions.c.slug.in_(_SLUGS))
# In the order of their ids, as whoever locks several of them does. So a location keeps its time zone until the slots
# that were given it are committed, and a category is not deleted.
_CATEGORIES: Final = (
    core_select(categories.c.slug, categories.c.id)
    .where(categories.c.slug.in_(_SLUGS))
    .order_by(categories.c.id)
    .with_for_update(read=True, key_share=True)
)


def _known(found: Mapping[Any, _T], wanted: object, pointer: str) -> _T | None:
    if wanted is None:
        return None
    if wanted not in found:
        raise InvalidInput.at(pointer, "unknown_reference", "names nothing that is known here")
    return found[wanted]


def _zone(sent: str | None, of_location: str | None) -> str:
    if sent is not None and of_location is not None and sent != of_location:
        raise InvalidInput.at("/time_zone", "time_zone_differs", "is not the time zone of the location")
    zone = sent or of_location
    if zone is None:
        raise InvalidInput.at("/time_zone", "missing", "is required where no location gives it")
    return zone
