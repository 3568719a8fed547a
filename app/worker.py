"""What is done between requests: the trail is sealed, stale holds end, due reviews are told, old rows are deleted.

On SQLite every serving process does it; elsewhere `carepath worker` does, as many of them as you like. Each job is
harmless to do twice or side by side, and nothing that is promised to a client waits for it but the seals.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from app.access import seals
from app.access.seal_head import keep_head
from app.consultations import archive, retention, schedule_horizon, seats
from app.content import review
from app.core import logs
from app.core.crypto import Keyring
from app.core.db import Database
from app.core.settings import Settings

# How long a job that is running when the worker is to stop may go on. What it then leaves is done the next time.
GRACE_SECONDS: Final = 5.0
# So that what is due once an hour is done also where no process lives that long.
FIRST_WITHIN: Final = 60.0
_HOLDS_AT_ONCE: Final = 200
_REVIEWS_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Tools:
    """What jobs work with."""

    database: Database
    keyring: Keyring
    settings: Settings


@dataclass(frozen=True, slots=True)
class Job:
    """Something that is done every so many seconds; it returns a sentence on what it did."""

    name: str
    every: float
    do: Callable[[Tools], Awaitable[str]]


async def _seal_trail(tools: Tools) -> str:
    total = 0
    while True:
        async with tools.database.write() as session:
            seal = await seals.seal(session, tools.keyring)
        if seal is None:
            break
        total += seal.entries
        # Where logs are kept elsewhere, that is one more place outside of the database that knows the seal.
        sealed_at = seals.instant(seal.sealed_at)
        logs.event("audit_sealed", number=seal.number, entries=seal.entries, hash=seal.hash.hex(), sealed_at=sealed_at)
        if seal.entries < seals.AT_ONCE:
            break
    if total:
        await keep_head(tools.database, tools.settings.audit_head_path)
    return f"Entries of the audit trail that were sealed: {total}."


async def _expire_holds(tools: Tools) -> str:
    total, ended = 0, _HOLDS_AT_ONCE
    while ended == _HOLDS_AT_ONCE:
        async with tools.database.write() as session:
            ended = await seats.expire_stale(session, limit=_HOLDS_AT_ONCE)
        total += ended
    return f"Holds that had expired and were ended: {total}."


async def _tell_reviews(tools: Tools) -> str:
    total, told = 0, _REVIEWS_AT_ONCE
    while told == _REVIEWS_AT_ONCE:
        async with tools.database.write() as session:
            told = await review.tell_due(session, limit=_REVIEWS_AT_ONCE)
        total += told
    return f"Reviews that fall due and were told: {total}."


async def _extend_schedules(tools: Tools) -> str:
    return f"Slots that schedules were extended by: {await schedule_horizon.extend_all(tools.database, by='worker')}."


async def _archive_slots(tools: Tools) -> str:
    days = tools.settings.archive_days
    return f"Slots that were laid aside: {await archive.archive_all(tools.database, days=days, by='worker')}."


async def _keep_head(tools: Tools) -> str:
    # What was sealed right before a crash, and what another process seals, is written here too.
    await keep_head(tools.database, tools.settings.audit_head_path)
    return "The head of the audit trail was compared."


async def _purge(tools: Tools) -> str:
    purged = await retention.purge_all(tools.database, tools.settings, by="worker")
    told = f"{purged.bookings} patients, {purged.answers} answers, {purged.messages} messages and {purged.plans} plans"
    return f"Deleted: {told}."


# In an order in which the last ones seal what the first ones did.
JOBS: Final = (
    Job("expire_holds", 30, _expire_holds),
    Job("tell_reviews", 3600, _tell_reviews),
    Job("extend_schedules", 3600, _extend_schedules),
    Job("archive_slots", 3600, _archive_slots),
    Job("purge", 3600, _purge),
    Job("seal_trail", 5, _seal_trail),
    Job("keep_head", 60, _keep_head),
)


async def run(database: Database, keyring: Keyring, settings: Settings, stop: asyncio.Event) -> None:
    """Do each job again and again until `stop` is set."""
    # A job holds it while it runs.
    turn = asyncio.Lock()
    repeating = asyncio.create_task(_repeat(Tools(database, keyring, settings), turn))
    try:
        await stop.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(turn.acquire(), GRACE_SECONDS)
    finally:
        repeating.cancel()
        await asyncio.gather(repeating, return_exceptions=True)


async def run_until_signalled(database: Database, keyring: Keyring, settings: Settings) -> None:
    """Do each job again and again until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    logs.event("worker_ready")
    await run(database, keyring, settings, stop)


async def run_once(database: Database, keyring: Keyring, settings: Settings) -> dict[str, str | None]:
    """Do each job once: what it did, by its name; None where it failed."""
    tools = Tools(database, keyring, settings)
    return {job.name: await _attempt(job, tools) for job in JOBS}


@asynccontextmanager
async def alongside(database: Database, keyring: Keyring, settings: Settings) -> AsyncIterator[None]:
    """Do the jobs as long as the block runs."""
    stop = asyncio.Event()
    running = asyncio.create_task(run(database, keyring, settings, stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def _repeat(tools: Tools, turn: asyncio.Lock) -> None:
    now = asyncio.get_running_loop().time
    due = {job: now() + min(job.every, FIRST_WITHIN) for job in JOBS}
    while True:
        await asyncio.sleep(min(due.values()) - now())
        for job in JOBS:
            if due[job] <= now():
                async with turn:
                    await _attempt(job, tools)
                due[job] = now() + job.every


async def _attempt(job: Job, tools: Tools) -> str | None:
    try:
        return await job.do(tools)
    except Exception as error:  # noqa: BLE001 - whatever it was, the next time may go well
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # A driver may turn the cancellation into an error of its own; the worker is to stop all the same.
            raise asyncio.CancelledError from None
        logs.failure("worker_failed", error, job=job.name)
        return None
