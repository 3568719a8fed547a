"""`python -m tests.bench`: measure, print Markdown, and fail when answers were not the expected ones."""

import multiprocessing
import os
import platform
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import click
import psycopg

from tests.bench import report
from tests.bench.rounds import Database, Options, measure
from tests.postgres import running_postgres

SQLITE, POSTGRESQL = "sqlite", "postgresql"


@click.command()
@click.option("--database", type=click.Choice([SQLITE, POSTGRESQL, "both"]), default="both", show_default=True)
@click.option("--seconds", type=click.FloatRange(min=0.1), default=3.0, show_default=True, help="Length of a sample.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Samples of each kind.")
@click.option("--clients", type=click.IntRange(min=1), default=16, show_default=True, help="Connections at a time.")
def main(database: str, seconds: float, rounds: int, clients: int) -> None:
    """Measure Carepath beside a constant-bytes server and a tutorial application."""
    options = Options(seconds, rounds, clients)
    kinds = [SQLITE, POSTGRESQL] if database == "both" else [database]
    click.echo(describe_run(options))
    is_sound = True
    # A fresh process: one that was forked would carry this one's memory and threads.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as generator:
        for kind in kinds:
            with tempfile.TemporaryDirectory(prefix="carepath-bench-") as name, opened(kind, Path(name)) as opened_one:
                figures = measure(opened_one, Path(name), options, generator)
                click.echo(report.write_report(opened_one.title, figures))
                is_sound = is_sound and not report.unexpected_answers(figures)
    if not is_sound:
        raise SystemExit(1)


def describe_run(options: Options) -> str:
    """Say what was measured where, so that figures of two runs are compared for a reason."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("fastapi", "sqlmodel", "sqlalchemy", "uvicorn"))
    return (
        f"{options.rounds} rounds of {options.seconds:g} s with {options.clients} clients, constant bytes, tutorial "
        f"and Carepath in turn; a figure is the median of the rounds, a ratio the median of the rounds' ratios. "
        f"One process each, uvicorn with uvloop and httptools. Python {platform.python_version()}, {versions}, "
        f"{os.cpu_count()} cores.\n"
    )


@contextmanager
def opened(kind: str, folder: Path) -> Iterator[Database]:
    """Provide an empty database for each of the two applications."""
    if kind == SQLITE:
        title = f"SQLite (Carepath as it opens it; tutorial: SQLite {sqlite3.sqlite_version} with its defaults)"
        yield Database(title, f"sqlite:///{folder}/carepath.db", f"sqlite:///{folder}/tutorial.db", lambda: None)
        return
    with running_postgres() as server:
        names = ("bench_carepath", "bench_tutorial")
        for name in names:
            server.create_database(name)

        def tidy() -> None:
            # The test server runs without autovacuum; nobody should be measured on missing statistics.
            for name in names:
                with psycopg.connect(server.url(name), autocommit=True) as connection:
                    connection.execute("VACUUM ANALYZE")

        yield Database(
            f"PostgreSQL {server.version} (fsync off: bookings wait for no disk)",
            server.url(names[0]),
            server.url(names[1]).replace("postgresql://", "postgresql+psycopg://"),
            tidy,
        )


if __name__ == "__main__":
    main()
