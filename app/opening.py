"""What a server answers with from its first moment on: condition pages at once, all else when it is loaded.

The application with its framework and its doors is half of what a start imports, and a page needs none of it. So a
server listens without, and loads it in a thread while it answers. Who asks for something else waits for it.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.content.errors import ConditionNotFound
from app.content.published import PublishedPages
from app.core import logs
from app.core.conditional import PUBLIC, conditional, pack
from app.core.cors import with_cors
from app.core.db import Database
from app.core.edge import BEGAN, Edge
from app.core.errors import Unavailable
from app.core.refusals import render
from app.core.settings import Settings
from app.core.shapes import MAX_SLUG
from app.finishing import has_body
from app.front import Front
from app.page_answers import languages_of, page_answer

# How long what is under way right after a start has the process for itself, in seconds: to load the rest would slow it
# down. It is cut short by whoever asks for what is not loaded.
HEAD_START: Final = 0.3
_PAGE: Final = re.compile(rf"/conditions/([a-z0-9-]{{1,{MAX_SLUG}}})")
# The application at work, as long as the block runs, on this database and with this memory.
Work: TypeAlias = Callable[[Database, PublishedPages], AbstractAsyncContextManager[ASGIApp]]


class Opening:
    """Stands behind the front until the application does."""

    def __init__(self, settings: Settings, front: Front, database: Database) -> None:
        self._settings = settings
        self._front = front
        self._database = database
        self._published = PublishedPages(database, memory_mb=settings.pages_memory_mb)
        self._app: ASGIApp | None = None
        # Somebody waits for the application.
        self._wanted = asyncio.Event()
        # It is there, or will never be.
        self.settled = asyncio.Event()
        front.remember(database, self._published)
        front.let_answer(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        # It counts from here, however long it waits.
        scope["state"] = {**scope.get("state", {}), BEGAN: time.perf_counter()}
        page = await self._page(scope)
        if page is None:
            self._wanted.set()
            await self.settled.wait()
        if page is None and self._app is not None:
            await self._app(scope, receive, send)
            return
        answer = _refuse if page is None else _at_its_route(page)
        await Edge(with_cors(answer, self._settings.cors_origins))(scope, receive, send)

    @asynccontextmanager
    async def going_on(
        self, load: Callable[[], Work], on_failure: Callable[[BaseException], None]
    ) -> AsyncIterator[None]:
        """Load the application in a thread, and let it answer as long as the block runs.

        `on_failure` is told where it cannot be loaded, cannot work, or fails to end.
        """
        stop = asyncio.Event()

        async def go_on() -> None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), HEAD_START)
            # Looked at once more in between: what is to end begins nothing.
            work = None if stop.is_set() else await asyncio.to_thread(load)
            if work is None or stop.is_set():
                return
            async with work(self._database, self._published) as app:
                self._app = app
                self._front.let_answer(app)
                self.settled.set()
                await stop.wait()

        def end(going: asyncio.Task[None]) -> None:
            self.settled.set()
            error = None if going.cancelled() else going.exception()
            if error is not None:
                logs.failure("stop_failed" if stop.is_set() else "start_failed", error)
                on_failure(error)

        going = asyncio.create_task(go_on())
        going.add_done_callback(end)
        try:
            async with self._published.kept_fresh():
                yield
        finally:
            stop.set()
            self._wanted.set()
            await asyncio.wait({going})

    async def _page(self, scope: Scope) -> Response | None:
        """The page that is asked for; None for anything else, and for what is not simply found."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"} or scope["query_string"]:
            return None
        page = _PAGE.fullmatch(scope["path"])
        if page is None or has_body(scope) or any(name == b"authorization" for name, _ in scope["headers"]):
            return None
        request = Request({**scope, "state": {}})
        try:
            languages = await languages_of(self._published, request.headers.get("accept-language"), None)
            url = self._settings.frontend_url
            async with self._database.read() as session:
                answer = await page_answer(
                    request, session, self._published, page[1], languages=languages, frontend_url=url
                )
            await pack(request, answer)
            return conditional(request, answer, PUBLIC)
        except ConditionNotFound:
            return None
        except Exception as error:  # noqa: BLE001 - the application meets the same, and knows how to answer
            logs.failure("early_page_failed", error)
            return None


class _Route:
    """How the log names the door of pages."""

    path: Final = "/conditions/{slug}"


def _at_its_route(answer: Response) -> ASGIApp:
    async def send_it(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = _Route
        await answer(scope, receive, send)

    return send_it


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    logs.failure("refused", request_id=scope["state"]["request_id"], code=Unavailable.code)
    await render(Unavailable(), scope["state"]["request_id"])(scope, receive, send)
