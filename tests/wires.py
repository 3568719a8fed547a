"""The server's own protocol on real sockets, with hardly any time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from app.core.protocol import DeadlineProtocol, keep_deadlines

LOOPS = pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


class Hurried(DeadlineProtocol):
    """With so little time that a test can wait for it."""

    head_seconds = 0.3
    body_seconds = 0.3
    take_seconds = 0.6


@dataclass
class Running:
    """A server in this loop, with small buffers so that what a client does not take is seen early."""

    port: int = 0
    # How long a connection may rest between two requests.
    idle_seconds: int = 1
    state: ServerState = field(default_factory=ServerState)

    def connect(self) -> socket.socket:
        """A connection that takes little without being asked."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", self.port))
        connection.settimeout(0)
        return connection


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[Running]:
    """Serve this application."""
    here = Running()
    config = Config(app, log_config=None, access_log=False, timeout_keep_alive=here.idle_seconds)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        here.port = listener.getsockname()[1]
        server = await asyncio.get_running_loop().create_server(
            lambda: Hurried(config=config, server_state=here.state, app_state={}), sock=listener
        )
        patrol = asyncio.create_task(keep_deadlines(here.state.connections, every=0.05))
        try:
            yield here
        finally:
            patrol.cancel()
            server.close()
            for connection in list(here.state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)


def in_loop(make_loop: Callable[[], asyncio.AbstractEventLoop], work: Callable[[], Awaitable[None]]) -> None:
    """Run this in a loop of this kind."""

    async def whole() -> None:
        await asyncio.wait_for(work(), 20)

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(whole())


async def everything(connection: socket.socket, *, pause: float = 0) -> bytes:
    """What comes until the server closes, 50 kB at a time."""
    received = b""
    while part := await asyncio.get_running_loop().sock_recv(connection, 50_000):
        received += part
        await asyncio.sleep(pause)
    return received


def answering(size: int) -> ASGIApp:
    """An application whose answers are so many bytes."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
        await send({"type": "http.response.body", "body": b"x" * size})

    return app
