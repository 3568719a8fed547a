"""Lists of free slots, from memory: a second old at most, and never older than a write of this process.

What many ask for at the same moment is asked of the door once. The door stays the source of truth, as for the pages
(see `lane.py`); it remembers nothing, so that what is remembered here is counted from when it was read.
"""

import asyncio
from collections.abc import Hashable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final, TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.content.answers import Answers, FinishedAnswer
from app.core.brief import SECONDS
from app.core.conditional import REVALIDATE
from app.core.db import Database
from app.core.settings import Settings
from app.finishing import finish, has_body
from app.replies import Reply, as_asked, can_be_remembered, clock_of, in_full, is_for_doors, reply_to

_PATH: Final = "/consultation-slots"
_LONGEST_QUERY: Final = 500
# Nobody asks for more different lists in a second.
_MOST_BYTES: Final = 8 * 1024 * 1024
# Query, and the origin if it is one that is let in.
_Key: TypeAlias = tuple[bytes, bytes | None]


class Listings:
    """Answers from memory, 200 or 304, to GET and HEAD of the list of slots, of callers without a credential."""

    # What answers the rest, and whose lists they are: set as soon as they are there.
    app: ASGIApp
    database: Database

    def __init__(self, settings: Settings) -> None:
        # How many requests were answered from memory.
        self.answered = 0
        self._origins = frozenset(origin.encode() for origin in settings.cors_origins)
        self._logs = settings.log_pages
        self._answers = Answers(_MOST_BYTES if settings.pages_memory_mb else 0)
        # How many writes of this process all of them have seen.
        self._writes = -1
        self._asked: dict[Hashable, asyncio.Future[FinishedAnswer | None]] = {}

    def at_once(self, scope: Scope) -> tuple[bytes, bytes] | None:
        """An answer as a server writes it, the end of its head left open, and its body; None for what takes longer."""
        if scope["path"] != _PATH or (reply := self._reply(scope)) is None:
            return None
        return reply.written()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http" or scope["path"] != _PATH:
            await self.app(scope, receive, send)
            return
        reply, headers = self._reply(scope), dict(scope["headers"])
        key = self._key(scope, headers)
        if reply is None and key is not None and scope["method"] == "GET" and not has_body(scope):
            # Who asks after a write does not wait for what was read before it.
            under_way = self._asked.get((key, self.database.writes))
            if under_way is None:
                # Sent only once it is whole: nobody waits for how slowly this client takes its answer.
                for message in await self._ask(key, scope, receive):
                    await send(message)
                return
            began = clock_of(logs=self._logs)
            answer = await _within(SECONDS, under_way)
            if answer is not None and monotonic() - answer.made_at < SECONDS:
                reply = self._told(scope, headers, answer, began)
        if reply is None:
            await self.app(scope, receive, send)
            return
        await reply.send(send)

    def _reply(self, scope: Scope) -> Reply | None:
        if not can_be_remembered(scope):
            return None
        began, headers = clock_of(logs=self._logs), dict(scope["headers"])
        answer = self._find(self._key(scope, headers))
        return None if answer is None else self._told(scope, headers, answer, began)

    def _told(self, scope: Scope, headers: dict[bytes, bytes], answer: FinishedAnswer, began: float) -> Reply:
        self.answered += 1
        return reply_to(scope, headers, answer, logs=self._logs, began=began)

    def _key(self, scope: Scope, headers: dict[bytes, bytes]) -> _Key | None:
        """All that decides which answer a request gets, None for what the door has to look at."""
        query = scope["query_string"]
        if is_for_doors(scope, headers) or len(query) > _LONGEST_QUERY:
            return None
        origin = headers.get(b"origin")
        return query, origin if origin is None or origin in self._origins else b""

    def _find(self, key: _Key | None) -> FinishedAnswer | None:
        if self._writes != self.database.writes:
            self._writes = self.database.writes
            self._answers.clear()
        answer = self._answers.find(key)
        if answer is not None and monotonic() - answer.made_at >= SECONDS:
            self._answers.forget([key])
            return None
        return answer

    async def _ask(self, key: _Key, scope: Scope, receive: Receive) -> Sequence[Message]:
        """Let the door answer, and remember it. Whoever asks the same meanwhile waits for it.

        They get it also where it is not kept, because there is no memory or because of a write that came after them.
        """
        asked_at, writes = monotonic(), self.database.writes
        done = self._asked[key, writes] = asyncio.get_running_loop().create_future()
        messages: list[Message] = []
        answer = None

        async def collect(message: Message) -> None:
            messages.append(message)

        try:
            await self.app(in_full(scope), receive, collect)
            answer = finish(messages, _PATH, cache_control=REVALIDATE)
            if answer is not None:
                answer.made_at = asked_at
                # What was written meanwhile it may have been read before.
                if writes == self.database.writes and self._find(key) is None:
                    self._answers.keep(key, answer)
        finally:
            del self._asked[key, writes]
            done.set_result(answer)
        return as_asked(scope, messages, answer)


async def _within(seconds: float, under_way: asyncio.Future[FinishedAnswer | None]) -> FinishedAnswer | None:
    # One who hangs up does not take the answer from the others.
    with suppress(TimeoutError):
        return await asyncio.wait_for(asyncio.shield(under_way), seconds)
    return None
