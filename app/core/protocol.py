"""Deadlines for connections, which the server itself has none of, and a short way for what can be said at once.

A client may be slow, but must not make us wait for ever: for a request's head, for its body, or until it takes its
answer. How long our own work takes is not looked at here. And what it sends before its head is complete is kept in
memory: so much and no more.

What is answered from memory needs no task. And clients send the same bytes again and again: what these come down to is
remembered, and nobody reads them twice. It depends on nothing but the bytes; what is said to them is asked for anew.
"""

import asyncio
from collections.abc import Collection
from typing import Any, ClassVar, Final

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# Requests that were answered at once, as they came, each in one piece; and of each what decides about its answer.
_REPEATED: Final[dict[bytes, Scope]] = {}
_DECIDING: Final = ("type", "method", "path", "query_string", "headers")
_MOST_REPEATED: Final = 1_024
_LONGEST_REPEATED: Final = 2_048


class DeadlineProtocol(HttpToolsProtocol):
    """HTTP/1.1 with deadlines, in seconds; `keep_deadlines` looks at them.

    A request that comes in one piece, as nearly all do, costs no timer.
    """

    # For the first byte of the first request, and from a request's first byte to the end of its head.
    head_seconds: ClassVar[float] = 5
    # From the end of the head to the end of the body.
    body_seconds: ClassVar[float] = 10
    # For taking anything at all of what waits to be taken.
    take_seconds: ClassVar[float] = 30
    # Of a head that is not complete; one more read of the loop may come on top of it.
    head_bytes: ClassVar[int] = 64 * 1024

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        # What an application has for a server that asks before it makes a task: see `Lane.at_once`.
        self.at_once = getattr(self.config.app, "at_once", None)
        # None while it is not the client who lets us wait.
        self.due: float | None = None
        self.awaited: tuple[object, bool] = (None, False)
        self.untaken = 0
        self.headless = 0
        self.untaken_since = self.loop.time()
        # How many requests have begun, whether the newest one is here to its end, and which was answered at once.
        self.begun = 0
        self.is_whole = False
        self.finished: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Take what came, and expect what is missing."""
        is_first = self.begun == 0 and self.headless == 0
        is_between = is_first or self._is_between()
        if is_between and not is_first and (known := _REPEATED.get(data)) is not None and self._say_at_once(known):
            return
        is_head, begun = not self._has_request() or self.cycle.response_complete, self.begun
        super().data_received(data)
        has_request = self._has_request()
        if is_between and self.begun == begun + 1 and self.finished is self.scope and self._is_between():
            _remember(data, self.scope)
        self.headless = 0 if has_request or not is_head else self.headless + len(data)
        if self.headless > self.head_bytes:
            self._refuse_head()
        elif has_request and not self.cycle.more_body and not self.cycle.response_complete:
            self.due = None
        else:
            self._expect()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Write what the application can say at once; else call it.

        A task, and a look at each header as the server takes it, cost more than all else that a finished answer costs.
        """
        # The first one of a queue is left to the server, which goes on to the next one when it is done.
        is_ready = not self.pipeline and not self.flow.write_paused and not self.transport.is_closing()
        finished = self.at_once(cycle.scope) if self.at_once and is_ready else None
        if finished is None:
            # Set by a finished answer to the request before, if both came in one piece.
            self._unset_keepalive_if_required()
            super()._start_asgi_task(cycle, app)
            return
        self._write(finished, keep_alive=cycle.keep_alive)
        self.finished = cycle.scope
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def on_message_begin(self) -> None:
        """Count it."""
        super().on_message_begin()
        self.begun, self.is_whole = self.begun + 1, False

    def on_message_complete(self) -> None:
        """Know that what comes next begins another one."""
        super().on_message_complete()
        self.is_whole = True

    def _is_between(self) -> bool:
        """Whether all requests that have begun are here and answered, and another one may be answered here."""
        return (
            self.is_whole
            and self._has_request()
            and self.cycle.response_complete
            and self.cycle.keep_alive
            and not (self.pipeline or self.flow.write_paused or self.transport.is_closing())
        )

    def _say_at_once(self, scope: Scope) -> bool:
        """Answer what came as it did before, if there still is something to say at once."""
        finished = self.at_once(scope) if self.at_once else None
        if finished is None:
            return False
        self._write(finished, keep_alive=True)
        # From here on it is the server's timer for idle connections again.
        self.due = None
        self.on_response_complete()
        return True

    def _write(self, finished: tuple[bytes, bytes], *, keep_alive: bool) -> None:
        head, body = finished
        lines = [head, *(b"%b: %b\r\n" % header for header in self.server_state.default_headers)]
        if not keep_alive:
            lines.append(b"connection: close\r\n")
        self.transport.write(b"".join((*lines, b"\r\n", body)))

    def _refuse_head(self) -> None:
        """RFC 6585, section 5. There is no request yet whose client could be told more."""
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
            self.transport.close()

    def _expect(self) -> None:
        """Set the deadline, unless it is set for the same part of the same request: single bytes do not move it.

        A byte that begins nothing, such as a line break between requests, stops the server's timer for idle
        connections: then this deadline is the only one.
        """
        is_body = self._has_request() and self.cycle.more_body
        if self.due is None or self.awaited[0] is not self.scope or self.awaited[1] is not is_body:
            self.awaited = (self.scope, is_body)
            self.due = self.loop.time() + (self.body_seconds if is_body else self.head_seconds)

    def _has_request(self) -> bool:
        """Whether the newest head that has begun is complete; before the first there is no cycle."""
        return self.cycle is not None and self.cycle.scope is self.scope  # type: ignore[redundant-expr]

    def examine(self) -> None:
        """Close the connection if its client has let us wait for too long."""
        now = self.loop.time()
        if self.due is not None and self.flow.read_paused:
            # It is we who do not listen: its time begins anew.
            self.due = None
            self._expect()
        elif self.due is not None and now > self.due:
            self.transport.close()
        # A connection that closes waits until all is taken, too.
        waiting = self.transport.get_write_buffer_size()
        if waiting == 0 or waiting < self.untaken:
            self.untaken_since = now
        elif now > self.untaken_since + self.take_seconds:
            self.transport.abort()
        self.untaken = waiting


def _remember(data: bytes, scope: Any) -> None:
    if len(data) > _LONGEST_REPEATED:
        return
    if len(_REPEATED) >= _MOST_REPEATED:
        _REPEATED.clear()
    _REPEATED[bytes(data)] = {name: scope[name] for name in _DECIDING}


async def keep_deadlines(connections: Collection[Any], *, every: float = 1) -> None:
    """Examine all connections, time and again."""
    while True:
        await asyncio.sleep(every)
        for connection in list(connections):
            connection.examine()
