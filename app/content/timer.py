"""The clock that a serving process keeps for `schedule.py`.

Every one of them keeps it, so that none in particular has to be alive. It sleeps until something falls due, but looks
more often than that: another process may schedule something for the next moment.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from app.content import schedule
from app.content.schedule import Aside
from app.core import logs
from app.core.db import Database

# In seconds. What is scheduled for the very next moment is late by this at most.
LOOK_EVERY: Final = 0.4
# How long what is being published when the process is to end may take.
GRACE_SECONDS: Final = 5.0


@asynccontextmanager
async def kept(database: Database, *, needs_approval: bool = False) -> AsyncIterator[None]:
    """Do what is due, then, as long as the block runs, what falls due."""
    aside, stop = Aside(), asyncio.Event()
    try:
        await schedule.publish_due(database, aside, needs_approval=needs_approval)
    except Exception as error:  # noqa: BLE001 - it is tried again right after the start
        logs.failure("schedule_failed", error)
    watch = asyncio.create_task(_watch(database, aside, stop, needs_approval=needs_approval))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait({watch}, timeout=GRACE_SECONDS)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _watch(database: Database, aside: Aside, stop: asyncio.Event, *, needs_approval: bool) -> None:
    is_out = is_awaited = False
    while not stop.is_set():
        wait = LOOK_EVERY
        try:
            left = await schedule.publish_due(database, aside, needs_approval=needs_approval)
            if is_awaited:
                # Another process may have done it: this one need not look for that first to forget the old page.
                database.note_publish()
            is_awaited = left is not None and left < LOOK_EVERY
            if left is not None:
                # A millisecond more, so that the moment has come when it is looked for.
                wait = min(left + 0.001, LOOK_EVERY)
            is_out = False
        except Exception as error:  # noqa: BLE001 - whatever it was, the next look may go well
            # Once, not at every look while the database is out.
            if not is_out:
                logs.failure("schedule_failed", error)
            is_out = True
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait)
