"""The ceiling: an ASGI application that answers finished bytes and does nothing else.

The folder it reads holds Carepath's own answers, so that both servers push the same bodies through the same sockets;
it sends fewer headers, which only makes the ceiling higher. uvicorn runs it by `--factory`; `python -m
tests.bench.constant PORT` runs it with the very settings that `carepath serve` gives uvicorn.
"""

import asyncio
import gc
import os
import sys
from pathlib import Path
from typing import TypedDict

import uvicorn
import uvloop
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.protocol import DeadlineProtocol, keep_deadlines

ANSWERS_SETTING = "BENCH_ANSWERS"
PAGE, BOOKING = "page", "booking"
# The file that answers a path, if it is there; every other path is answered by the page.
FILES = {
    "/consultation-slots": "slots",
    "/consultation-bookings": BOOKING,
    "/packed": "packed",
    "/conditions": "list",
    "/packed-list": "packed-list",
}


class Answer(TypedDict):
    """One finished answer, as it goes to the server."""

    start: Message
    body: Message


def create_app() -> ASGIApp:
    """Read the answers once and make the application that sends them."""
    folder = Path(os.environ[ANSWERS_SETTING])
    page = read_answer(folder / PAGE, 200)
    answers = {
        path: read_answer(folder / name, 201 if name == BOOKING else 200)
        for path, name in FILES.items()
        if (folder / name).exists()
    }

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/consultation-bookings":
            await receive()
        found = answers.get(path, page)
        await send(found["start"])
        await send(found["body"])

    return answer


def read_answer(file: Path, status: int) -> Answer:
    """Make the two messages of an answer from the bytes of its body."""
    body = file.read_bytes()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return {
        "start": {"type": "http.response.start", "status": status, "headers": headers},
        "body": {"type": "http.response.body", "body": body},
    }


async def serve(port: int) -> None:
    """Serve as `carepath serve` does: see app/server.py."""
    config = uvicorn.Config(
        create_app(),
        port=port,
        http=DeadlineProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
    )
    server = uvicorn.Server(config)
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    deadlines = asyncio.create_task(keep_deadlines(server.server_state.connections))
    await server.serve()
    deadlines.cancel()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
