"""One of several processes that send batches at the same moment."""

import asyncio
import io
import os
import signal
from typing import Any

from app.access.callers import COMMAND_LINE
from app.consultations import batch_files, batch_queries, batches
from app.consultations.batches import Batch
from app.consultations.slot_edit_shapes import BatchMode, Outcome
from app.consultations.slot_files import FileFormat
from app.content import slugs
from app.core.db import Database
from app.core.settings import Settings


async def post(
    database: Database, body: bytes, *, mode: BatchMode = BatchMode.ATOMIC, dry_run: bool = False
) -> tuple[bool, dict[Outcome, int]]:
    """Write these slots, of JSON: whether anything was written, and what became of the rows."""
    stage = await batch_files.check(io.BytesIO(body), FileFormat.JSON)
    try:
        batch = Batch(stage, mode, dry_run, COMMAND_LINE.actor, slugs.present)
        return await batches.post(database, batch), stage.counts()
    finally:
        stage.close()


def posting(settings: Settings, bodies: list[bytes], mode: BatchMode, start: Any, results: Any) -> None:
    """Write one batch after the other, each at the same moment as the other process."""

    async def post_all() -> list[tuple[bool, dict[str, int]]]:
        database = Database(settings)
        try:
            told = []
            for body in bodies:
                start.wait(30)
                was_written, counts = await post(database, body, mode=mode)
                told.append((was_written, {str(outcome): count for outcome, count in counts.items()}))
            return told
        finally:
            await database.close()

    results.put(asyncio.run(post_all()))


def dying(settings: Settings, body: bytes) -> None:
    """Be killed when a part of the batch is written."""

    async def die() -> None:
        insert, written = batch_queries.insert, 0

        async def insert_some(session: Any, slots: Any) -> None:
            nonlocal written
            await insert(session, slots)
            written += len(slots)
            if written >= 500:
                os.kill(os.getpid(), signal.SIGKILL)

        batch_queries.insert = insert_some
        await post(Database(settings), body)

    asyncio.run(die())
