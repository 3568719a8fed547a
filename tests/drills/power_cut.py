"""Power cuts under the whole application on SQLite: `python -m tests.drills.power_cut`.

The application books in this process, on a VFS that knows which bytes were synced. At random moments, in the middle of
writes and syncs too, what a power cut would leave is opened as the database after it: it must be whole, keep the
invariants and hold every booking that was acknowledged before. Now and then the cut is real, and all goes on from it.

Where there is strace, a real `carepath serve` is watched too: at each 201 that it writes to a socket, what it has
synced by then is opened in the same way.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock
from uuid import UUID

import apsw
import click
import httpx

from app.core import sqlite
from app.core.settings import Settings
from app.main import create_app
from tests.drills import careless, databases, traced
from tests.drills.apsw_connection import ApswConnection
from tests.drills.apsw_files import NAME, PowerCutVFS
from tests.drills.clients import Ask, Promises, make_slots, visit_until
from tests.drills.cuts import HEADING, Cuts, Figures, examine
from tests.drills.disk import Disk
from tests.processes import SCRIPT, serving

CLIENTS = 8
LIFE_SECONDS = 5.0


def drill(
    settings: Settings, slots: Sequence[UUID], *, seconds: float, seed: int, pragmas: Iterable[str] = ()
) -> Figures:
    """Cut for so long. `settings` name a database that nobody has open; its file is read and left as it is."""
    figures, chance, until = Figures(), Random(seed), time.monotonic() + seconds
    assert settings.sqlite_path is not None
    disk, promises = Disk(settings.sqlite_path), Promises()
    while (time_left := until - time.monotonic()) > 0:
        damaged_before = figures.damaged
        cuts = Cuts(disk, promises, figures, chance)
        with tempfile.TemporaryDirectory(prefix="carepath-power-") as folder:
            url = f"sqlite:///{folder}/{settings.sqlite_path.name}"
            life = settings.model_copy(update={"database_url": url, "audit_head_file": Path(folder) / "head"})
            asyncio.run(live(life, slots, cuts, seconds=min(LIFE_SECONDS, time_left), pragmas=pragmas))
        disk, promises = cuts.left, cuts.promised
        if figures.damaged > damaged_before:
            disk, promises = Disk(settings.sqlite_path), Promises()
    return figures


async def live(
    settings: Settings, slots: Sequence[UUID], cuts: Cuts, *, seconds: float, pragmas: Iterable[str]
) -> None:
    """Serve clients from the disk for so long."""

    def connect(path: Path, more: Iterable[str]) -> ApswConnection:
        connection = ApswConnection(path, NAME)
        for pragma in (*sqlite._PRAGMAS, *more, *pragmas):  # noqa: SLF001 - the very pragmas of the application
            connection.execute(f"PRAGMA {pragma}")
        return connection

    vfs = PowerCutVFS(cuts.disk, cuts.count)
    with mock.patch.object(sqlite, "_connect", connect):
        app = create_app(settings)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://carepath.test") as client,
        ):
            await visit_until(time.monotonic() + seconds, CLIENTS, asking(client), slots, cuts.promises, cuts.chance)
    vfs.unregister()


def asking(client: httpx.AsyncClient) -> Ask:
    """Ask once: here nobody else answers."""

    async def ask(path: str, wish: Mapping[str, Any], headers: Mapping[str, str]) -> httpx.Response:
        return await client.post(path, json=wish, headers=headers)

    return ask


def watch(settings: Settings, slots: Sequence[UUID], folder: Path, *, seconds: float, sabotage: str = "") -> Figures:
    """Serve clients from a process under strace for so long, and look at what it had synced at each 201."""
    assert settings.sqlite_path is not None
    figures, disk, trace = Figures(), Disk(settings.sqlite_path), folder / "trace"
    command = traced.command(trace, *(careless.command(sabotage) if sabotage else (SCRIPT,)))
    with serving(settings, folder, command=command) as served:

        async def visit() -> None:
            async with httpx.AsyncClient(base_url=served.address, trust_env=False, timeout=30) as client:
                until = time.monotonic() + seconds
                await visit_until(until, CLIENTS, asking(client), slots, Promises(), Random(0))

        asyncio.run(visit())
    traced.wait_for_end(trace)
    for reference in traced.answers(trace, disk, settings.sqlite_path.parent):
        figures.cuts += 1
        figures.acknowledged.add(reference)
        with tempfile.TemporaryDirectory(prefix="carepath-cut-") as name:
            disk.cut(Path(name), None)
            try:
                found, broken = examine(Path(name) / settings.sqlite_path.name)
            except apsw.Error:
                figures.damaged += 1
                continue
        figures.broken |= broken
        figures.lost |= figures.acknowledged - found.keys()
    return figures


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), default=20.0, show_default=True, help="Length of each run.")
@click.option("--seed", type=int, default=1, show_default=True, help="What chance begins with.")
@click.option("--sabotage", is_flag=True, help="Run with less syncing too: these runs have to lose bookings.")
def main(seconds: float, seed: int, *, sabotage: bool) -> None:
    """Cut the power of SQLite's disk, again and again."""
    runs = ["FULL", "NORMAL", "OFF"] if sabotage else ["FULL"]
    is_sound = True
    click.echo(f"Seed {seed}, {seconds:g} s each.\n\n{HEADING}")
    with databases.opened(databases.SQLITE) as settings:
        slots = asyncio.run(make_slots(settings, 100))
        for level in runs:
            figures = drill(settings, slots, seconds=seconds, seed=seed, pragmas=[f"synchronous={level}"])
            click.echo(figures.row(f"power cuts, synchronous={level}"))
            is_sound = is_sound and figures.is_sound == (level == "FULL")
        for name in ["", "unsynced"] if sabotage else [""]:
            if traced.STRACE is None:
                click.echo("There is no strace here: that each 201 follows its sync was not watched.")
                break
            figures = watch(settings, slots, settings.keyring_path.parent, seconds=min(seconds, 10), sabotage=name)
            click.echo(figures.row(f"each 201 under strace{', synchronous=OFF' if name else ''}"))
            is_sound = is_sound and figures.is_sound == (not name)
    if not is_sound:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
