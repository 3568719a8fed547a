"""What an admin changes about one slot: by the rules that a batch goes by."""

from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import Row, bindparam
from sqlalchemy import select as core_select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations import batch_queries, references, seats, slot_queries
from app.consultations.errors import SlotBooked, SlotNotFound
from app.consultations.slot_changes import Versions
from app.consultations.slot_columns import FIELDS, TOLD, changed, columns_of, refuse_change
from app.consultations.slot_edit_shapes import ConsultationSlotUpdate
from app.consultations.slot_shapes import ConsultationSlotCreate
from app.consultations.tables import ConsultationSlot
from app.core.db import rows
from app.core.errors import InvalidInput, VersionStale
from app.core.faults import faults_of

_NAMED: Final = ("clinician", "location", "room", "category", "condition")
_REST: Final = core_select(col(ConsultationSlot.external_id), col(ConsultationSlot.overlap_reason)).where(
    col(ConsultationSlot.id) == bindparam("id")
)


async def change(
    session: AsyncSession, slot_id: UUID, wish: ConsultationSlotUpdate, *, versions: Versions, by: str
) -> None:
    """Make a slot otherwise. Raises SlotNotFound, VersionStale, SlotBegun, SlotCancelled, SlotBooked, InvalidInput.

    Too few seats, an overlap, and an `external_id` that is taken, are refused by the schema: SlotBooked, SlotOverlaps,
    ExternalIdTaken.
    """
    found = await rows(session, slot_queries.locked(), {"id": slot_id})
    if not found:
        raise SlotNotFound
    slot: Row[Any] = found[0]
    if versions is not None and slot.version not in versions:
        raise VersionStale
    (rest,) = await rows(session, _REST, {"id": slot_id})
    whole = _merged(slot, rest, wish)
    columns = columns_of(whole, await references.look_up(session, [whole]))
    changes = changed(_Present(slot, rest), columns)
    refuse_change(slot, columns, changes, now=slot.now)
    if not changes:
        return
    if changes & (TOLD | {"capacity"}):
        # A hold that is over is no booking, but the guards do not know the time.
        await seats.expire_stale(session, slot_id=slot_id)
    if changes & TOLD and await batch_queries.seats_taken(session, [slot_id]):
        raise SlotBooked
    await batch_queries.change(session, [{"id": slot_id, **columns}])
    fields = sorted(FIELDS[name] for name in changes)
    await audit.record(session, by=by, action="slot.updated", subject=str(slot_id), at=slot.now, fields=fields)


class _Present:
    """A slot's columns, from the two rows that have them."""

    def __init__(self, *parts: Row[Any]) -> None:
        self._columns = {name: value for row in parts for name, value in row._mapping.items()}  # noqa: SLF001 - public

    def __getattr__(self, name: str) -> Any:
        return self._columns[name]


def _merged(slot: Row[Any], rest: Row[Any], wish: ConsultationSlotUpdate) -> ConsultationSlotCreate:
    """The whole slot as it shall be."""
    sent = wish.model_dump(mode="json")
    present = {name: getattr(slot, name) for name in ("time_zone", "mode", "capacity")}
    present |= {name: getattr(slot, name).isoformat() for name in ("starts_at", "ends_at")}
    present |= {name: getattr(slot, f"{name}_slug") for name in _NAMED}
    present |= {
        "external_id": rest.external_id,
        "allow_overlap": None if rest.overlap_reason is None else {"reason": rest.overlap_reason},
    }
    if "location" in sent and sent["location"] != present["location"]:
        # A room is one of its location's, and the zone is the location's.
        present["room"] = None
        if sent["location"] is not None:
            present["time_zone"] = None
    try:
        return ConsultationSlotCreate.model_validate(present | sent)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise InvalidInput(*faults_of([{**fault, "loc": ("body", *fault["loc"])} for fault in found])) from None
