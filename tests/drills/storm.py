"""Many processes that hold, confirm, book, cancel and reschedule over few seats, and are killed at random.

`python -m tests.drills.storm`: what each process was told stands in its ledger; in the end, and now and then, all
invariants hold, and whatever was acknowledged is there. It exits with 1 when a promise is broken.
"""

import asyncio
import secrets
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
import psycopg
from sqlalchemy import insert

from app.access import callers
from app.access.callers import Scope
from app.consultations.tables import Clinician
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.drills import databases, ledger
from tests.drills.storm_check import Figures, broken_invariants, examine
from tests.drills.storm_crew import Options, crew_of
from tests.drills.storm_wishes import BUSY, CLINICIANS
from tests.rows import run

LOOKS = 4


def drill(settings: Settings, options: Options) -> Figures:
    """Let the storm blow over this database, which is migrated and seeded, and look at what it leaves."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="carepath-storm-") as name:
        folder, started = Path(name), time.monotonic()
        staff_token = asyncio.run(_prepare(settings))
        with crew_of(settings, options, folder, staff_token) as crew:
            looks = [options.attempts * (number + 1) // LOOKS for number in range(LOOKS - 1)]
            while crew.attempts < options.attempts and not figures.broken and not crew.is_over:
                crew.blow()
                if looks and crew.attempts >= looks[0]:
                    looks.pop(0)
                    _gather_statistics(settings)
                    figures.broken += asyncio.run(broken_invariants(settings))
                figures.broken += crew.casualties
        figures.kills, figures.seconds = crew.kills, time.monotonic() - started
        figures.broken += crew.casualties
        figures.ledger = ledger.read(folder.iterdir())
    figures.broken += figures.ledger.faults
    asyncio.run(examine(settings, figures))
    return figures


async def _prepare(settings: Settings) -> str:
    database = Database(settings)
    try:
        await run(database, *(insert(Clinician).values(id=new_id(), slug=slug, name=slug) for slug in CLINICIANS))
        async with database.write() as session:
            return await callers.create_key(session, name="storm", scopes=list(Scope), is_live=False)
    finally:
        await database.close()


def _gather_statistics(settings: Settings) -> None:
    # The test server runs without autovacuum.
    if settings.sqlite_path is None:
        with psycopg.connect(settings.database_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")


def report(title: str, options: Options, figures: Figures) -> str:
    """The figures as Markdown."""
    told, seconds = figures.ledger, figures.seconds
    ends: Counter[str] = Counter()
    for (kind, code), number in told.told.items():
        ends[f"{code} ({kind})" if code.startswith(BUSY) else code] += number
    kinds: Counter[str] = Counter()
    for (kind, _), number in told.told.items():
        kinds[kind] += number
    return f"""## Storm on {title}

{told.attempts:,} attempts by {options.processes} processes in {seconds:.0f} s ({told.attempts / seconds:,.0f}/s), \
{figures.kills} processes killed, seed {options.seed}.

- Attempts: {_listed(kinds)}.
- Ended: {_listed(ends)}.
- Acknowledged: {len(told.steps):,} steps of bookings, {len(told.made):,} keys; {len(told.unanswered)} requests were \
never answered.
- Sent again: {_listed(figures.repeats)}.
- Broken: {"; ".join(figures.broken[:20]) or "nothing"}
"""


def _listed(counter: Counter[str]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counter.most_common()) or "none"


@click.command()
@click.option("--database", type=click.Choice([*databases.KINDS, "both"]), default="both", show_default=True)
@click.option("--attempts", type=click.IntRange(min=1), default=20_000, show_default=True)
@click.option("--processes", type=click.IntRange(min=1), default=4, show_default=True)
@click.option(
    "--kill-every", type=click.IntRange(min=1), default=1_000, show_default=True, help="Attempts between kills."
)
@click.option(
    "--seed", type=int, default=None, help="Drawn by lot unless given. The order of things is not repeatable."
)
def main(database: str, attempts: int, processes: int, kill_every: int, seed: int | None) -> None:
    """Let the storm blow."""
    options = Options(attempts, processes, secrets.randbelow(10**6) if seed is None else seed, kill_every)
    is_sound = True
    for kind in databases.chosen(database):
        with databases.opened(kind) as settings:
            figures = drill(settings, options)
        click.echo(report(kind, options, figures))
        is_sound = is_sound and not figures.broken
    if not is_sound:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
