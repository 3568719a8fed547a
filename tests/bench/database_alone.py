"""How much of what PostgreSQL itself can do is left of it: one serving process against pgbench.

`uv run --group test python -m tests.bench.database_alone` runs both in turn on one server that waits for its disk:
pgbench, 16 clients, the rows of one booking in one transaction of prepared statements; then `carepath serve`, one
process, 16 clients, with idempotency, encryption, audit and outbox. `--forgetful` takes a server that does not wait.
"""

import multiprocessing
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import click
import psycopg

from tests.bench import prepare, servers
from tests.bench.load import run_load
from tests.bench.rounds import BOOKING, CAREPATH, Options, make_load
from tests.postgres import PostgresServer, running_postgres

FLOOR, AIM = 0.25, 0.40
SLOTS = 4000
SCRIPT = Path(__file__).with_name("bookings.sql")
DATABASE = "bench_database_alone"
_POST_SLOTS = """
    INSERT INTO consultation_slots (id, starts_at, ends_at, time_zone, mode, capacity, status, version, created_at)
    SELECT md5('slot' || n)::uuid, now() + n * interval '1 hour', now() + n * interval '1 hour' + interval '30 minutes',
           'UTC', 'video', 50, 'open', 1, now()
    FROM generate_series(1, %s) AS n RETURNING id
"""


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), default=4.0, show_default=True, help="Length of a sample.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Samples of each.")
@click.option("--clients", type=click.IntRange(min=1), default=16, show_default=True, help="Connections at a time.")
@click.option("--forgetful", is_flag=True, help="A server that does not wait for its disk.")
def main(*, seconds: float, rounds: int, clients: int, forgetful: bool) -> None:
    """Measure one serving process against pgbench."""
    pgbench = shutil.which("pgbench")
    if pgbench is None:
        raise click.ClickException("there is no pgbench here: it comes with PostgreSQL")
    options = Options(seconds, rounds, clients)
    with (
        running_postgres(durable=not forgetful) as server,
        tempfile.TemporaryDirectory(prefix="carepath-bench-") as folder,
    ):
        server.create_database(DATABASE)
        samples = measure(server, pgbench, Path(folder), options)
    ratios = [ours / theirs for theirs, ours, _ in samples]
    ratio = statistics.median(ratios)
    click.echo(
        f"PostgreSQL {server.version}, {'fsync off' if forgetful else 'waiting for its disk'}, {clients} clients"
    )
    for theirs, ours, p99 in samples:
        click.echo(f"- pgbench {theirs:,.0f}/s, Carepath {ours:,.0f}/s (p99 {p99:.0f} ms): {ours / theirs:.2f}")
    click.echo(f"- {'met' if ratio >= FLOOR else 'NOT MET'}: median {ratio:.2f}, floor {FLOOR:.2f}, aim {AIM:.2f}")
    if ratio < FLOOR:
        sys.exit(1)


def measure(server: PostgresServer, pgbench: str, folder: Path, options: Options) -> list[tuple[float, float, float]]:
    """For each round: pgbench's transactions per second, Carepath's bookings per second, and its p99 in ms."""
    port = servers.free_port()
    settings = {
        "CAREPATH_DATABASE_URL": server.url(DATABASE),
        "CAREPATH_DATABASE_POOL_SIZE": str(options.clients),
        "CAREPATH_PORT": str(port),
        "CAREPATH_RATE_LIMITS": "off",
    }
    command = (prepare.carepath_command(), "serve")
    environment = servers.clean_environment(settings)
    contender = servers.Contender(CAREPATH, command, environment, folder, port, prepare.PAGE_PATH)
    samples = []
    spawn = multiprocessing.get_context("spawn")
    with servers.running(contender), ProcessPoolExecutor(1, mp_context=spawn) as generator:
        with psycopg.connect(server.url(DATABASE)) as connection:
            slots = [str(row[0]) for row in connection.execute(_POST_SLOTS, [SLOTS])]
        for _ in range(options.rounds):
            with psycopg.connect(server.url(DATABASE), autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
            theirs = transactions_per_second(pgbench, server, options)
            ours = generator.submit(run_load, make_load(BOOKING, port, slots, options)).result()
            if ours.unexpected:
                raise click.ClickException(f"unexpected answers: {ours.unexpected}")
            samples.append((theirs, ours.requests_per_second, ours.p99_ms))
    return samples


def transactions_per_second(pgbench: str, server: PostgresServer, options: Options) -> float:
    """Let pgbench write what a booking writes, as often as it can."""
    how = ["-n", "-M", "prepared", "-c", str(options.clients), "-j", "2", "-T", str(int(options.seconds))]
    where = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "carepath", DATABASE]
    command = [pgbench, *how, "-D", f"slots={SLOTS}", "-f", str(SCRIPT), *where]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", ended.stdout)
    if ended.returncode or found is None:
        raise click.ClickException(f"pgbench said: {ended.stdout}{ended.stderr[-2000:]}")
    return float(found[1])


if __name__ == "__main__":
    main()
