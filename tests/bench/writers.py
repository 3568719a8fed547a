"""Many processes that write to one SQLite file: how long a booking waits for its turn.

`uv run --group test python -m tests.bench.writers` books through the real doors, on a real disk. It fails where one
process was told that the database is locked, or gave up.
"""

import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import uvloop

from app.consultations.booking_shapes import ConsultationBookingCreate
from app.core import clock, crypto, migrations
from app.core.db import Database
from app.core.ids import new_id, new_secret
from app.core.settings import Settings
from tests.drills import direct
from tests.drills.direct import REFUSED
from tests.rows import new_slot
from tests.wishes import booking_wish

AIM_MS = 150
_SEATS = 50
_SLOTS = 400
# What a process tells: the seconds that each of its bookings took, and how often it was refused with what.
Told = tuple[list[float], Counter[str]]


@click.command()
@click.option("--processes", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--clients", type=click.IntRange(min=1), default=1, show_default=True, help="In each process.")
@click.option("--seconds", type=click.FloatRange(min=0.5), default=10, show_default=True)
def main(*, processes: int, clients: int, seconds: float) -> None:
    """Book from many processes at a time."""
    with tempfile.TemporaryDirectory(prefix="carepath-writers-") as name:
        folder = Path(name)
        settings = Settings(
            database_url=f"sqlite:///{folder}/writers.db", keyring_file=folder / "keyring", rate_limits=False
        )
        crypto.make_keyring(settings.keyring_path)
        migrations.upgrade(settings)
        slots = asyncio.run(_post_slots(settings, processes))
        context = multiprocessing.get_context("spawn")
        start = context.Barrier(processes)
        with context.Pool(processes, _remember, (start,)) as pool:
            work = [(settings, own, clients, seconds) for own in slots]
            told: list[Told] = pool.map(_book, work, chunksize=1)
    times = sorted(second for seconds_each, _ in told for second in seconds_each)
    refused = sum((codes for _, codes in told), Counter[str]())
    p50, p99 = (times[len(times) * share // 100] * 1000 for share in (50, 99))
    click.echo(
        f"- sqlite: {processes} processes x {clients} clients, {len(times)} bookings, {len(times) / seconds:.0f}/s, "
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms (aim {AIM_MS} ms), longest {times[-1] * 1000:.1f} ms; "
        f"refused: {dict(refused) or 'none'}"
    )
    if refused:
        sys.exit(1)


async def _post_slots(settings: Settings, processes: int) -> list[list[UUID]]:
    """Slots for each process, so that they wait for the file and for nothing else."""
    first = clock.now() + timedelta(days=1)
    ids = [[new_id() for _ in range(_SLOTS)] for _ in range(processes)]
    database = Database(settings)
    async with database.write() as session:
        for place, slot_id in enumerate(slot_id for own in ids for slot_id in own):
            starts_at = first + timedelta(hours=place)
            await session.exec(
                new_slot(id=slot_id, capacity=_SEATS, starts_at=starts_at, ends_at=starts_at + timedelta(hours=1))
            )
    await database.close()
    return ids


_start: Any = None


def _remember(start: Any) -> None:
    global _start  # noqa: PLW0603 - a barrier reaches a process of a pool in no other way
    _start = start


def _book(work: tuple[Settings, list[UUID], int, float]) -> Told:
    return uvloop.run(_book_for_a_while(*work))


async def _book_for_a_while(settings: Settings, slots: list[UUID], clients: int, seconds: float) -> Told:
    times: list[float] = []
    refused: Counter[str] = Counter()
    seats = iter(slot for slot in slots for _ in range(_SEATS))
    async with direct.opened(settings) as doors:

        async def book() -> None:
            wish = booking_wish(str(next(seats)))
            begun = time.perf_counter()
            try:
                await doors.book(ConsultationBookingCreate.model_validate(wish), new_secret("k"))
            except REFUSED as error:
                refused[direct.refusal_code(error)] += 1
            times.append(time.perf_counter() - begun)

        async def client(until: float) -> None:
            while time.perf_counter() < until:
                await book()

        await book()
        await asyncio.to_thread(_start.wait)
        times.clear()
        until = time.perf_counter() + seconds
        await asyncio.gather(*(client(until) for _ in range(clients)))
    return times, refused


if __name__ == "__main__":
    main()
