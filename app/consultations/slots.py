"""Consultation slots: posted by admins, found by patients."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import MISSING, TypeAdapter
from sqlalchemy import Row, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations import first_available, references, slot_queries
from app.consultations.errors import SlotNotFound, SlotTaken
from app.consultations.first_available import FirstAvailable
from app.consultations.policies import Policy
from app.consultations.references import References
from app.consultations.slot_columns import Wanted, columns_of, refuse_past
from app.consultations.slot_filters import SlotFilter, refuse_unknown_slugs
from app.consultations.slot_shapes import BookedSlot, ConsultationSlotCreate, ConsultationSlotPublic
from app.consultations.tables import ConsultationSlot, SlotStatus
from app.core import clock
from app.core.brief import BriefMemory
from app.core.db import Database, DatabaseBusy, rows
from app.core.errors import InvalidInput

MOST_ALTERNATIVES: Final = 5
# More than two clocks differ by.
_LONG_PAST: Final = timedelta(days=1)
# Makes all of a list at once, which costs half of making one by one.
_PUBLIC = TypeAdapter(list[ConsultationSlotPublic])


async def post(session: AsyncSession, wish: ConsultationSlotCreate, *, slot_id: UUID, by: str) -> None:
    """Offer a span of time. Raises InvalidInput for a time that has begun, an unknown slug, or no time zone.

    An overlap for the clinician or the room and an `external_id` that is taken are refused by the schema: SlotOverlaps,
    ExternalIdTaken.
    """
    now = await clock.now_in(session)
    known = await references.look_up(session, [wish])
    await session.exec(insert(ConsultationSlot).values(row_of(wish, known, slot_id=slot_id, now=now)))
    await audit.record(session, by=by, action="slot.created", subject=str(slot_id), at=now)


def row_of(wish: Wanted, known: References, *, slot_id: UUID, now: datetime) -> dict[str, Any]:
    """A new slot's columns. Raises InvalidInput for a time that has begun, an unknown slug, or no time zone."""
    refuse_past(wish, now=now)
    said = columns_of(wish, known)
    return {"id": slot_id, "status": SlotStatus.OPEN, "version": 1, "created_at": now, **said}


async def get(
    session: AsyncSession, slot_id: UUID, *, policy: Policy, for_admins: bool = False
) -> ConsultationSlotPublic:
    """One slot, whatever its status; raises SlotNotFound."""
    found = _public(await rows(session, slot_queries.by_id(for_admins=for_admins), {"ids": [slot_id]}), policy)
    if not found:
        raise SlotNotFound
    return found[0]


async def lock(session: AsyncSession, slot_id: UUID) -> Row[Any]:
    """A slot's row with the names of what it points at, and the time at which its lock was had; raises InvalidInput."""
    found = await rows(session, slot_queries.locked(), {"id": slot_id})
    if not found:
        raise InvalidInput.at("/slot_id", "unknown_reference", "names nothing that is known here")
    slot: Row[Any] = found[0]
    return slot


@asynccontextmanager
async def alternatives_offered(database: Database, brief: BriefMemory, *, policy: Policy) -> AsyncIterator[None]:
    """Let a SlotTaken of this block say what else is free: asked when the block's transaction is over.

    So that nobody waits for a seat while somebody is told that there is none. Asked once for all who come too late at
    the same moment: when a popular day opens, they are thousands.
    """
    try:
        yield
    except SlotTaken as refused:
        if refused.wanted is not None:
            wanted = refused.wanted

            async def ask() -> list[dict[str, Any]]:
                values = {**wanted, "min_notice": seconds_of(policy), "limit": MOST_ALTERNATIVES}
                async with database.look() as look:
                    free = _public(await rows(look, slot_queries.alternatives(look.dialect.name), values), policy)
                return [slot.model_dump(mode="json") for slot in free]

            # That the seat is gone is known; what else is free may stay untold.
            with suppress(DBAPIError, DatabaseBusy):
                refused.extra["alternatives"] = await brief.get(("alternatives", *map(str, wanted.values())), ask)
        raise


async def find(
    source: AsyncConnection,
    wanted: SlotFilter,
    *,
    policy: Policy,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    first: FirstAvailable | None = None,
) -> list[ConsultationSlotPublic]:
    """Slots, soonest first. Raises InvalidInput for a filter that names an unknown slug.

    With `first`, those that can be booked now, and only the soonest of each clinician, location or mode.
    """
    if wanted.statuses is None and wanted.starts_from is not None and wanted.starts_from < clock.now() - _LONG_PAST:
        # Nothing can be booked from then on until now, and an index would be read from there.
        wanted = replace(wanted, starts_from=None)
    values = wanted.values()
    asked = frozenset(values) | ({"after"} if after is not None else set())
    if after is not None:
        values |= {"after_start": after[0], "after_id": after[1]}
    if "statuses" not in asked:
        values["min_notice"] = seconds_of(policy)
    dialect = source.dialect.name
    query = slot_queries.listing(asked, dialect) if first is None else first_available.listing(first, asked)
    found = await rows(source, query, values | {"limit": limit})
    if not found:
        await refuse_unknown_slugs(source, wanted)
    return _public(found, policy)


def booked(row: Row[Any]) -> BookedSlot:
    """The slot of a booking, from the booking's row."""
    return BookedSlot.model_validate(_described(row))


def seconds_of(policy: Policy) -> int:
    """The hospital's notice, as the queries are given it: what holds where a location has none of its own."""
    return int(policy.min_notice.total_seconds())


def _public(in_any_order: Sequence[Row[Any]], policy: Policy) -> list[ConsultationSlotPublic]:
    found = sorted(in_any_order, key=lambda row: (row.starts_at, row.id))
    told = [_described(row) | {"seats_free": _seats_free(row, policy)} for row in found]
    if found and "external_id" in found[0]._fields:
        told = [slot | _for_admins(row) for slot, row in zip(told, found, strict=True)]
    return _PUBLIC.validate_python(told)


def _for_admins(row: Row[Any]) -> dict[str, Any]:
    reason = MISSING if row.overlap_reason is None else {"reason": row.overlap_reason}
    return {"external_id": MISSING if row.external_id is None else row.external_id, "allow_overlap": reason}


def _seats_free(row: Row[Any], policy: Policy) -> int:
    is_bookable = row.status == SlotStatus.OPEN and row.starts_at > row.now + policy.at_location(row).min_notice
    return row.capacity - row.taken if is_bookable else 0


def _described(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "time_zone": row.time_zone,
        "mode": row.mode,
        "capacity": row.capacity,
        "status": row.status,
        "version": row.version,
        "clinician": _named(row.clinician_slug, row.clinician_name),
        "location": _named(row.location_slug, row.location_name),
        "room": _named(row.room_slug, row.room_name),
        "category": _named(row.category_slug, row.category_name),
        "condition": _named(row.condition_slug, row.condition_name),
    }


def _named(slug: str | None, name: str | None) -> Any:
    return MISSING if slug is None else {"slug": slug, "name": name or slug}
