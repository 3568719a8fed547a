"""What an application can say at once is written without a task, in the order in which it was asked for."""

import asyncio
import socket
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from app.core.protocol import DeadlineProtocol

SECONDS = 0.3


class Application:
    """Knows some answers, and takes its time for others."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def at_once(self, scope: Scope) -> tuple[bytes, bytes] | None:
        """Every address but those that begin with /slow; the body is the address."""
        if scope["path"].startswith("/slow"):
            return None
        body = scope["path"].encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n" % len(body)
        return head, body if scope["method"] == "GET" else b""

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """The slow ones, and those that wait behind them."""
        self.called.append(scope["path"])
        if scope["path"].startswith("/slow"):
            await asyncio.sleep(SECONDS)
        body = scope["path"].encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": HTTPStatus.OK.value, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def application() -> Application:
    """The application that is served."""
    return Application()


@pytest.fixture
async def port(application: Application) -> AsyncIterator[int]:
    """Where it is served. An idle connection is closed long before a slow answer is ready."""
    config = Config(application, interface="asgi3", log_config=None, access_log=False, timeout_keep_alive=0)
    config.load()
    config.timeout_keep_alive = SECONDS / 3  # type: ignore[assignment]
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = await asyncio.get_running_loop().create_server(
            lambda: DeadlineProtocol(config=config, server_state=state, app_state={}), sock=listener
        )
        yield int(listener.getsockname()[1])
        server.close()


async def answers(port: int, sent: bytes, count: int) -> list[str]:
    """The bodies of so many answers to what is sent in one piece."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    bodies = []
    for _ in range(count):
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert head.count(b"\r\ndate: today\r\n") == 1
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        bodies.append((await reader.readexactly(length)).decode())
    writer.close()
    return bodies


def get(path: str, *headers: str) -> bytes:
    """A request."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: here", *headers, "", ""]).encode()


async def test_pipelined_requests_are_answered_in_their_order(port: int, application: Application) -> None:
    paths = ["/a", "/slow/1", "/b", "/c", "/slow/2", "/d"]
    assert await answers(port, b"".join(get(path) for path in paths), len(paths)) == paths
    assert application.called[0] == "/slow/1"


async def test_a_slow_answer_behind_a_quick_one_is_waited_for(port: int) -> None:
    # The quick one has set the timer for idle connections, which must not end the slow one's.
    assert await answers(port, get("/quick") + get("/slow"), 2) == ["/quick", "/slow"]


async def test_thousands_in_one_piece_are_answered(port: int, application: Application) -> None:
    paths = [f"/{number}" for number in range(3_000)]
    assert await answers(port, b"".join(get(path) for path in paths), len(paths)) == paths
    slow_first = ["/slow", *paths]
    assert await answers(port, b"".join(get(path) for path in slow_first), len(slow_first)) == slow_first
    # One after the other: who waits behind a slow one is not answered from within the answer before it.
    assert application.called[0] == "/slow"


@pytest.mark.parametrize("sent", [get("/a", "Connection: close"), b"GET /a HTTP/1.0\r\n\r\n"])
async def test_the_connection_ends_where_the_client_wants_it(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    told = await asyncio.wait_for(reader.read(), 5)
    assert told.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in told
    assert told.endswith(b"\r\n\r\n/a")
    writer.close()


async def test_head_has_no_body_and_a_body_that_comes_with_a_request_is_skipped(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(get("/a").replace(b"GET", b"HEAD") + get("/b", "Content-Length: 5") + b"12345" + get("/c"))
    for path, has_body in (("/a", False), ("/b", True), ("/c", True)):
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        if has_body:
            assert (await reader.readexactly(2)).decode() == path
    writer.close()
