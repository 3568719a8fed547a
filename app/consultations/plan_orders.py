"""What a plan is asked to do, with what it names looked up: the same words when it is made and when it is applied."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations import references
from app.consultations.local_times import local_time
from app.consultations.plan_shapes import Obstacle
from app.consultations.plan_wishes import BookedFate, SlotPlanCreate, SlotsWanted
from app.consultations.references import References
from app.consultations.schedule_tables import PlanAction, SlotSchedule
from app.consultations.tables import SlotStatus
from app.core.errors import InvalidInput

_UNKNOWN: Final = "names nothing that is known here"


@dataclass(frozen=True, slots=True)
class Order:
    """A wish, with the ids of what it names."""

    wish: SlotPlanCreate
    # What a filter comes to, as columns; None where slots are named by their ids.
    wanted: Mapping[str, Any] | None
    # Columns of a slot that are otherwise once it is moved, but for its time.
    places: Mapping[str, Any]

    @property
    def action(self) -> PlanAction:
        """What is done with the slots."""
        return self.wish.action

    @property
    def fate(self) -> BookedFate:
        """What is done with their bookings."""
        return self.wish.bookings

    def words(self) -> list[Any]:
        """The same in a form that can be compared."""
        return [self.action, self.fate, sorted((name, str(value)) for name, value in self.places.items())]


@dataclass(slots=True)
class _Names:
    clinician: str | None
    location: str | None
    room: str | None
    condition: str | None = None
    category: str | None = None
    time_zone: str | None = None


async def look_up(session: AsyncSession, wish: SlotPlanCreate) -> Order:
    """Find what a wish names. Raises InvalidInput for what is unknown."""
    wanted, target = wish.slots.filter, _Names(wish.clinician, wish.location, wish.room)
    named = [target, *([] if wanted is None else [_names(wanted)])]
    known = await references.look_up(session, named)
    columns = None
    if wanted is not None:
        columns = _pointers(known, _names(wanted), "/slots/filter")
        others = ("starts_from", "starts_before", "mode", "schedule_id")
        columns |= {name: value for name in others if (value := getattr(wanted, name)) is not None}
        if wanted.schedule_id is not None:
            found = await session.scalar(select(SlotSchedule.id).where(SlotSchedule.id == wanted.schedule_id))
            if found is None:
                raise InvalidInput.at("/slots/filter/schedule_id", "unknown_reference", _UNKNOWN)
    places = _pointers(known, target, "")
    if wish.location is not None:
        # A room is one of its location's, and the zone is the location's.
        places = {"room_id": None} | places | {"time_zone": known.locations[wish.location].time_zone}
    return Order(wish, columns, places)


def destination(order: Order, slot: Any, *, now: datetime) -> dict[str, Any] | Obstacle:
    """The columns of a slot that is moved that are not its present ones, or why it cannot be."""
    try:
        columns = _moved(order, slot)
    except OverflowError:
        # No calendar shows that day.
        columns = None
    if columns is None:
        return Obstacle.CLOCK_CHANGE
    if columns["starts_at"] <= now:
        return Obstacle.IN_THE_PAST
    # Nobody is told of a move that is none.
    is_there = all(getattr(slot, name) == value for name, value in columns.items())
    return Obstacle.ALREADY_THERE if is_there else columns


def standstill(slot: Any, *, now: datetime) -> Obstacle | None:
    """Why nothing can be done with a slot."""
    if slot.status == SlotStatus.CANCELLED:
        return Obstacle.SLOT_CANCELLED
    return Obstacle.BEGUN if slot.starts_at <= now else None


def _moved(order: Order, slot: Any) -> dict[str, Any] | None:
    wish = order.wish
    starts_at = wish.starts_at or _shifted(slot.starts_at, slot.time_zone, wish.shift_minutes or 0)
    if starts_at is None:
        return None
    columns = {"starts_at": starts_at, "ends_at": starts_at + (slot.ends_at - slot.starts_at), **order.places}
    return columns | local_time(starts_at, columns.get("time_zone", slot.time_zone))._asdict()


def _shifted(starts_at: datetime, time_zone: str, minutes: int) -> datetime | None:
    """So much later on the wall clock; None where the clock shows that time not at all, or twice."""
    if not minutes:
        return starts_at
    zone = ZoneInfo(time_zone)
    wall = starts_at.astimezone(zone).replace(tzinfo=None) + timedelta(minutes=minutes)
    first, second = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    return first.astimezone(UTC) if first.utcoffset() == second.utcoffset() else None


def _names(wanted: SlotsWanted) -> _Names:
    return _Names(wanted.clinician, wanted.location, wanted.room, wanted.condition, wanted.category)


def _pointers(known: References, names: _Names, pointer: str) -> dict[str, Any]:
    return {f"{kind}_id": found for kind, found in _found(known, names, pointer)}


def _found(known: References, names: _Names, pointer: str) -> Iterator[tuple[str, UUID]]:
    place = known.locations.get(names.location) if names.location else None
    ids: dict[str, UUID | None] = {
        "clinician": known.clinicians.get(names.clinician or ""),
        "location": place.id if place else None,
        "room": known.rooms.get((place.id, names.room)) if place and names.room else None,
        "condition": known.conditions.get(names.condition or ""),
        "category": known.categories.get(names.category or ""),
    }
    for kind, found in ids.items():
        if getattr(names, kind) is not None:
            if found is None:
                raise InvalidInput.at(f"{pointer}/{kind}", "unknown_reference", _UNKNOWN)
            yield kind, found
