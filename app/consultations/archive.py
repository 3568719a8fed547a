"""Slots that are long over are laid aside, so that nobody who looks for what is to come meets them.

They stay where they are: whoever has a slot's id still reads it, and the figures count it.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Integer, Uuid, and_, bindparam, tuple_, update
from sqlalchemy import select as core_select
from sqlmodel import UTCDateTime, col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations.tables import KEPT, LIVE, ConsultationBooking, ConsultationSlot
from app.core import clock
from app.core.db import Database, connection_of, rows

# Slots that one transaction lays aside, so that nobody waits long for it.
AT_ONCE: Final = 300
# Slots that one statement looks at.
_LOOKED_AT: Final = 2_000
_slot: Final = ConsultationSlot
_place: Final = tuple_(col(_slot.starts_at), col(_slot.id))
_LIVE_ONE: Final = core_select(1).where(col(ConsultationBooking.slot_id) == col(_slot.id), LIVE).exists()
# In the order of the index of what is kept. Those that cannot be laid aside yet are told too: where to go on.
OLD: Final = (
    core_select(
        col(_slot.id),
        col(_slot.starts_at),
        and_(col(_slot.ends_at) < bindparam("before", type_=UTCDateTime()), ~_LIVE_ONE).label("is_over"),
    )
    .where(
        KEPT,
        col(_slot.starts_at) < bindparam("before", type_=UTCDateTime()),
        _place > tuple_(bindparam("after_start", type_=UTCDateTime()), bindparam("after_id", type_=Uuid())),
    )
    .order_by(col(_slot.starts_at), col(_slot.id))
    .limit(bindparam("limit", type_=Integer()))
)
# Whatever somebody is busy with is left for the next time.
LOCKED: Final = (
    core_select(col(_slot.id))
    .where(col(_slot.id).in_(bindparam("ids", expanding=True)), KEPT)
    .with_for_update(key_share=True, skip_locked=True)
)
# A statement of its own: it sees what was booked until the lock was had.
_LAY_ASIDE: Final = (
    update(_slot)
    .where(col(_slot.id).in_(bindparam("ids", expanding=True)), ~_LIVE_ONE)
    .values(archived_at=bindparam("at", type_=UTCDateTime()))
    .execution_options(synchronize_session=False)
)


async def archive_all(database: Database, *, days: int, by: str, at_once: int = AT_ONCE) -> int:
    """Lay aside what ended more than so many days ago and has no live booking; says how much.

    In many small transactions, none of which waits for a slot. Harmless to do twice, or by several at once.
    """
    async with database.read() as session:
        before = await clock.now_in(session) - timedelta(days=days)
    total, place, is_more = 0, (datetime.min.replace(tzinfo=before.tzinfo), UUID(int=0)), True
    while is_more:
        # Looked for without a turn to write: most of the time there is nothing to do.
        async with database.look() as look:
            after = {"after_start": place[0], "after_id": place[1]}
            found = await rows(look, OLD, {"before": before, "limit": _LOOKED_AT, **after})
        over = [row.id for row in found if row.is_over]
        for first in range(0, len(over), at_once):
            async with database.write() as session:
                total += await _lay_aside(session, over[first : first + at_once], by=by)
        is_more = len(found) == _LOOKED_AT
        place = (found[-1].starts_at, found[-1].id) if found else place
    return total


async def _lay_aside(session: AsyncSession, ids: list[UUID], *, by: str) -> int:
    locked = [row.id for row in await rows(session, LOCKED, {"ids": ids})]
    if not locked:
        return 0
    at = await clock.now_in(session)
    values: dict[str, Any] = {"ids": locked, "at": at}
    done = (await (await connection_of(session)).execute(_LAY_ASIDE, values)).rowcount
    if done:
        # One line for all of them: they are told by when they were laid aside.
        await audit.record(
            session, by=by, action="slots.archived", subject="consultation_slots", at=at, fields=["archived_at"]
        )
    return done
