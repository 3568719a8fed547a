"""`python -m tests.bench.scale --database postgresql --slots 10000,1000000`: the list of slots, however many there are.

The next twenty free slots of a condition, drawn by lot, as the door looks for them (statement and shapes, without
HTTP): from each database in turn, so that whoever else wants the processor disturbs all of them alike. Filling is told
too. Ten million need 12 GB and `--on-disk`.
"""

import asyncio
import gc
import random
import statistics
import tempfile
import time
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from app import planting
from app.consultations import slots
from app.consultations.policies import Policy
from app.consultations.slot_filters import SlotFilter
from app.core import crypto, migrations
from app.core.db import Database
from app.core.settings import Settings
from tests.bench import many_slots
from tests.bench.many_slots import Clinic
from tests.postgres import PostgresServer, running_postgres

LIMIT = 20
CEILING = 1.3
WARM_UP = 100


def _numbers(_context: click.Context, _option: click.Parameter, said: str) -> list[int]:
    return [int(number) for number in said.split(",")]


@click.command()
@click.option("--database", type=click.Choice(["postgresql", "sqlite"]), default="postgresql", show_default=True)
@click.option("--slots", "counts", callback=_numbers, default="10000,1000000", show_default=True, help="How many.")
@click.option("--samples", default=2_000, show_default=True, help="Lists that are read of each.")
@click.option("--on-disk", is_flag=True, help="PostgreSQL on a disk that it waits for, instead of in memory.")
def main(database: str, counts: list[int], samples: int, *, on_disk: bool) -> None:
    """Fill a database with each of these numbers of slots, and read the list of a condition's free ones."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carepath-scale-")))
        postgres = stack.enter_context(running_postgres(durable=on_disk)) if database == "postgresql" else None
        filled = {count: _filled(count, folder, postgres) for count in counts}
        taken = asyncio.run(_measure(filled, samples))
    click.echo("| slots | p50 in ms | p99 in ms | p99, of the fewest's |\n|---|---|---|---|")
    first = _percentile(taken[counts[0]], 99)
    for count in counts:
        p99 = _percentile(taken[count], 99)
        click.echo(f"| {count:,} | {_percentile(taken[count], 50):.2f} | {p99:.2f} | {p99 / first:.2f} |")
    click.echo(f"to be reached: at most {CEILING}")


def _filled(count: int, folder: Path, postgres: PostgresServer | None) -> Settings:
    name = f"slots_{count}"
    if postgres:
        postgres.create_database(name)
    url = postgres.url(name) if postgres else f"sqlite:///{folder}/{name}.db"
    settings = Settings(database_url=url, keyring_file=folder / "keyring", rate_limits=False)
    if not settings.keyring_path.exists():
        crypto.make_keyring(settings.keyring_path)
    migrations.upgrade(settings)
    planting.seed(settings, None)
    began = time.perf_counter()
    many_slots.fill(settings, Clinic(count))
    seconds = time.perf_counter() - began
    click.echo(f"- {count:,} slots: filled in {seconds:.1f} s, {seconds / count * 1e6:.0f} s a million")
    return settings


async def _measure(filled: dict[int, Settings], samples: int) -> dict[int, list[float]]:
    chance, taken = random.Random(1), {count: [0.0] * 0 for count in filled}
    async with AsyncExitStack() as stack:
        looks: dict[int, AsyncConnection] = {}
        for count, settings in filled.items():
            database = Database(settings)
            stack.push_async_callback(database.close)
            looks[count] = await stack.enter_async_context(database.look())
        policy = Policy.of_hospital(settings)
        gc.freeze()
        gc.disable()
        for number in range(-WARM_UP, samples):
            wanted = SlotFilter(condition=many_slots.condition_slug(chance.randrange(Clinic(1).conditions)))
            for count in chance.sample(list(looks), len(looks)):
                began = time.perf_counter()
                found = await slots.find(looks[count], wanted, policy=policy, limit=LIMIT)
                if number >= 0:
                    taken[count].append((time.perf_counter() - began) * 1_000)
                if len(found) != LIMIT:
                    raise click.ClickException(f"{len(found)} slots are free for {wanted.condition}, of {count}")
    return taken


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


if __name__ == "__main__":
    main()
