"""What admins do with slots that are posted: close, open, cancel."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, bindparam, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations import bookings, slot_queries
from app.consultations.errors import SlotCancelled, SlotNotFound
from app.consultations.reasons import CancellationReason
from app.consultations.tables import ConsultationSlot, SlotStatus
from app.core.db import connection_of, rows
from app.core.errors import VersionStale

# The versions of which one must be the present one; None for whatever it is.
Versions = frozenset[int] | None
_slot: Final = ConsultationSlot.__table__  # type: ignore[attr-defined]
_CHANGE: Final = (
    update(_slot)
    .where(_slot.c.id == bindparam("slot_id"))
    .values(status=bindparam("to_status"), version=_slot.c.version + 1)
)


async def close(session: AsyncSession, slot_id: UUID, *, versions: Versions, by: str) -> None:
    """Take no more bookings; those that stand stay. Raises SlotNotFound, SlotCancelled, VersionStale."""
    await _change(session, slot_id, SlotStatus.CLOSED, versions=versions, by=by)


async def reopen(session: AsyncSession, slot_id: UUID, *, versions: Versions, by: str) -> None:
    """Take bookings again. Raises SlotNotFound, SlotCancelled, VersionStale."""
    await _change(session, slot_id, SlotStatus.OPEN, versions=versions, by=by)


async def cancel(
    session: AsyncSession, slot_id: UUID, *, reason: CancellationReason, versions: Versions, by: str
) -> None:
    """Cancel a slot and every booking of it, each with its event and message. Raises SlotNotFound, VersionStale."""
    slot = await _lock(session, slot_id, SlotStatus.CANCELLED, versions)
    if slot is not None:
        await bookings.cancel_all_of(session, slot_id, reason=reason, by=by)
        await _write(session, slot, SlotStatus.CANCELLED, by=by)


async def _change(session: AsyncSession, slot_id: UUID, to: SlotStatus, *, versions: Versions, by: str) -> None:
    slot = await _lock(session, slot_id, to, versions)
    if slot is not None:
        if slot.status == SlotStatus.CANCELLED:
            raise SlotCancelled
        await _write(session, slot, to, by=by)


async def _lock(session: AsyncSession, slot_id: UUID, to: SlotStatus, versions: Versions) -> Row[Any] | None:
    """The slot's row, locked; None when it is already as it shall be: then nothing of anybody's can be lost."""
    found = await rows(session, slot_queries.locked(), {"id": slot_id})
    if not found:
        raise SlotNotFound
    slot: Row[Any] = found[0]
    if slot.status == to:
        return None
    if versions is not None and slot.version not in versions:
        raise VersionStale
    return slot


async def _write(session: AsyncSession, slot: Row[Any], to: SlotStatus, *, by: str) -> None:
    await (await connection_of(session)).execute(_CHANGE, {"slot_id": slot.id, "to_status": to})
    done = {SlotStatus.OPEN: "opened", SlotStatus.CLOSED: "closed", SlotStatus.CANCELLED: "cancelled"}[to]
    await audit.record(session, by=by, action=f"slot.{done}", subject=str(slot.id), at=slot.now, fields=["status"])
