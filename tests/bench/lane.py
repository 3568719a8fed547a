"""`python -m tests.bench.lane`: what is served from memory, beside a server of constant bytes, in interleaved rounds.

Both are one process under the same settings of uvicorn (see app/server.py) and send the same bodies. `wrk` asks where
it is installed, else tests/bench/load.py does. On a busy machine compare the ratios of the processor time that the
servers take for a request (from /proc): requests per second depend on who else wants the processor.
"""

import asyncio
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
import httpx

from app import planting
from app.core import crypto, migrations
from app.core.db import Database
from app.core.settings import Settings
from tests.bench import pages, publishing, servers
from tests.bench.constant import ANSWERS_SETTING
from tests.bench.wrk import CLIENTS, Sample, measure, pid_at
from tests.postgres import running_postgres

PAGE = "/conditions/acute-lymphoblastic-leukemia"
LIST = "/conditions?limit=20"
PACKS = {"Accept-Encoding": "gzip, deflate, br", "Accept-Language": "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"}
CHECKOUT = Path(__file__).parents[2]
CONSTANT = "constant"


@dataclass(frozen=True)
class Thing:
    """What is asked for: here, and of the constant server."""

    name: str
    path: str
    headers: dict[str, str]
    constant_path: str


@click.command()
@click.option("--seconds", default=2, show_default=True, help="Length of a sample.")
@click.option("--rounds", default=3, show_default=True, help="Samples of each kind.")
@click.option("--pages", "counts", multiple=True, type=int, default=(1, 1_000, 10_000), show_default=True)
@click.option("--postgresql", is_flag=True, help="Instead of SQLite.")
def main(seconds: int, rounds: int, counts: tuple[int, ...], *, postgresql: bool) -> None:
    """Measure pages, lists, 304 and publishing beside constant bytes; print Markdown."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carepath-lane-")))
        postgres = stack.enter_context(running_postgres()) if postgresql else None
        ports, settings = {CONSTANT: servers.free_port()}, {}

        def database_of(name: str) -> Settings:
            if postgres:
                postgres.create_database(name)
            url = postgres.url(name) if postgres else f"sqlite:///{folder}/{name}.db"
            return Settings(database_url=url, keyring_file=folder / "keyring", rate_limits=False)

        for count in counts:
            name = f"{count} pages"
            settings[name] = database_of(f"lane_{count}")
            prepare(settings[name], count)
            ports[name] = servers.free_port()
            started = stack.enter_context(servers.running(carepath(settings[name], folder, ports[name])))
            click.echo(f"- {name}: answers {started.start_seconds:.1f} s after its start")
        things = things_of(folder, ports[f"{counts[0]} pages"])
        stack.enter_context(servers.running(constant(folder, ports[CONSTANT])))
        pids = {name: pid_at(port) for name, port in ports.items()}
        samples: dict[tuple[str, str], list[Sample]] = defaultdict(list)
        for _ in range(rounds):
            for thing in things:
                for name, port in ports.items():
                    path = thing.constant_path if name == CONSTANT else thing.path
                    headers = {} if name == CONSTANT else thing.headers
                    samples[name, thing.name].append(measure(port, path, headers, seconds, pids[name]))
        click.echo(report(list(ports), things, samples))
        # See tests/bench/publishing.py for what these mean.
        elsewhere = database_of("elsewhere")
        prepare(elsewhere, 1)
        click.echo("| p99 in ms | alone | publishing elsewhere | publishing here | ratio |\n|---|---|---|---|---|")
        for name, own in settings.items():
            click.echo(publishing.beside(name, own, elsewhere, ports[name], seconds=2 * seconds, rounds=rounds))
        for name, pid in pids.items():
            click.echo(f"- {name}: {servers.resident_kilobytes(pid) // 1024} MB resident")


def prepare(settings: Settings, count: int) -> None:
    """A database with the seed and so many pages in all."""
    if not settings.keyring_path.exists():
        crypto.make_keyring(settings.keyring_path)
    migrations.upgrade(settings)
    planting.seed(settings, None)

    async def fill() -> None:
        database = Database(settings)
        await pages.fill(database, count - 1)
        await database.close()

    asyncio.run(fill())


def carepath(settings: Settings, folder: Path, port: int) -> servers.Contender:
    """The server under test."""
    command = (str(Path(sys.executable).with_name("carepath")), "serve", "--port", str(port))
    said = {"DATABASE_URL": settings.database_url, "KEYRING_FILE": str(settings.keyring_file)}
    environment = servers.clean_environment({f"CAREPATH_{name}": value for name, value in said.items()})
    return servers.Contender(f"carepath-{port}", command, environment, folder, port, PAGE)


def constant(folder: Path, port: int) -> servers.Contender:
    """The ceiling, with uvicorn set as it is there."""
    environment = servers.clean_environment({ANSWERS_SETTING: str(folder), "PYTHONPATH": str(CHECKOUT)})
    return servers.Contender(
        CONSTANT, (sys.executable, "-m", "tests.bench.constant", str(port)), environment, folder, port, "/"
    )


def things_of(folder: Path, port: int) -> list[Thing]:
    """All that is asked for; the same bodies are left for the constant server."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for file, path, headers in (
            ("page", PAGE, {"Accept-Encoding": "identity"}),
            ("packed", PAGE, PACKS),
            ("list", LIST, {"Accept-Encoding": "identity"}),
            ("packed-list", LIST, PACKS),
        ):
            with client.stream("GET", path, headers=headers) as answer:
                (folder / file).write_bytes(b"".join(answer.iter_raw()))
        tag = client.get(PAGE, headers={"Accept-Encoding": "identity"}).headers["ETag"]
    return [
        Thing("page", PAGE, {}, "/page"),
        Thing("page, gzip and language", PAGE, PACKS, "/packed"),
        Thing("page, ?locale=en", f"{PAGE}?locale=en", {}, "/page"),
        Thing("304 (beside a page)", PAGE, {"If-None-Match": tag}, "/page"),
        Thing("list", LIST, {}, "/conditions"),
        Thing("list, gzip and language", LIST, PACKS, "/packed-list"),
    ]


def report(names: list[str], things: list[Thing], samples: dict[tuple[str, str], list[Sample]]) -> str:
    """A table: medians of the rounds' ratios to the constant server, of rates and of processor time."""
    lines = [
        "",
        f"`wrk -t1 -c{CLIENTS}`, {len(next(iter(samples.values())))} rounds"
        if shutil.which("wrk")
        else "tests/bench/load.py",
        "",
        "| | " + " | ".join(f"{name}: requests/s (ratio), us of CPU (ratio)" for name in names) + " |",
        "|---|" + "---|" * len(names),
    ]
    for thing in things:
        ceiling = samples[CONSTANT, thing.name]
        cells = []
        for name in names:
            own = samples[name, thing.name]
            rate = statistics.median(one.per_second / best.per_second for one, best in zip(own, ceiling, strict=True))
            cost = statistics.median(best.cpu / one.cpu for one, best in zip(own, ceiling, strict=True))
            per_second, cpu = (
                statistics.median(v) for v in zip(*((one.per_second, one.cpu) for one in own), strict=True)
            )
            cells.append(f"{per_second:,.0f} ({rate:.2f}), {cpu:.1f} ({cost:.2f})")
        lines.append(f"| {thing.name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
