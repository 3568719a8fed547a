"""The application: its edge, its problems, its doors, and what lives as long as it does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import cache
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Scope

from app.consultations import guards
from app.consultations.policies import Policy
from app.content import timer
from app.content.published import PublishedPages
from app.content.search import Search
from app.core import crypto, logs, openapi
from app.core.brief import BriefMemory
from app.core.db import Database
from app.core.edge import Edge, Finish, LastResort
from app.core.problems import answer_with_problems
from app.core.settings import Settings
from app.doors import Doors
from app.lane import Lane
from app.listings import Listings
from app.replies import counted

# How long what is under way right after a start has the process for itself, in seconds: to load the rest would slow it
# down. It is cut short by whoever asks for a door that is closed.
HEAD_START: Final = 0.3
_DESCRIPTION = """
The JSON API behind a specialist hospital's website: **condition pages** that patients read, and the **consultations**
that they book.

- Times are RFC 3339 instants in UTC; the IANA zone to show them in stands beside them.
- Lists come in pages: follow `next` while it is there. It is relative to this API, like every link in an answer.
- Every answer to a read has an `ETag`; send it back as `If-None-Match` and get `304` while it holds. `HEAD` works
  wherever `GET` does.
- What is public is sent packed with gzip to whoever takes that, and nothing is to be taken for another format than it
  says: `X-Content-Type-Options: nosniff`.
- A refusal is a problem (RFC 9457): `code` is for programs, `detail` for people, `errors[]` names what is wrong.
- An absent field is absent, never null. New fields may appear in answers; unknown ones in requests are refused.
"""
_TAGS = [
    {"name": "Conditions", "description": "Condition pages."},
    {"name": "Editing", "description": "How a page is written, reviewed and published, and how it was before."},
    {"name": "Categories", "description": "Groups of conditions."},
    {"name": "Treatment options", "description": "Therapies, and the conditions that they are offered for."},
    {"name": "Search", "description": "Everything that is published, by words."},
    {"name": "Previews", "description": "Drafts as the pages that they would be."},
    {"name": "Changes", "description": "What to read again, for copies that are kept elsewhere."},
    {"name": "Web", "description": "The pages for search engines and for electronic records."},
    {"name": "Consultation slots", "description": "Times that can be booked."},
    {"name": "Schedules", "description": "Patterns that slots recur by, and when none are to be posted."},
    {"name": "Consultation bookings", "description": "Seats that are taken."},
    {"name": "Calendar feeds", "description": "Consultations in the calendars of those who hold them."},
    {"name": "Clinicians", "description": "Who is consulted."},
    {"name": "Locations", "description": "Where."},
    {"name": "Privacy", "description": "What is held on a person."},
    {"name": "Audit", "description": "Who did what."},
    {"name": "Service", "description": "The service about itself."},
]
# FastAPI's own telemetry records the texts of exceptions and of requests that were refused.
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


class Application(FastAPI):
    """FastAPI with the lane ahead of all of it: what is added by `add_middleware` stands behind the framework's own."""

    lane: Lane
    listings: Listings
    doors: Doors
    # For a server that has one open already, and has examined it: the lifespan opens none of its own.
    database: Database | None = None
    # What to do when something has failed that the application is no good without.
    on_failure: Callable[[], None] = staticmethod(lambda: None)

    def build_middleware_stack(self) -> ASGIApp:
        """The lane, then all that the framework puts there."""
        self.listings.app = super().build_middleware_stack()
        self.lane.app = self.listings
        return self.lane

    def at_once(self, scope: Scope) -> tuple[bytes, bytes] | None:
        """What the lane has for a server that asks before it makes a task."""
        return self.lane.at_once(scope) or self.listings.at_once(scope)


def create_app(settings: Settings, *, opens_later: bool = False) -> Application:
    """The application for these settings; it opens no database before its lifespan begins.

    `opens_later` for one that is to answer as soon as it can: doors that are asked less open while it does.
    """
    writes: set[asyncio.Task[None]] = set()
    app = Application(
        title="Carepath",
        version=version("carepath"),
        summary="Condition pages and consultations of a specialist hospital.",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(settings, writes, opens_later=opens_later),
        generate_unique_id_function=lambda route: route.name,
        telemetry=_NO_TELEMETRY,
    )
    app.lane, app.listings = Lane(settings), Listings(settings)
    app.state.settings = settings
    app.state.policy = Policy.of_hospital(settings)
    app.state.openapi_bytes = cache(lambda: json.dumps(app.openapi(), ensure_ascii=False, indent=2).encode() + b"\n")
    app.doors = Doors(app, settings)
    if not opens_later:
        app.doors.open()
    app.openapi = cache(lambda: openapi.describe(app, app.doors.routes))  # type: ignore[method-assign]
    answer_with_problems(app, app.doors.routes)
    # From the innermost to the outermost.
    app.add_middleware(Finish, tasks=writes)
    app.add_middleware(LastResort)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-Match",
                "If-None-Match",
                "X-Request-Id",
            ],
            expose_headers=["ETag", "Idempotent-Replayed", "Link", "Location", "Retry-After", "X-Request-Id"],
        )
    app.add_middleware(Edge)
    return app


def _lifespan(
    settings: Settings, writes: set[asyncio.Task[None]], *, opens_later: bool
) -> Callable[[Application], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Application) -> AsyncIterator[None]:
        async with _database(app, settings) as database:
            app.state.database = app.listings.database = database
            app.state.keyring = crypto.load_keyring(settings.keyring_path)
            app.state.published = app.lane.published = PublishedPages(database, memory_mb=settings.pages_memory_mb)
            app.state.search = Search(database)
            app.state.brief = BriefMemory(database)
            due = timer.kept(database, needs_approval=settings.needs_approval)
            told = counted(app.lane.published, app.listings)
            async with due, app.state.published.kept_fresh(), told, _rest(app, opens_later=opens_later):
                yield
            # Writes outlive their requests: see Finish.
            await asyncio.gather(*writes, return_exceptions=True)

    return lifespan


@asynccontextmanager
async def _database(app: Application, settings: Settings) -> AsyncIterator[Database]:
    if app.database is not None:
        yield app.database
        return
    database = Database(settings)
    try:
        await guards.refuse_to_serve_without(database)
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _rest(app: Application, *, opens_later: bool) -> AsyncIterator[None]:
    """What a start does not wait for: the index, other doors, and jobs that no other process does."""
    state, stop = app.state, asyncio.Event()

    async def go_on() -> None:
        if opens_later:
            with suppress(TimeoutError):
                await asyncio.wait_for(app.doors.wanted.wait(), HEAD_START)
        async with AsyncExitStack() as stack:
            if not stop.is_set():
                await stack.enter_async_context(state.search.kept_fresh())
                if opens_later:
                    await app.doors.open_later()
            if not stop.is_set() and state.settings.sqlite_path is not None:
                from app import worker  # noqa: PLC0415 - most of what it imports the doors have imported

                jobs = worker.alongside(state.database, state.keyring, state.settings)
                await stack.enter_async_context(jobs)
            await stop.wait()

    def end(going: asyncio.Task[None]) -> None:
        app.doors.settled.set()
        error = None if going.cancelled() else going.exception()
        if error is not None:
            logs.failure("stop_failed" if stop.is_set() else "start_failed", error)
            app.on_failure()

    going = asyncio.create_task(go_on())
    going.add_done_callback(end)
    try:
        yield
    finally:
        stop.set()
        app.doors.wanted.set()
        await asyncio.wait({going})
