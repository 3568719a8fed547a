"""`python -m tests.bench.batch`: how long a batch of slots takes, and how those fare who list meanwhile."""

import asyncio
import json
import tempfile
import time
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final

import click
import httpx

from app import server
from app.core import clock
from app.core.settings import Settings
from tests.drills import databases
from tests.processes import environment_of, serving
from tests.processes import run as run_command

CLINICIANS: Final = 20
# So often somebody lists slots, each for a time of their own: nothing is answered from memory.
LISTED_EVERY: Final = 0.05
ALONE_SECONDS: Final = 2.0
SECONDS, P99_MS = 3.0, 200.0


def slots(number: int) -> bytes:
    """So many slots of some clinicians."""
    start = (clock.now() + timedelta(days=30)).replace(microsecond=0)
    return json.dumps(
        [
            {
                "starts_at": (start + timedelta(minutes=30 * (row // CLINICIANS))).isoformat(),
                "ends_at": (start + timedelta(minutes=30 * (row // CLINICIANS) + 30)).isoformat(),
                "time_zone": "Europe/Berlin",
                "mode": "video",
                "capacity": 1,
                "clinician": f"dr-{row % CLINICIANS}",
                "condition": "acute-lymphoblastic-leukemia",
                "external_id": f"bench-{row}",
            }
            for row in range(number)
        ]
    ).encode()


async def measure(address: str, key: str, number: int) -> bool:
    """Send one batch three times: as a dry run, for new slots, and again."""
    admin = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    is_fast = True
    async with httpx.AsyncClient(base_url=address, timeout=60, trust_env=False) as client:
        for who in range(CLINICIANS):
            await client.post("/clinicians", json={"slug": f"dr-{who}", "name": "Synthetic"}, headers=admin)
        body = slots(number)
        for what, query in (("dry run", "?dry_run=true"), ("new", ""), ("again", "")):
            began = time.perf_counter()
            batch = asyncio.create_task(client.post(f"/consultation-slots/batch{query}", content=body, headers=admin))
            latencies = await _list_during(client, batch)
            answer, seconds = await batch, time.perf_counter() - began
            answer.raise_for_status()
            p99, told = _p99(latencies), answer.json()
            click.echo(
                f"- {what}: {seconds:.2f} s, {told['created']} created, {told['unchanged']} unchanged;"
                f" {len(latencies)} listings meanwhile, p99 {p99:.0f} ms, worst {latencies[-1] * 1_000:.0f} ms"
            )
            is_fast = is_fast and seconds < SECONDS and p99 < P99_MS
        alone = await _list_during(client, asyncio.create_task(asyncio.sleep(ALONE_SECONDS)))
        click.echo(f"- listings with nothing beside them: p99 {_p99(alone):.0f} ms")
    return is_fast


def _p99(latencies: list[float]) -> float:
    return latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))] * 1_000


async def _list_during(client: httpx.AsyncClient, batch: "asyncio.Task[Any]") -> list[float]:
    latencies: list[float] = []

    async def list_once(number: int) -> None:
        began = time.perf_counter()
        answer = await client.get(
            "/consultation-slots",
            params={
                "condition": "acute-lymphoblastic-leukemia",
                "from": (clock.now() + timedelta(seconds=number)).isoformat(),
            },
        )
        answer.raise_for_status()
        latencies.append(time.perf_counter() - began)

    listings = []
    for number in count():
        if batch.done():
            break
        listings.append(asyncio.create_task(list_once(number)))
        await asyncio.sleep(LISTED_EVERY)
    await asyncio.gather(*listings)
    return sorted(latencies)


def bench(settings: Settings, number: int) -> bool:
    """Serve this database in a process of its own, and measure."""
    with tempfile.TemporaryDirectory(prefix="carepath-bench-") as name:
        folder = Path(name)
        with serving(settings, folder) as served:
            made = run_command(
                "keys", "create", "--name", f"bench-{time.time_ns()}", "--scope", "slots:write",
                folder=folder, environment=environment_of(settings),
            )  # fmt: skip
            return asyncio.run(measure(served.address, made.stdout.strip(), number))


@click.command()
@click.option("--database", default="both", show_default=True, help="sqlite, postgresql, both, or an empty one's URL.")
@click.option("--slots", "number", type=click.IntRange(1, 20_000), default=10_000, show_default=True)
def main(database: str, number: int) -> None:
    """Print the seconds of a batch, and the p99 of listings meanwhile; an error status where they are too many."""
    is_fast = True
    if "://" in database:
        with tempfile.TemporaryDirectory() as name:
            settings = Settings(database_url=database, keyring_file=Path(name) / "keyring", rate_limits=False)
            server.prepare(settings)
            is_fast = bench(settings, number)
    else:
        for kind in databases.chosen(database):
            click.echo(f"{kind}, {number} slots")
            with databases.opened(kind) as settings:
                is_fast = bench(settings, number) and is_fast
    raise SystemExit(0 if is_fast else 1)


if __name__ == "__main__":
    main()
