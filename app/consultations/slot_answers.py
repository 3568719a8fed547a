"""What is told of a slot, from its row."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Row

from app.consultations.policies import Policy
from app.consultations.slot_shapes import BookedSlot, ConsultationSlotPublic
from app.consultations.tables import SlotStatus

# What a list says of each slot, in the words of the query.
LISTED: Final = frozenset(
    {"id", "starts_at", "ends_at", "time_zone", "mode", "capacity", "status", "version", "taken"}
    | {
        f"{thing}_{what}"
        for thing in ("clinician", "location", "room", "category", "condition")
        for what in ("slug", "name")
    }
)
# Makes all of a list at once, which costs half of making one by one.
_PUBLIC = TypeAdapter(list[ConsultationSlotPublic])


def booked(row: Row[Any]) -> BookedSlot:
    """The slot of a booking, from the booking's row."""
    return BookedSlot.model_validate(_described(row))


def public(in_any_order: Sequence[Row[Any]], policy: Policy) -> list[ConsultationSlotPublic]:
    """The slots of these rows, soonest first."""
    return _PUBLIC.validate_python(told(in_any_order, policy))


def told(in_any_order: Sequence[Any], policy: Policy) -> list[dict[str, Any]]:
    """The same, as they stand in an answer: a list that nobody reads but to send it needs no more."""
    found = sorted(in_any_order, key=lambda row: (row.starts_at, row.id))
    is_for_admins = bool(found) and "external_id" in found[0]._fields
    slots = [_described(row) | {"seats_free": _seats_free(row, policy)} for row in found]
    return [slot | _for_admins(row) for slot, row in zip(slots, found, strict=True)] if is_for_admins else slots


def free(row: Any) -> dict[str, Any]:
    """One that the database has found to be free, by a row of `LISTED`."""
    return _described(row) | {"seats_free": row.capacity - row.taken}


def _for_admins(row: Any) -> dict[str, Any]:
    overlap = {} if row.overlap_reason is None else {"allow_overlap": {"reason": row.overlap_reason}}
    return ({} if row.external_id is None else {"external_id": row.external_id}) | overlap


def _seats_free(row: Any, policy: Policy) -> int:
    is_bookable = row.status == SlotStatus.OPEN and row.starts_at > row.now + policy.notice_at(row)
    return row.capacity - row.taken if is_bookable else 0


def _described(row: Any) -> dict[str, Any]:
    always = {
        "id": row.id,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "time_zone": row.time_zone,
        "mode": row.mode,
        "capacity": row.capacity,
        "status": row.status,
        "version": row.version,
    }
    named = (
        ("clinician", row.clinician_slug, row.clinician_name),
        ("location", row.location_slug, row.location_name),
        ("room", row.room_slug, row.room_name),
        ("category", row.category_slug, row.category_name),
        ("condition", row.condition_slug, row.condition_name),
    )
    return always | {what: {"slug": slug, "name": name or slug} for what, slug, name in named if slug is not None}
