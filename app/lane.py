"""The lane: remembered pages are answered here, ahead of the framework.

What is not remembered, and every address that is not a page's, goes on to the door in `routers/conditions.py`, which
stays the source of truth: a test holds the two byte-identical.
"""

from http import HTTPStatus
from typing import Final

from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.content.published import FinishedPage, PublishedPages
from app.core.caching import PUBLIC
from app.core.etags import matches

_PREFIX: Final = "/conditions/"


class Lane:
    """Answers GET of a remembered page, 200 or 304, from finished bytes."""

    def __init__(self, app: ASGIApp, door: APIRoute) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        page = _remembered(scope)
        if page is None:
            await self.app(scope, receive, send)
            return
        # The logs name the door, as if it had answered.
        scope["route"] = self.door
        sent = b", ".join(value for name, value in scope["headers"] if name == b"if-none-match")
        headers = [
            (b"etag", page.etag.encode()),
            (b"content-language", page.locale.encode()),
            (b"cache-control", PUBLIC.encode()),
        ]
        if sent and matches(sent.decode("latin-1"), page.etag):
            await send({"type": "http.response.start", "status": HTTPStatus.NOT_MODIFIED.value, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        headers += [(b"content-length", str(len(page.body)).encode()), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": HTTPStatus.OK.value, "headers": headers})
        await send({"type": "http.response.body", "body": page.body})


def _remembered(scope: Scope) -> FinishedPage | None:
    if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(_PREFIX):
        return None
    published: PublishedPages = scope["app"].state.published
    return published.remembered(scope["path"].removeprefix(_PREFIX))
