"""The ceiling: an ASGI application that answers finished bytes and does nothing else.

uvicorn runs it by `--factory`. The folder it reads holds Carepath's own three answers, so that both servers push the
same bodies through the same sockets; it sends fewer headers, which only makes the ceiling higher.
"""

import os
from pathlib import Path
from typing import TypedDict

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ANSWERS_SETTING = "BENCH_ANSWERS"


class Answer(TypedDict):
    """One finished answer, as it goes to the server."""

    start: Message
    body: Message


def create_app() -> ASGIApp:
    """Read the answers once and make the application that sends them."""
    folder = Path(os.environ[ANSWERS_SETTING])
    page, slots, booking = (
        read_answer(folder / name, status) for name, status in (("page", 200), ("slots", 200), ("booking", 201))
    )

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/consultation-slots":
            found = slots
        elif path == "/consultation-bookings":
            await receive()
            found = booking
        else:
            found = page
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
