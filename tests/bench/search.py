"""`python -m tests.bench.search`: how long a search takes among thousands of synthetic pages."""

import asyncio
import multiprocessing
import os
import random
import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from itertools import cycle, islice, product
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import click

from app.content.search import Search
from app.core import crypto, migrations
from app.core.db import Database
from app.core.settings import Settings
from tests.bench import pages, servers
from tests.bench.load import WARM_UP_SECONDS, Load, run_load
from tests.bench.servers import Contender
from tests.postgres import running_postgres
from tests.processes import SCRIPT

SQLITE, POSTGRESQL = "sqlite", "postgresql"
QUESTIONS: Final = 3_000
# More than are asked in half a minute.
ANEW: Final = 40_000
# Far fewer than a process remembers the answers of.
REMEMBERED: Final = 100
LISTED: Final = ("a word", "four words", "two words with typos", "all kinds in turn")
FLOOR_MS: Final = 20.0


@click.command()
@click.option("--database", type=click.Choice([SQLITE, POSTGRESQL]), default=SQLITE, show_default=True)
@click.option("--pages", "count", type=click.IntRange(min=1), default=10_000, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="Length of a sample.")
@click.option("--clients", type=click.IntRange(min=1), default=4, show_default=True, help="Connections at a time.")
def main(database: str, count: int, seconds: float, clients: int) -> None:
    """Measure searches over HTTP, one process, each question another one; fail where the p99 is 20 ms or more."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carepath-bench-")))
        url = f"sqlite:///{folder}/carepath.db"
        if database == POSTGRESQL:
            server = stack.enter_context(running_postgres())
            server.create_database("bench_search")
            url = server.url("bench_search")
        settings = Settings(database_url=url, keyring_file=folder / "keyring")
        crypto.make_keyring(settings.keyring_path)
        migrations.upgrade(settings)
        without = resident(settings, folder)
        asyncio.run(fill(settings, count))
        click.echo(f"{count} pages, {database}. The index alone is ready after {asyncio.run(build(settings)):.2f} s.")
        # A fresh process: one that was forked would carry this one's memory and threads.
        generator = stack.enter_context(ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")))
        is_quick = measure(settings, folder, generator, count, seconds, clients)
        click.echo(f"Resident memory of a server without a page: {without:.0f} MB.")
    if not is_quick:
        raise SystemExit(1)


async def fill(settings: Settings, count: int) -> None:
    """Publish the synthetic pages."""
    database = Database(settings)
    try:
        await pages.fill(database, count)
    finally:
        await database.close()


async def build(settings: Settings) -> float:
    """Seconds until the first search of a process that does nothing else."""
    database = Database(settings)
    search = Search(database)
    began = time.perf_counter()
    try:
        async with search.kept_fresh():
            while time.perf_counter() - began < 60:
                if search.is_ready():
                    return time.perf_counter() - began
                await asyncio.sleep(0.005)
    finally:
        await database.close()
    message = "there was no index after a minute"
    raise click.ClickException(message)


def resident(settings: Settings, folder: Path) -> float:
    """Megabytes of a server that has answered a search."""
    with servers.running(contender(settings, folder)) as server:
        return servers.resident_megabytes(server)


def measure(settings: Settings, folder: Path, generator: Executor, count: int, seconds: float, clients: int) -> bool:
    """Ask a server for all kinds of things; answers whether every kind was quick enough."""
    chosen = contender(settings, folder)
    is_quick = True
    with servers.running(chosen) as server:
        click.echo(f"A server's first search is answered {server.start_seconds:.2f} s after its start.\n")
        click.echo("| question | p99 ms | per second | CPU ms each |\n| --- | --- | --- | --- |")
        kinds = questions(count)
        kinds["all kinds in turn"] = [question for each in zip(*kinds.values(), strict=False) for question in each]
        again = kinds["all kinds in turn"][:REMEMBERED]
        loads = [(kind, "/search", anew(asked)) for kind, asked in kinds.items()]
        loads += [(f"`GET /conditions?q=`, {kind}", "/conditions", anew(kinds[kind])) for kind in LISTED]
        loads += [("the same again", "/search", again), ("`GET /conditions?q=`, the same again", "/conditions", again)]
        for kind, path, asked in loads:
            requests = tuple(request(path, question) for question in asked)
            before = cpu_seconds(server)
            load = Load(chosen.port, requests, is_keyed=False, expected_status=200, clients=clients, seconds=seconds)
            sample = generator.submit(run_load, load).result()
            spent = (cpu_seconds(server) - before) / (sample.requests_per_second * (seconds + WARM_UP_SECONDS))
            click.echo(f"| {kind} | {sample.p99_ms:.1f} | {sample.requests_per_second:.0f} | {1000 * spent:.1f} |")
            is_quick = is_quick and sample.p99_ms < FLOOR_MS and not sample.unexpected
        click.echo(f"\nResident memory: {servers.resident_megabytes(server):.0f} MB.")
    return is_quick


def cpu_seconds(server: servers.Server) -> float:
    """The processor time that a server's process has used. On a busy machine it tells more than the clock."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def contender(settings: Settings, folder: Path) -> Contender:
    """How the server is started."""
    port = servers.free_port()
    environment = servers.clean_environment(
        {
            "CAREPATH_ENVIRONMENT": "production",
            "CAREPATH_DATABASE_URL": settings.database_url,
            "CAREPATH_KEYRING_FILE": str(settings.keyring_file),
            "CAREPATH_PORT": str(port),
            "CAREPATH_RATE_LIMITS": "off",
        }
    )
    return Contender("Carepath", (str(SCRIPT), "serve"), environment, folder, port, "/search?q=ready")


def questions(count: int) -> dict[str, list[str]]:
    """What people type, by kind, each question another one."""
    chance = random.Random(1)
    words = pages.vocabulary()

    def word() -> str:
        # As people ask: for what is on many pages more often than for what is on few.
        return words[int(len(words) ** chance.random())]

    def mistyped() -> str:
        asked = word()
        place = chance.randrange(len(asked) - 1)
        return asked[:place] + asked[place + 1] + asked[place] + asked[place + 2 :]

    def some(make: object) -> list[str]:
        assert callable(make)
        return [make() for _ in range(QUESTIONS)]

    return {
        "a word": some(word),
        "a word on every page": [words[0]] * QUESTIONS,
        "the beginning of a word": some(lambda: word()[: chance.randint(2, 5)]),
        "two words": some(lambda: f"{word()} {word()}"),
        "four words": some(lambda: " ".join(word() for _ in range(4))),
        "a word with a typo": some(mistyped),
        "two words with typos": some(lambda: f"{mistyped()} {mistyped()}"),
        "a name": [pages.document(number).name for number in chance.sample(range(count), min(count, 300))],
        "a code": some(lambda: f"Z{chance.randrange(count // 10 or 1):04d}.{chance.randrange(10)}"),
        "nothing that there is": some(lambda: f"{chance.randrange(10**9)}xyz qqqqqqqq"),
    }


def anew(asked: list[str]) -> list[str]:
    """The same questions, so that none of them was asked before: signs have no meaning."""
    signs = ("".join(chance) for chance in product(".,;:", repeat=8))
    return [f"{question} {sign}" for question, sign in zip(cycle(asked), islice(signs, ANEW), strict=False)]


def request(path: str, question: str) -> bytes:
    """The bytes of one request."""
    return f"GET {path}?{urlencode({'q': question})} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode()


if __name__ == "__main__":
    main()
