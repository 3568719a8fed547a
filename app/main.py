"""The application: its edge, its problems, its doors, and what lives as long as it does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cache
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import Receive, Scope, Send

from app import worker
from app.consultations import guards
from app.consultations.policies import Policy
from app.content import timer
from app.content.published import PublishedPages
from app.content.search import Search
from app.core import crypto, openapi
from app.core.brief import BriefMemory
from app.core.cors import with_cors
from app.core.db import Database
from app.core.edge import Edge, Finish, LastResort
from app.core.problems import answer_with_problems
from app.core.settings import Settings
from app.doors import routes
from app.front import Front
from app.replies import counted

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
    """FastAPI behind its front: what is added by `add_middleware` stands behind the framework's own."""

    front: Front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self.front(scope, receive, send)

    async def behind_front(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that nothing in memory answers."""
        await super().__call__(scope, receive, send)


def create_app(settings: Settings, front: Front | None = None) -> Application:
    """The application for these settings; it opens no database before its lifespan begins.

    It puts itself behind a front of its own. Behind a given one, whoever gave it does.
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
        lifespan=_lifespan(settings),
        telemetry=_NO_TELEMETRY,
    )
    app.front = front or Front(settings)
    if front is None:
        app.front.let_answer(app.behind_front)
    app.state.settings, app.state.writes = settings, writes
    app.state.policy = Policy.of_hospital(settings)
    app.state.openapi_bytes = cache(lambda: json.dumps(app.openapi(), ensure_ascii=False, indent=2).encode() + b"\n")
    doors = list(routes(settings))
    app.router.routes.extend(doors)
    app.state.plain_paths = frozenset(route.path for route in doors if "{" not in route.path)
    app.openapi = cache(lambda: openapi.describe(app, doors))  # type: ignore[method-assign]
    answer_with_problems(app, doors)
    # From the innermost to the outermost.
    app.add_middleware(Finish, tasks=writes)
    app.add_middleware(LastResort)
    app.add_middleware(with_cors, origins=settings.cors_origins)
    app.add_middleware(Edge)
    return app


def _lifespan(settings: Settings) -> Callable[[Application], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: Application) -> AsyncIterator[None]:
        database = Database(settings)
        try:
            await guards.refuse_to_serve_without(database)
            published = PublishedPages(database, memory_mb=settings.pages_memory_mb)
            app.front.remember(database, published)
            due = timer.kept(database, needs_approval=settings.needs_approval)
            async with due, published.kept_fresh(), at_work(app, database, published):
                yield
        finally:
            await database.close()

    return lifespan


@asynccontextmanager
async def at_work(app: Application, database: Database, published: PublishedPages) -> AsyncIterator[None]:
    """What lives as long as the application answers.

    The database has its guards; its schedule and what is remembered of it are kept already.
    """
    state = app.state
    state.database, state.published = database, published
    state.keyring = crypto.load_keyring(state.settings.keyring_path)
    state.search = Search(database)
    state.brief = BriefMemory(database)
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(counted(published, app.front.listings))
            await stack.enter_async_context(state.search.kept_fresh())
            if state.settings.sqlite_path is not None:
                await stack.enter_async_context(worker.alongside(database, state.keyring, state.settings))
            yield
    finally:
        # Writes outlive their requests, whatever ends this: see Finish.
        if state.writes:
            await asyncio.wait(set(state.writes))
