"""The lane: whatever is public and was answered before is answered here, from memory, ahead of the framework.

The doors stay the source of truth. What one of them has answered is remembered as it went out, to the byte; only the
request's id is put in anew. A request that is not understood here goes on to the doors.
"""

import asyncio
from collections.abc import Hashable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.content.published import PublishedPages
from app.core.accept import takes_gzip
from app.core.media_types import prefers
from app.core.settings import Settings
from app.finishing import finish, is_worth_keeping
from app.interop.schema_org import MEDIA_TYPE as JSON_LD
from app.replies import Reply, as_asked, can_be_remembered, clock_of, in_full, is_for_doors, reply_to

_THINGS: Final = ("/conditions", "/categories", "/treatment-options")
_MOST_SORTS: Final = 4_096
# Of the headers that a sort is made of, together; browsers send some 200 bytes.
_LONGEST_SAID: Final = 500
# How long one waits for the answer to another who asked the same, in seconds. Then it asks for itself.
_PATIENCE: Final = 1.0
# What all requests have in common, for one that nobody sends.
_FRAME: Final = ("type", "asgi", "http_version", "scheme", "server", "root_path", "state")
_NO_BODY: Final = {"type": "http.request", "body": b"", "more_body": False}
# Path, query, and what the headers come down to: the languages, whether it is packed, and for which origin.
_Key: TypeAlias = tuple[str, bytes, tuple[Any, ...]]


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
        self._frame: dict[str, Any] = {}

    def at_once(self, scope: Scope) -> tuple[bytes, bytes] | None:
        """An answer as a server writes it, the end of its head left open, and its body; None for what takes longer."""
        if (reply := self._reply(scope)) is None:
            return None
        return reply.written()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        reply = self._reply(scope)
        if reply is None and is_worth_keeping(scope):
            if not self.published.is_ready():
                await self.published.get_ready()
                reply = self._reply(scope)
            key = None if reply else self._key(scope, dict(scope["headers"]))
            if key is not None and key not in self._asked:
                messages = await self._ask(key, scope, receive)
                # Only now: nobody waits for how slowly this client takes its answer.
                for message in messages:
                    await send(message)
                return
            if key is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._asked[key].wait(), _PATIENCE)
                reply = self._reply(scope)
        if reply is None:
            await self.app(scope, receive, send)
            return
        await reply.send(send)

    def _reply(self, scope: Scope) -> Reply | None:
        if not can_be_remembered(scope) or not scope["path"].startswith(_THINGS):
            return None
        began, headers = clock_of(logs=self._logs), dict(scope["headers"])
        answer = self.published.find(self._key(scope, headers))
        return None if answer is None else reply_to(scope, headers, answer, logs=self._logs, began=began)

    def _key(self, scope: Scope, headers: dict[bytes, bytes]) -> _Key | None:
        """All that decides which answer a request gets, None for what the doors have to look at."""
        if is_for_doors(scope, headers):
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
        if sum(len(said or b"") for said in (accept, encoding, language, origin)) > _LONGEST_SAID:
            # What is remembered is ours to bound, not a client's.
            return ()
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

    async def _ask(self, key: _Key, scope: Scope, receive: Receive) -> Sequence[Message]:
        """Let the door answer, and remember it. Whoever asks the same meanwhile waits for it."""
        age = self.published.age()
        done = self._asked[key] = asyncio.Event()
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        self._frame = self._frame or {name: scope[name] for name in _FRAME if name in scope}
        try:
            await self.app(in_full(scope), receive, collect)
            # Another key than before, where somebody had to look which languages there are.
            kept = self._key(scope, dict(scope["headers"]))
            answer = finish(messages, scope["path"])
            if answer is not None and kept is not None:
                answer.again = partial(self._ask_again, kept)
                self.published.keep(kept, answer, age=age)
        finally:
            del self._asked[key]
            done.set()
        return as_asked(scope, messages, answer)

    async def _ask_again(self, key: _Key) -> None:
        """Let the door answer as if somebody had asked for this."""
        path, query, (languages, is_packed, origin) = key
        headers = [(b"accept-encoding", b"gzip" if is_packed else b"identity")]
        if languages:
            headers.append((b"accept-language", ", ".join(languages).encode()))
        if origin is not None:
            # One that is not let in has no name here.
            headers.append((b"origin", origin or b"null"))
        asked = {"method": "GET", "path": path, "raw_path": path.encode(), "query_string": query, "headers": headers}
        if key not in self._asked and self._key(asked, dict(headers)) == key:
            await self._ask(key, self._frame | asked, _receive_nothing)


async def _receive_nothing() -> Message:
    return dict(_NO_BODY)
