"""How a process serves: it examines its database, takes its port, and ends when it is told to."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from app.consultations.guards import refuse_to_serve_without
from app.content import pages, timer
from app.content.published import PublishedPages
from app.core import crypto, logs, migrations
from app.core.db import Database, is_safe, sqlite_library
from app.core.errors import NotReady
from app.core.protocol import DeadlineProtocol, keep_deadlines
from app.core.settings import Settings
from app.databases import MENDABLE, refuse_other_ring
from app.front import Front
from app.opening import Opening, Work


def prepare(settings: Settings) -> None:
    """Have a database and a key ring: in development by making them, in production by refusing to go on without.

    Raises NotReady.
    """
    if settings.sqlite_path is not None and not is_safe(sqlite_library()):
        problem = f"SQLite {sqlite_library()} can corrupt a database that is written by several connections"
        if settings.is_production:
            raise NotReady(f"{problem}: use 3.51.3 or newer")
        logs.failure("sqlite_vulnerable", version=sqlite_library())
    if not settings.is_production:
        migrations.upgrade(settings)
        if not settings.keyring_path.exists():
            crypto.make_keyring(settings.keyring_path)
        return
    if settings.keyring_file is None:
        raise NotReady("CAREPATH_KEYRING_FILE must be set in production")
    if settings.sqlite_path is not None and not settings.sqlite_path.exists():
        raise NotReady(f"there is no database at {settings.sqlite_path}: run `carepath migrate`")


async def _plant_first(database: Database) -> bool:
    """Publish Carepath's own seed where there are no pages; False where there are some. Raises SeedInvalid."""
    async with database.look() as connection:
        if await pages.is_any_published(connection):
            return False
    # Not imported before it is wanted: a start that has pages serves them first.
    from app import planting  # noqa: PLC0415

    await planting.plant_own(database)
    return True


def load(settings: Settings, front: Front, *, plants: bool = False) -> Work:
    """Import and make the application; `plants` to publish Carepath's own seed before it works."""
    from app import main  # noqa: PLC0415 - half of what a start imports

    if plants:
        # In the thread too.
        from app import planting  # noqa: PLC0415
    app = main.create_app(settings, front)

    @asynccontextmanager
    async def work(database: Database, published: PublishedPages) -> AsyncIterator[ASGIApp]:
        if plants:
            await planting.plant_own(database)
        async with main.at_work(app, database, published):
            yield app.behind_front

    return work


async def _examine(settings: Settings, database: Database) -> None:
    """Raise NotReady for a database that is not to be served."""
    keyring = crypto.load_keyring(settings.keyring_path)
    await refuse_to_serve_without(database)
    await refuse_other_ring(settings, database, keyring)


def run(settings: Settings, *, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    logs.configure()
    prepare(settings)
    server = _Server(settings, host, port)
    # How long a thread that packs, searches or reads a file may keep the event loop waiting: 5 ms are many answers.
    sys.setswitchinterval(0.0005)
    server.run()
    if isinstance(server.failure, MENDABLE):
        raise server.failure
    if not server.started or server.failure is not None:
        sys.exit(1)


def _listen(host: str, port: int) -> socket.socket:
    """Take the port, or say in one line why not; raises NotReady."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        # A name that cannot be resolved has a negative number of its own.
        number = error.errno or 0
        reason = os.strerror(number).lower() if number > 0 else "no such address"
        raise NotReady(f"cannot listen on {host}, port {port}: {reason}") from None


class _Server(uvicorn.Server):
    """Serves, and tells a person where to look once there is something to see."""

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self.settings = settings
        self.front = Front(settings)
        self.place = host, port
        self.failure: BaseException | None = None
        super().__init__(
            uvicorn.Config(
                self.front,
                http=DeadlineProtocol,
                # What begins and ends with the application does so in `serve`.
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(settings.trusted_proxies),
                forwarded_allow_ips=list(settings.trusted_proxies),
                timeout_keep_alive=5,
                timeout_graceful_shutdown=10,
            )
        )

    async def serve(self, sockets: Any = None) -> None:  # noqa: ARG002 - it makes its own
        """Examine the database, then take the port and serve with it; raises NotReady."""
        database = Database(self.settings)
        try:
            await _examine(self.settings, database)
            plants = not self.settings.is_production and not await _plant_first(database)
            listener = _listen(*self.place)
            self.opening = Opening(self.settings, self.front, database)
            # The server re-raises the signal that ended it; an orderly end is no error. One that comes before it looks
            # for any is not lost either.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._end)
            loading = partial(load, self.settings, self.front, plants=plants)
            due = timer.kept(database, needs_approval=self.settings.needs_approval)
            async with due, self.opening.going_on(loading, self._fail):
                await super().serve([listener])
        finally:
            await database.close()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        # Kept here: the loop itself forgets tasks. They end with the loop.
        deadlines = keep_deadlines(self.server_state.connections)
        self.tasks = asyncio.create_task(deadlines), asyncio.create_task(self._settle())
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        command = "uv run carepath" if "UV" in os.environ else "carepath"
        print(
            f"Carepath is ready.\n"
            f"  a page     {address}/conditions/acute-lymphoblastic-leukemia\n"
            f"  API docs   {address}/{'docs' if self.settings.shows_docs else 'openapi.json'}\n"
            f"  a key      {command} keys create --name admin --scope slots:write",
            flush=True,
        )

    async def _settle(self) -> None:
        await self.opening.settled.wait()
        # What was made until now stays, so no collection needs to look at it again; in the worst case what a request
        # holds now stays too.
        gc.freeze()
        # A request makes thousands of objects and few circles: to look for these less often saves it a tenth.
        gc.set_threshold(10_000, 20, 20)
        gc.enable()

    def _end(self, *_: object) -> None:
        self.should_exit = True

    def _fail(self, error: BaseException) -> None:
        self.failure, self.should_exit = error, True
