"""The lane: whatever is public and was answered before is answered here, from memory, ahead of the framework.

The doors stay the source of truth. What one of them has answered is remembered as it went out, to the byte; only the
request's id is put in anew. A request that is not understood here goes on to the doors.
"""

import asyncio
import re
import time
from collections.abc import Hashable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.content.published import FinishedAnswer, FinishedHead, PublishedPages
from app.core import edge
from app.core.accept import takes_gzip
from app.core.caching import NOT_IN_304, PUBLIC
from app.core.etags import matches
from app.core.media_types import prefers
from app.core.settings import Settings
from app.interop.schema_org import MEDIA_TYPE as JSON_LD

_THINGS: Final = ("/conditions", "/categories", "/treatment-options")
_PATH: Final = re.compile(r"/(conditions|categories|treatment-options)(/[a-z0-9-]{1,100}(/treatment-options)?)?")
# Headers that decide about an answer: one of them sent twice is for the doors to understand.
_DECIDING: Final = (b"accept", b"accept-encoding", b"accept-language", b"authorization", b"if-none-match", b"origin")
_METHODS: Final = ("GET", "HEAD")
# Not `q`: what is found follows what is published a moment later.
_PARAMETERS: Final = frozenset(
    {"category", "code", "cursor", "letter", "limit", "locale", "review_status", "treatment"}
)
_LONGEST_QUERY: Final = 500
_MOST_SORTS: Final = 4_096
# How long one waits for the answer to another who asked the same, in seconds. Then it asks for itself.
_PATIENCE: Final = 1.0
_PUBLIC: Final = (b"cache-control", PUBLIC.encode())
_REQUEST_ID: Final = b"x-request-id"


class _Reply(NamedTuple):
    """What is sent for one request."""

    head: FinishedHead
    request_id: bytes
    body: bytes


class Lane:
    """Answers from memory, 200 or 304, to GET and HEAD of callers without a credential."""

    # What answers the rest, and what is remembered: set as soon as they are there.
    app: ASGIApp
    published: PublishedPages

    def __init__(self, settings: Settings) -> None:
        self._origins = frozenset(origin.encode() for origin in settings.cors_origins)
        self._logs = settings.log_pages
        # What the headers of a request come down to, worked out once for all requests that send the same ones.
        self._sorts: dict[Hashable, tuple[Any, ...]] = {}
        self._age = -1
        self._asked: dict[Hashable, asyncio.Event] = {}

    def at_once(self, scope: Scope) -> tuple[bytes, bytes] | None:
        """An answer as a server writes it, the end of its head left open, and its body; None for what takes longer."""
        if (reply := self._reply(scope)) is None:
            return None
        return b"%b%b: %b\r\n" % (reply.head.written, _REQUEST_ID, reply.request_id), reply.body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        reply = self._reply(scope)
        if reply is None and _is_worth_keeping(scope):
            key = self._key(scope, dict(scope["headers"]))
            if key is not None and key not in self._asked:
                await self._ask(key, scope, receive, send)
                return
            if key is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._asked[key].wait(), _PATIENCE)
                reply = self._reply(scope)
        if reply is None:
            await self.app(scope, receive, send)
            return
        headers = [*reply.head.headers, (_REQUEST_ID, reply.request_id)]
        await send({"type": "http.response.start", "status": reply.head.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    def _reply(self, scope: Scope) -> _Reply | None:
        if scope["type"] != "http" or scope["method"] not in _METHODS or not scope["path"].startswith(_THINGS):
            return None
        began = time.perf_counter() if self._logs else 0.0
        headers = dict(scope["headers"])
        key = self._key(scope, headers)
        answer = self.published.find(key)
        if answer is None:
            return None
        head, body = answer.full, answer.body if scope["method"] == "GET" else b""
        known = headers.get(b"if-none-match")
        if known is not None and (known == answer.etag or matches(known.decode("latin-1"), answer.etag.decode())):
            head, body = answer.not_modified, b""
        request_id = edge.request_id_of(headers)
        if self._logs:
            edge.log(request_id, scope["method"], answer.route, head.status, began)
        return _Reply(head, request_id.encode(), body)

    def _key(self, scope: Scope, headers: dict[bytes, bytes]) -> Hashable:
        """All that decides which answer a request gets, None for what the doors have to look at."""
        if b"authorization" in headers or (len(headers) != len(scope["headers"]) and _says_twice(scope["headers"])):
            return None
        if (age := self.published.age()) != self._age or len(self._sorts) > _MOST_SORTS:
            self._age = age
            self._sorts.clear()
        get, query = headers.get, scope["query_string"]
        has_locale = bool(query) and (query.startswith(b"locale=") or b"&locale=" in query)
        said = get(b"accept"), get(b"accept-encoding"), get(b"accept-language"), get(b"origin"), has_locale
        sort = self._sorts.get(said)
        if sort is None:
            sort = self._sort(*said)
        return (scope["path"], query, sort) if sort else None

    def _sort(
        self,
        accept: bytes | None,
        encoding: bytes | None,
        language: bytes | None,
        origin: bytes | None,
        has_locale: bool,
    ) -> tuple[Any, ...]:
        if prefers((accept or b"*/*").decode("latin-1"), JSON_LD, "application/json"):
            return ()
        # A locale in the query beats the header.
        languages = () if has_locale else self.published.languages((language or b"").decode("latin-1"))
        if languages is None:
            # Nobody has looked yet which languages there are: so there is no answer in memory either.
            return language, encoding, origin
        allowed = origin if origin is None or origin in self._origins else b""
        sort = languages, takes_gzip((encoding or b"").decode("latin-1")), allowed
        self._sorts[accept, encoding, language, origin, has_locale] = sort
        return sort

    async def _ask(self, key: Hashable, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the door answer, and remember it. Whoever asks the same meanwhile waits for it."""
        age = self.published.age()
        done = self._asked[key] = asyncio.Event()
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        try:
            await self.app(scope, receive, collect)
            answer = _finished(messages, scope["path"])
            if answer is not None:
                # By another key than before, where somebody had to look which languages there are.
                self.published.keep(self._key(scope, dict(scope["headers"])), answer, age=age)
        finally:
            del self._asked[key]
            done.set()
        # Only now: nobody waits for how slowly this client takes its answer.
        for message in messages:
            await send(message)


def _is_worth_keeping(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET" or not _PATH.fullmatch(scope["path"]):
        return False
    query = scope["query_string"].decode("latin-1")
    return len(query) <= _LONGEST_QUERY and _PARAMETERS.issuperset(parse_qs(query, keep_blank_values=True))


def _says_twice(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    names = [name for name, _ in headers if name in _DECIDING]
    return len(set(names)) < len(names)


def _finished(messages: Sequence[Message], path: str) -> FinishedAnswer | None:
    """An answer as it is remembered, None for one that is not for everybody."""
    if not messages or messages[0]["status"] != HTTPStatus.OK or _PUBLIC not in messages[0]["headers"]:
        return None
    headers = [(name, value) for name, value in messages[0]["headers"] if name != _REQUEST_ID]
    return FinishedAnswer(
        route=re.sub(r"(?<=/)([^/]+)/[^/]+", r"\1/{slug}", path, count=1),
        etag=dict(headers)[b"etag"],
        body=b"".join(message.get("body", b"") for message in messages[1:]),
        full=_head(HTTPStatus.OK, headers),
        not_modified=_head(HTTPStatus.NOT_MODIFIED, [one for one in headers if one[0].decode() not in NOT_IN_304]),
    )


def _head(status: HTTPStatus, headers: Sequence[tuple[bytes, bytes]]) -> FinishedHead:
    first = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
    return FinishedHead(status.value, headers, first + b"".join(b"%b: %b\r\n" % header for header in headers))
