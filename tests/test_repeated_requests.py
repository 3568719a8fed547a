"""Who sends the same bytes again is answered without their being read anew, and as who sends them first."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from starlette.types import Receive, Scope, Send

from app.core import protocol
from tests.wires import LOOPS, Hurried, Running, answering, everything, in_loop, running

PAGE = b"GET /page?locale=en HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /page?locale=en HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@dataclass
class Remembering:
    """An application that has something to say at once; what it cannot, it answers with xxxxx and the body it got."""

    said: bytes | None = b"first"
    asked: list[Scope] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def at_once(self, scope: Scope) -> tuple[bytes, bytes] | None:
        """What a server can write without calling."""
        if scope["method"] != "GET" or self.said is None:
            return None
        self.asked.append(scope)
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n" % len(self.said), self.said

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the rest."""
        body, has_more = b"", True
        while has_more:
            message = await receive()
            body, has_more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        await answering(5)(scope, receive, send)


@pytest.fixture(autouse=True)
def nothing_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_REPEATED", {})


async def talk(server: Running, *pieces: bytes) -> bytes:
    """Send these, each when what came before was answered, and then the last request; what came back, without heads."""
    loop = asyncio.get_running_loop()
    with server.connect() as client:
        for piece in pieces:
            await loop.sock_sendall(client, piece)
            await asyncio.sleep(0.05)
        await loop.sock_sendall(client, LAST)
        return await everything(client)


def bodies(received: bytes) -> list[bytes]:
    """The bodies of answers that all are five bytes long."""
    return [part[:5] for part in received.split(b"\r\n\r\n")[1:]]


@LOOPS
def test_the_same_bytes_are_read_once_and_answered_anew(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def work() -> None:
        app = Remembering()
        async with running(app) as server:
            loop = asyncio.get_running_loop()
            with server.connect() as client:
                received = []
                for said in (b"first", b"again", b"third", None, b"fifth"):
                    app.said = said
                    await loop.sock_sendall(client, PAGE)
                    await asyncio.sleep(0.05)
                    received.append(bodies(await loop.sock_recv(client, 50_000)))
                (connection,) = server.state.connections
                # The first, and the one that could not be answered at once.
                assert connection.begun == 2  # type: ignore[union-attr]
            assert received == [[b"first"], [b"again"], [b"third"], [b"xxxxx"], [b"fifth"]]
            assert server.state.total_requests == 5
        wanted = [("GET", "/page", b"locale=en", [(b"host", b"a")])] * 4
        assert [(each["method"], each["path"], each["query_string"], each["headers"]) for each in app.asked] == wanted

    in_loop(make_loop, work)


@LOOPS
@pytest.mark.parametrize(
    ("pieces", "answered", "posted"),
    [
        ((b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(PAGE), PAGE), [b"xxxxx"], [PAGE]),
        ((b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (2 * len(PAGE)), PAGE, PAGE), [b"xxxxx"], [2 * PAGE]),
        ((b"GET /page HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(PAGE), PAGE), [b"first"], []),
        ((b"GET /other HTTP/1.1\r\nX: ", PAGE), [b"first"], []),
        ((PAGE[:20], PAGE[20:]), [b"first"], []),
        ((PAGE * 3, PAGE * 3), [b"first"] * 6, []),
        ((b"\r\n" + PAGE, PAGE + b"\r\n", PAGE), [b"first"] * 3, []),
    ],
    ids=[
        "body",
        "part of a body",
        "body of what was answered",
        "rest of a head",
        "two pieces",
        "pipelined",
        "empty lines",
    ],
)
def test_only_a_whole_request_is_one(
    make_loop: Callable[[], asyncio.AbstractEventLoop], pieces: list[bytes], answered: list[bytes], posted: list[bytes]
) -> None:
    async def work() -> None:
        app = Remembering()
        async with running(app) as server:
            assert bodies(await talk(server, PAGE, PAGE)) == [b"first"] * 3
            assert bodies(await talk(server, PAGE, *pieces)) == [b"first", *answered, b"first"]
        assert app.bodies == posted

    in_loop(make_loop, work)


@LOOPS
def test_who_goes_on_asking_is_not_let_go_and_who_stops_is(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def work() -> None:
        async with running(Remembering()) as server:
            assert bodies(await talk(server, *[PAGE] * 20)) == [b"first"] * 21
            with server.connect() as client:
                loop, begun = asyncio.get_running_loop(), asyncio.get_running_loop().time()
                for _ in range(2):
                    await loop.sock_sendall(client, PAGE)
                    await asyncio.sleep(0.05)
                assert len(bodies(await everything(client))) == 2
                assert Hurried.body_seconds < loop.time() - begun < 3 * server.idle_seconds

    in_loop(make_loop, work)


@LOOPS
def test_no_more_is_remembered_than_there_is_room_for(
    make_loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "_MOST_REPEATED", 3)
    long = b"GET /long HTTP/1.1\r\nX: " + b"y" * 3_000 + b"\r\n\r\n"

    async def work() -> None:
        async with running(Remembering()) as server:
            for number in range(10):
                await talk(server, PAGE.replace(b"page", b"%d" % number))
                assert len(protocol._REPEATED) <= 3  # noqa: SLF001 - what this is about
            await talk(server, long)
            assert long not in protocol._REPEATED  # noqa: SLF001 - the same

    in_loop(make_loop, work)
