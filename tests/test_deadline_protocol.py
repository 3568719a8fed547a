"""Deadlines leave our own work alone, and end with clients that do not take their answers."""

import asyncio
from collections.abc import Callable

import pytest
from starlette.types import Receive, Scope, Send

from tests.wires import LOOPS, Hurried, answering, everything, in_loop, running


@LOOPS
def test_long_work_is_nobodys_delay(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.8)
        await answering(5)(scope, receive, send)

    async def work() -> None:
        loop = asyncio.get_running_loop()
        async with running(app) as server:
            for request in (
                b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
                b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
                # The second waits for the first, and we do not listen meanwhile.
                b"GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
            ):
                with server.connect() as client:
                    await loop.sock_sendall(client, request)
                    received = await everything(client)
                assert received.count(b"200 OK") == received.count(b"xxxxx") == request.count(b"HTTP/1.1")

    in_loop(make_loop, work)


@LOOPS
def test_a_body_that_we_are_slow_to_read_is_nobodys_delay(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    size = 1_000_000

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0
        while taken < size:
            await asyncio.sleep(0.1)
            taken += len((await receive())["body"])
        await answering(5)(scope, receive, send)

    async def work() -> None:
        async with running(app) as server:
            with server.connect() as client:
                head = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
                await asyncio.get_running_loop().sock_sendall(client, head + b"x" * size)
                assert (await everything(client)).endswith(b"xxxxx")

    in_loop(make_loop, work)


@LOOPS
def test_a_slow_reader_gets_its_answer(make_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def work() -> None:
        async with running(answering(400_000)) as server:
            with server.connect() as client:
                await asyncio.get_running_loop().sock_sendall(client, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
                begun = asyncio.get_running_loop().time()
                assert (await everything(client, pause=0.01)).endswith(b"x" * 400_000)
                # It took longer than a client may rest.
                assert asyncio.get_running_loop().time() - begun > Hurried.take_seconds

    in_loop(make_loop, work)


@LOOPS
@pytest.mark.parametrize("size", [50_000, 3_000_000])
@pytest.mark.parametrize("wish", [b"", b"Connection: close\r\n"], ids=["keep", "close"])
def test_who_does_not_take_its_answer_is_let_go(
    make_loop: Callable[[], asyncio.AbstractEventLoop], size: int, wish: bytes
) -> None:
    async def work() -> None:
        async with running(answering(size)) as server:
            with server.connect() as client:
                await asyncio.get_running_loop().sock_sendall(client, b"GET / HTTP/1.1\r\n" + wish + b"\r\n")
                await asyncio.sleep(0.4)
                assert len(server.state.connections) == 1
                for _ in range(100):
                    if not server.state.connections:
                        break
                    await asyncio.sleep(0.05)
                assert not server.state.connections
                assert not server.state.tasks

    in_loop(make_loop, work)


@LOOPS
def test_a_head_without_an_end_is_refused_and_a_large_body_is_not(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def answer(_scope: Scope, receive: Receive, send: Send) -> None:
        length, has_more = 0, True
        while has_more:
            message = await receive()
            length, has_more = length + len(message.get("body", b"")), message.get("more_body", False)
        body = str(length).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async def work() -> None:
        loop = asyncio.get_running_loop()
        async with running(answer) as here:
            large = b"x" * 500_000
            with here.connect() as client:
                # In two pieces, so that the body comes alone; with its end comes the next request's begin.
                await loop.sock_sendall(client, b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 500000\r\n\r\n")
                await loop.sock_sendall(client, large + b"GET / HTTP/1.1\r\nhost: a\r\n")
                answered = b""
                while not answered.endswith(b"\r\n\r\n500000"):
                    answered += await loop.sock_recv(client, 50_000)
                await loop.sock_sendall(client, b"x: " + b"y" * 100_000)
                refused = await everything(client)
        assert refused.startswith(b"HTTP/1.1 431 ")
        assert b"connection: close" in refused

    in_loop(make_loop, work)
