"""Deadlines for connections: the server itself has none for a client that has begun a request or leaves its answer.

A client may be slow, but must not make us wait for ever: for a request's head, for its body, or until it takes its
answer. How long our own work takes is not looked at here. And what it sends before its head is complete is kept in
memory: so much and no more.
"""

import asyncio
from collections.abc import Collection
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Take what came, and expect what is missing."""
        is_head = not self._has_request() or self.cycle.response_complete
        super().data_received(data)
        has_request = self._has_request()
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
        head, body = finished
        lines = [head, *(b"%b: %b\r\n" % header for header in cycle.default_headers)]
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        self.transport.write(b"".join((*lines, b"\r\n", body)))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

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


async def keep_deadlines(connections: Collection[Any], *, every: float = 1) -> None:
    """Examine all connections, time and again."""
    while True:
        await asyncio.sleep(every)
        for connection in list(connections):
            connection.examine()
