"""What publishing costs the readers, for `python -m tests.bench.lane`.

Another process publishes twice a second: in turn into the database that is served, and into one that nobody serves.
That is the same work beside the same readers, so the ratio of the two p99 is what the server makes of it, and not what
it is to share two cores with one more process; it is the ratio of the medians of all rounds. `alone` is the p99 while
nobody publishes at all. Asked for are a page that stays as it is, the page that is published, and a list: what many ask
for is never only what nobody changes.
"""

import asyncio
import secrets
import statistics
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing import get_context
from multiprocessing.synchronize import Event

import uvloop

from app.core.db import Database
from app.core.settings import Settings
from tests.bench.wrk import measure, pid_at
from tests.pages import publish

SLUG = "synthetic-busy"
ASKED = {
    "another page": "/conditions/acute-lymphoblastic-leukemia",
    "the page": f"/conditions/{SLUG}",
    "list": "/conditions?limit=20",
}


def beside(name: str, own: Settings, elsewhere: Settings, port: int, *, seconds: int, rounds: int) -> str:
    """Rows of a table: what publishing makes of the readers' p99."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with publishing(own):
        # So that it is there.
        pass
    for _ in range(rounds):
        for how, database in (("alone", None), ("elsewhere", elsewhere), ("here", own)):
            with publishing(database) if database else nullcontext():
                for thing, path in ASKED.items():
                    found[thing, how].append(measure(port, path, {}, seconds, pid_at(port)).p99_ms)
    lines = []
    for thing in ASKED:
        alone, quiet, busy = (statistics.median(found[thing, how]) for how in ("alone", "elsewhere", "here"))
        lines.append(f"| {name}, {thing} | {alone:.2f} | {quiet:.2f} | {busy:.2f} | {busy / quiet:.2f} |")
    return "\n".join(lines)


@contextmanager
def publishing(settings: Settings) -> Iterator[None]:
    """Another process publishes twice a second, as long as the block runs."""
    context = get_context("spawn")
    has_begun, stop = context.Event(), context.Event()
    process = context.Process(target=_publish, args=(settings, has_begun, stop))
    process.start()
    has_begun.wait()
    try:
        yield
    finally:
        stop.set()
        process.join()


def _publish(settings: Settings, has_begun: Event, stop: Event) -> None:
    async def again_and_again() -> None:
        database = Database(settings)
        while not stop.is_set():
            await publish(database, SLUG, summary=f"Synthetic {secrets.token_hex(4)}.")
            has_begun.set()
            await asyncio.sleep(0.5)
        await database.close()

    uvloop.run(again_and_again())
