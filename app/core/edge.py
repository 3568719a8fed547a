"""The edge of the application: what every request meets before the framework does, as plain ASGI."""

import asyncio
import re
import time
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import logs
from app.core.errors import BodyTooLarge, InternalError
from app.core.ids import new_request_id
from app.core.refusals import render

MAX_BODY_BYTES = 64 * 1024
# Of a page's text, and of the order of thousands: they are sent to these addresses.
MAX_TEXT_BYTES = 1024 * 1024
_TEXTS = re.compile(r"^POST /conditions$|^PUT /conditions/[^/]+/draft$|^PUT /(category|treatment-option)-order$")
# Of a batch of slots: its door takes it in pieces, and writes them to disk.
MAX_BATCH_BYTES = 16 * 1024 * 1024
_BATCH = "POST /consultation-slots/batch"
# A UUID, with hyphens or without: nothing else that a client sends is worth a place in the logs.
_REQUEST_ID = re.compile(rb"^[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}$")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# What stands in the state of a request that waited: see Edge.
BEGAN: Final = "began"
# A method is whatever a client makes up; the logs name these and no others.
_METHODS = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"}


class Edge:
    """Gives each request an id, answers HEAD as GET without a body, and logs one line a request.

    It also keeps answers to callers with a credential out of every cache. Whoever let a request wait says in its state,
    by BEGAN, what the performance counter said when it came.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.get("state", {})
        began = state.get(BEGAN) or time.perf_counter()
        headers = dict(scope["headers"])
        request_id = request_id_of(headers)
        # A copy: the server looks at its own to learn whether the answer has a body.
        inner = {**scope, "state": {**state, "request_id": request_id}}
        if scope["method"] == "HEAD":
            inner["method"] = "GET"
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _headers(message, request_id, private=b"authorization" in headers)}
            elif scope["method"] == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self.app(inner, receive, answer)
        finally:
            log(request_id, scope["method"], getattr(inner.get("route"), "path", "unmatched"), status, began)


def request_id_of(headers: dict[bytes, bytes]) -> str:
    """The client's own, if it is a UUID, else a new one."""
    given = headers.get(b"x-request-id")
    return given.decode() if given and _REQUEST_ID.match(given) else new_request_id()


def log(request_id: str, method: str, route: str, status: int, began: float) -> None:
    """One line for a request; `route` is a template, `began` what the performance counter said."""
    logs.event(
        "request",
        request_id=request_id,
        method=method if method in _METHODS else "OTHER",
        route=route,
        status=int(status),
        milliseconds=round((time.perf_counter() - began) * 1000, 2),
    )


class LastResort:
    """Refuses bodies that are too large, and turns what nobody caught into a problem.

    So no server or framework prints an exception's text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        has_started = False

        async def note(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        request_id = scope["state"]["request_id"]
        try:
            await self.app(scope, await _whole_body(scope, receive), note)
        except BodyTooLarge as refusal:
            await render(refusal, request_id)(scope, receive, send)
        except ClientDisconnect:
            # Nobody is there to be answered, and half a request is none.
            return
        except Exception as error:  # noqa: BLE001 - the last one who can keep its text out of the server's log
            logs.failure("unhandled", error, request_id=request_id)
            if has_started:
                raise ConnectionAbortedError from None
            await render(InternalError(), request_id)(scope, receive, send)


class Finish:
    """Lets a write that has begun come to its end, whatever happens to the request's own task.

    A graceful shutdown or a time-out may cancel the task in the middle of a COMMIT, when nobody could say any more
    whether the booking exists. `tasks` is what the lifespan waits for before it closes the engines.
    """

    def __init__(self, app: ASGIApp, tasks: set[asyncio.Task[None]]) -> None:
        self.app = app
        self.tasks = tasks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, unsafe methods in a task of their own."""
        if scope["type"] != "http" or scope["method"] in _SAFE_METHODS:
            await self.app(scope, receive, send)
            return
        task: asyncio.Task[None] = asyncio.ensure_future(_call(self.app, scope, receive, send))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        await asyncio.shield(task)


async def _call(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


async def _whole_body(scope: Scope, receive: Receive) -> Receive:
    """Wait for the body, also where no door would read it, and give it back in one piece; a batch's as it comes.

    Raises BodyTooLarge, and ClientDisconnect when the end of it never came.
    """
    headers = dict(scope["headers"])
    address = f"{scope['method']} {scope['path']}"
    most = MAX_BATCH_BYTES if address == _BATCH else MAX_TEXT_BYTES if _TEXTS.match(address) else MAX_BODY_BYTES
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > most:
        raise BodyTooLarge
    if address == _BATCH:
        return _counted(receive, most)
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return receive
    body, has_more = b"", True
    while has_more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        body += message.get("body", b"")
        has_more = message.get("more_body", False)
        if len(body) > most:
            raise BodyTooLarge
    pieces = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        return next(pieces, None) or await receive()

    return replay


def _counted(receive: Receive, most: int) -> Receive:
    """The same, until there is too much of it: then BodyTooLarge is raised in the door."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise BodyTooLarge
        return message

    return counted


def _headers(message: Message, request_id: str, *, private: bool) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, Any]] = [
        (name, value) for name, value in message["headers"] if not (private and name == b"cache-control")
    ]
    if private or (message["status"] >= HTTPStatus.BAD_REQUEST and all(n != b"cache-control" for n, _ in headers)):
        headers.append((b"cache-control", b"no-store"))
    headers.append((b"x-content-type-options", b"nosniff"))
    headers.append((b"x-request-id", request_id.encode()))
    return headers
