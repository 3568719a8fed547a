"""What a slot is made of, as an admin says it: the columns that posting and changing have in common."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from app.consultations.errors import SlotBegun, SlotCancelled
from app.consultations.local_times import local_time
from app.consultations.references import Pointing, References
from app.consultations.tables import SlotMode, SlotStatus
from app.core.errors import InvalidInput

# What can be changed, and what each is called where an admin says it.
FIELDS: Final[Mapping[str, str]] = {
    "starts_at": "starts_at",
    "ends_at": "ends_at",
    "time_zone": "time_zone",
    "mode": "mode",
    "capacity": "capacity",
    "clinician_id": "clinician",
    "location_id": "location",
    "room_id": "room",
    "category_id": "category",
    "condition_id": "condition",
    "external_id": "external_id",
    "overlap_reason": "allow_overlap",
}
TIME: Final = frozenset({"starts_at", "ends_at"})
# What somebody who has booked was told of it: a plan changes that, and tells them.
TOLD: Final = TIME | {"time_zone", "mode", "clinician_id", "location_id", "room_id", "category_id", "condition_id"}
# What decides whose time it holds, and when.
PLACE: Final = TIME | {"clinician_id", "room_id", "overlap_reason"}


class Wanted(Pointing, Protocol):
    """Whatever says of a slot what an admin can say of it."""

    starts_at: datetime
    ends_at: datetime
    mode: SlotMode
    capacity: int
    external_id: str | None

    @property
    def overlap_reason(self) -> str | None:
        """Why it may overlap; None where it may not."""


def columns_of(wish: Wanted, known: References) -> dict[str, Any]:
    """What a slot's row says of this. Raises InvalidInput for an unknown slug, and without a time zone."""
    pointers = known.pointers(wish)
    return {
        "starts_at": wish.starts_at,
        "ends_at": wish.ends_at,
        "mode": wish.mode,
        "capacity": wish.capacity,
        "external_id": wish.external_id,
        "overlap_reason": wish.overlap_reason,
        **pointers._asdict(),
        **local_time(wish.starts_at, pointers.time_zone)._asdict(),
    }


def refuse_past(wish: Wanted, *, now: datetime) -> None:
    """Raise InvalidInput for a time that has begun."""
    if wish.starts_at <= now:
        raise InvalidInput.at("/starts_at", "in_the_past", "must lie in the future")


def changed(present: Any, columns: Mapping[str, Any]) -> frozenset[str]:
    """The columns in which a slot's row is otherwise."""
    return frozenset(name for name in FIELDS if getattr(present, name) != columns[name])


def refuse_change(present: Any, columns: Mapping[str, Any], changes: frozenset[str], *, now: datetime) -> None:
    """Raise SlotBegun, SlotCancelled or InvalidInput where these changes cannot be made, whoever has booked."""
    if not changes:
        return
    if present.starts_at <= now:
        raise SlotBegun
    if present.status == SlotStatus.CANCELLED:
        raise SlotCancelled
    if "starts_at" in changes and columns["starts_at"] <= now:
        raise InvalidInput.at("/starts_at", "in_the_past", "must lie in the future")
