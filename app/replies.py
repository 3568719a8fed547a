"""What is sent for one request where an answer is remembered, and how the log tells of all of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, Protocol

from starlette.types import Message, Scope, Send

from app.content.answers import FinishedAnswer, FinishedHead
from app.core import edge
from app.core.etags import matches
from app.core.logs import event
from app.finishing import REQUEST_ID

# Headers that decide about an answer: one of them sent twice is for the doors to understand.
_DECIDING: Final = (b"accept", b"accept-encoding", b"accept-language", b"authorization", b"if-none-match", b"origin")
_KNOWN: Final = b"if-none-match"
_METHODS: Final = ("GET", "HEAD")
# How often the log says how many were answered from memory, in seconds.
TELL_EVERY: Final = 60.0


class Memory(Protocol):
    """What answers from memory."""

    # How many requests were answered.
    answered: int


class Reply(NamedTuple):
    """What is sent for one request."""

    head: FinishedHead
    request_id: bytes
    body: bytes

    def written(self) -> tuple[bytes, bytes]:
        """As a server writes it, the end of its head left open, and its body."""
        return b"%b%b: %b\r\n" % (self.head.written, REQUEST_ID, self.request_id), self.body

    def messages(self) -> tuple[Message, Message]:
        """As an application tells it to a server."""
        headers = [*self.head.headers, (REQUEST_ID, self.request_id)]
        head = {"type": "http.response.start", "status": self.head.status, "headers": headers}
        return head, {"type": "http.response.body", "body": self.body}

    async def send(self, send: Send) -> None:
        """Tell it to a server."""
        for message in self.messages():
            await send(message)


def can_be_remembered(scope: Scope) -> bool:
    """Whether a request is one of those whose answers are remembered, wherever it leads."""
    return scope["type"] == "http" and scope["method"] in _METHODS


def is_for_doors(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """Whether a request comes with a credential, or with more than is understood here."""
    return b"authorization" in headers or (len(headers) != len(scope["headers"]) and _says_twice(scope["headers"]))


def clock_of(*, logs: bool) -> float:
    """When a request began, as far as anybody wants to know."""
    return time.perf_counter() if logs else 0.0


def reply_to(scope: Scope, headers: dict[bytes, bytes], answer: FinishedAnswer, *, logs: bool, began: float) -> Reply:
    """The answer, or that the client has it already; with the request's own id."""
    request_id = edge.request_id_of(headers)
    reply = _fitting(scope, headers, answer, request_id.encode())
    if logs:
        edge.log(request_id, scope["method"], answer.route, reply.head.status, began)
    return reply


def in_full(scope: Scope) -> Scope:
    """The same request, of a client that has nothing yet: that one has the answer already is of no use to others."""
    return {**scope, "headers": [header for header in scope["headers"] if header[0] != _KNOWN]}


def as_asked(scope: Scope, messages: Sequence[Message], answer: FinishedAnswer | None) -> Sequence[Message]:
    """What the door said to the request `in_full`, for the client that sent it; `answer` is None for what is not kept.

    The log, like the door, knows it as answered in full.
    """
    headers = dict(scope["headers"])
    if answer is None or _KNOWN not in headers:
        return messages
    return _fitting(scope, headers, answer, dict(messages[0]["headers"])[REQUEST_ID]).messages()


def _fitting(scope: Scope, headers: dict[bytes, bytes], answer: FinishedAnswer, request_id: bytes) -> Reply:
    known = headers.get(_KNOWN)
    if known is not None and (known == answer.etag or matches(known.decode("latin-1"), answer.etag.decode())):
        return Reply(answer.not_modified, request_id, b"")
    return Reply(answer.full, request_id, answer.body if scope["method"] == "GET" else b"")


@asynccontextmanager
async def counted(*memories: Memory) -> AsyncIterator[None]:
    """Say in the log how many requests these have answered, as long as the block runs.

    In the place of a line for each: they are as many as the machine can send.
    """
    telling = asyncio.create_task(_tell(memories))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _tell(memories: Sequence[Memory]) -> None:
    told = 0
    while True:
        await asyncio.sleep(TELL_EVERY)
        answered = sum(memory.answered for memory in memories)
        event("answered_from_memory", requests=answered - told)
        told = answered


def _says_twice(headers: Sequence[tuple[bytes, Any]]) -> bool:
    names = [name for name, _ in headers if name in _DECIDING]
    return len(set(names)) < len(names)
