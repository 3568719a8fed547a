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
    clock, stop = _Clock(database, needs_approval=needs_approval), asyncio.Event()
    watch = asyncio.create_task(_watch(clock, await clock.look(), stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait({watch}, timeout=GRACE_SECONDS)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _watch(clock: "_Clock", wait: float, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait)
        if not stop.is_set():
            wait = await clock.look()


class _Clock:
    """Does what is due, whenever it looks."""

    def __init__(self, database: Database, *, needs_approval: bool) -> None:
        self._database = database
        self._needs_approval = needs_approval
        self._aside = Aside()
        self._is_out = self._is_awaited = False

    async def look(self) -> float:
        """Do what is due; says in how many seconds to look again."""
        try:
            left = await schedule.publish_due(self._database, self._aside, needs_approval=self._needs_approval)
        except Exception as error:  # noqa: BLE001 - whatever it was, the next look may go well
            # Once, not at every look while the database is out.
            if not self._is_out:
                logs.failure("schedule_failed", error)
            self._is_out = True
            return LOOK_EVERY
        self._is_out = False
        if self._is_awaited:
            # Another process may have done it: this one need not look for that first to forget the old page.
            self._database.note_publish()
        self._is_awaited = left is not None and left < LOOK_EVERY
        # A millisecond more, so that the moment has come when it is looked for.
        return LOOK_EVERY if left is None else min(left + 0.001, LOOK_EVERY)
