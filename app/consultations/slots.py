"""Consultation slots: posted by admins, found by patients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations import first_available, references, slot_answers, slot_queries
from app.consultations.errors import SlotNotFound, SlotTaken
from app.consultations.first_available import FirstAvailable
from app.consultations.policies import Policy
from app.consultations.references import References
from app.consultations.slot_columns import Wanted, columns_of, refuse_past
from app.consultations.slot_filters import SlotFilter, refuse_unknown_slugs
from app.consultations.slot_shapes import ConsultationSlotCreate, ConsultationSlotPublic
from app.consultations.tables import ConsultationSlot, SlotStatus
from app.core import clock
from app.core.brief import BriefMemory
from app.core.db import Database, DatabaseBusy, rows
from app.core.errors import InvalidInput
from app.core.gathered import gathered

MOST_ALTERNATIVES: Final = 5
# More than two clocks differ by.
_LONG_PAST: Final = timedelta(days=1)


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
    found = slot_answers.public(
        await rows(session, slot_queries.by_id(for_admins=for_admins), {"ids": [slot_id]}), policy
    )
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
                    free = slot_answers.public(
                        await rows(look, slot_queries.alternatives(look.dialect.name), values), policy
                    )
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
) -> list[dict[str, Any]]:
    """Slots as `ConsultationSlotPublic` shows them, soonest first.

    Raises InvalidInput for a filter that names an unknown slug. With `first`, those that can be booked now, and only
    the soonest of each clinician, location or mode.
    """
    wanted, after = _with_one_begin(wanted, after, is_nested=first is not None)
    values = wanted.values()
    asked = frozenset(values) | ({"after"} if after is not None else set())
    if after is not None:
        values |= {"after_start": after[0], "after_id": after[1]}
    if "statuses" not in asked:
        values["min_notice"] = seconds_of(policy)
    dialect = source.dialect.name
    query = slot_queries.listing(asked, dialect) if first is None else first_available.listing(first, asked)
    values["limit"] = limit
    if wanted.statuses is None:
        free = await gathered(source, query, values, columns=slot_answers.LISTED, shape=slot_answers.free)
        found = sorted(free, key=lambda slot: (slot["starts_at"], slot["id"]))
    else:
        found = slot_answers.told(await rows(source, query, values), policy)
    if not found:
        await refuse_unknown_slugs(source, wanted)
    return found


def _with_one_begin(
    wanted: SlotFilter, after: tuple[datetime, UUID] | None, *, is_nested: bool
) -> tuple[SlotFilter, tuple[datetime, UUID] | None]:
    """The same slots, with the latest of what says where they begin: an index is read from there and not from before.

    With `is_nested`, what the filter says is asked first, and the rest of what that gave.
    """
    begin = wanted.starts_from
    if wanted.statuses is None:
        # Nothing can be booked from then until now.
        long_ago = clock.now() - _LONG_PAST
        begin = begin if begin is not None and begin >= long_ago else None
        after = after if after is not None and after[0] >= long_ago else None
    if begin is not None and after is not None:
        # A cursor from before the begin says nothing more than that does, and the other way round.
        if after[0] < begin:
            after = None
        elif not is_nested:
            begin = None
    return wanted if begin == wanted.starts_from else replace(wanted, starts_from=begin), after


def seconds_of(policy: Policy) -> int:
    """The hospital's notice, as the queries are given it: what holds where a location has none of its own."""
    return int(policy.min_notice.total_seconds())
