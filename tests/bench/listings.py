"""`python -m tests.bench.listings`: the list of free slots, beside a server of constant bytes, in interleaved rounds.

Asked for again and again it comes from memory; asked for otherwise each time, from the database. Both servers are one
process under the same settings of uvicorn and send the same body. See tests/bench/lane.py on what to compare.
"""

import statistics
import tempfile
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import click
import httpx

from app.core import clock
from app.core.settings import Settings
from tests.bench import lane, many_slots, servers
from tests.bench.many_slots import Clinic
from tests.bench.wrk import NUMBER, Sample, measure, pid_at
from tests.postgres import running_postgres

IDENTICAL = f"/consultation-slots?condition={many_slots.condition_slug(1)}"
# Each from another moment of tomorrow on, among which slots begin.
DISTINCT = f"{IDENTICAL}&from={(clock.now() + timedelta(days=1)):%Y-%m-%dT00:00:00}.{NUMBER}Z"
FLOORS = {"identical": 0.4, "distinct": 0.03}


@click.command()
@click.option("--seconds", default=2, show_default=True, help="Length of a sample.")
@click.option("--rounds", default=3, show_default=True, help="Samples of each kind.")
@click.option("--slots", default=10_000, show_default=True, help="How many there are.")
@click.option("--postgresql", is_flag=True, help="Instead of SQLite.")
def main(seconds: int, rounds: int, slots: int, *, postgresql: bool) -> None:
    """Measure identical and distinct lists beside constant bytes; print Markdown."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carepath-listings-")))
        postgres = stack.enter_context(running_postgres()) if postgresql else None
        if postgres:
            postgres.create_database("listings")
        url = postgres.url("listings") if postgres else f"sqlite:///{folder}/listings.db"
        settings = Settings(database_url=url, keyring_file=folder / "keyring", rate_limits=False)
        lane.prepare(settings, 1)
        many_slots.fill(settings, Clinic(slots))
        ours, constant = servers.free_port(), servers.free_port()
        stack.enter_context(servers.running(lane.carepath(settings, folder, ours)))
        answer = httpx.get(f"http://127.0.0.1:{ours}{IDENTICAL}", trust_env=False)
        # The constant server sends this file for everything that it knows nothing of.
        (folder / "page").write_bytes(answer.content)
        stack.enter_context(servers.running(lane.constant(folder, constant)))
        pids = {port: pid_at(port) for port in (ours, constant)}
        samples: dict[str, list[tuple[Sample, Sample]]] = {"identical": [], "distinct": []}
        for _ in range(rounds):
            for name, path in (("identical", IDENTICAL), ("distinct", DISTINCT)):
                best = measure(constant, "/page", {}, seconds, pids[constant])
                samples[name].append((best, measure(ours, path, {}, seconds, pids[ours])))
    click.echo(f"{len(answer.json()['items'])} of {slots:,} slots, {len(answer.content):,} bytes")
    click.echo("| | requests/s | of constant bytes | us of CPU | of constant bytes | p99 in ms | at least |")
    click.echo("|---|---|---|---|---|---|---|")
    for name, pairs in samples.items():
        rate = statistics.median(own.per_second / best.per_second for best, own in pairs)
        cost = statistics.median(best.cpu / own.cpu for best, own in pairs)
        own = [own for _, own in pairs]
        per_second, cpu, p99 = (
            statistics.median(getattr(one, field) for one in own) for field in ("per_second", "cpu", "p99_ms")
        )
        click.echo(f"| {name} | {per_second:,.0f} | {rate:.3f} | {cpu:.1f} | {cost:.3f} | {p99:.1f} | {FLOORS[name]} |")


if __name__ == "__main__":
    main()
