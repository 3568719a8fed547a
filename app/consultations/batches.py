"""Batches: thousands of slots from one file, posted or changed in one transaction."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations import batch_looks, batch_queries
from app.consultations.batch_looks import Look, Present, SlotRenamed
from app.consultations.errors import ExternalIdTaken, SlotOverlaps
from app.consultations.slot_columns import FIELDS
from app.consultations.slot_edit_shapes import BatchMode, Outcome
from app.consultations.slot_stage import Stage
from app.consultations.slots import row_of
from app.consultations.staged_rows import Staged
from app.core import ahead, clock
from app.core.database_errors import LOCK_NOT_AVAILABLE, constraint_of
from app.core.db import Database
from app.core.ids import new_id

# PostgreSQL's SQLSTATE for transactions that waited for each other.
DEADLOCK: Final = "40P01"
# How often a batch is tried that meets another one: each time it sees what that one has written.
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 0.05
# Rows of the stage, and what the database is to be given for them.
_Prepared: TypeAlias = tuple[Sequence[Staged], Sequence[Mapping[str, Any]]]


class _NothingWritten(Exception):
    """All was looked at, and the transaction is to be rolled back."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be done with the slots of a file, and who does it."""

    stage: Stage
    mode: BatchMode
    dry_run: bool
    by: str
    present: Present
    # Told how many rows more were written.
    done: Callable[[int], Any] = bool


async def post(database: Database, batch: Batch) -> bool:
    """Write what was checked, in one transaction; says whether it did, and the stage says what became of each row.

    In atomic mode nothing is written if a row is refused. Two batches that want the same time are kept apart by the
    schema: who comes second looks again, and finds the first one's slots. Raises SlotOverlaps or ExternalIdTaken when
    others were faster each time.
    """
    for tried in range(1, _TRIES + 1):
        await asyncio.to_thread(batch.stage.begin)
        try:
            async with database.write() as session:
                await _post(session, batch)
        except _NothingWritten:
            return False
        except SlotRenamed:
            if tried == _TRIES:
                raise ExternalIdTaken from None
        except DBAPIError as error:
            if tried == _TRIES or not _may_go_well(error):
                raise
            await asyncio.sleep(_PAUSE_SECONDS * tried)
        else:
            return True
    raise AssertionError


async def _post(session: AsyncSession, batch: Batch) -> None:
    stage = batch.stage
    known = await batch_looks.look_up(session, stage, batch.present)
    await batch_looks.match(session, stage)
    look = Look(await clock.now_in(session), known)
    await batch_looks.examine_present(session, stage, look)
    await batch_looks.examine_booked(session, stage)
    await batch_looks.lift(session, stage)
    await batch_looks.examine_places(session, stage, look, is_atomic=batch.mode is BatchMode.ATOMIC)
    if batch.dry_run or (batch.mode is BatchMode.ATOMIC and stage.counts()[Outcome.REFUSED]):
        raise _NothingWritten
    await _write(session, batch, look)


async def _write(session: AsyncSession, batch: Batch, look: Look) -> None:
    stage = batch.stage

    async def change(prepared: _Prepared) -> None:
        page, columns = prepared
        await batch_queries.change(session, columns)
        done = [(str(row.slot_id), sorted(FIELDS[name] for name in row.changes)) for row in page]
        await audit.record_at_once(session, by=batch.by, action="slot.updated", done=done, at=look.now)
        batch.done(len(page))

    async def make(prepared: _Prepared) -> None:
        page, columns = prepared
        await batch_queries.insert(session, columns)
        done: list[tuple[str, list[str]]] = [(str(slot["id"]), []) for slot in columns]
        await audit.record_at_once(session, by=batch.by, action="slot.created", done=done, at=look.now)
        stage.make((row.row, slot["id"]) for row, slot in zip(page, columns, strict=True))
        batch.done(len(page))

    def changed(row: Staged) -> dict[str, Any]:
        return {"id": row.slot_id, **batch_looks.columns_for(row, look.known)}

    def made(row: Staged) -> dict[str, Any]:
        return row_of(row, look.known, slot_id=new_id(), now=look.now)

    old = stage.pages(where="changes IS NOT NULL", order="slot_id")
    await ahead.each(change, ((page, list(map(changed, page))) for page in old))
    # In the order of time, as every batch does: two of them meet at one slot, and do not wait in a circle.
    new = stage.pages(where="slot_id IS NULL", order="starts_at")
    await ahead.each(make, ((page, list(map(made, page))) for page in new))


def _may_go_well(error: DBAPIError) -> bool:
    """Whether another try finds what was in the way: another batch was faster, or both waited for each other.

    Not after a connection was lost: it may have happened.
    """
    if isinstance(error, IntegrityError):
        return constraint_of(error) in SlotOverlaps.constraints + ExternalIdTaken.constraints
    return getattr(error.orig, "sqlstate", None) in (DEADLOCK, LOCK_NOT_AVAILABLE)
