"""Clients that let a server wait: it closes their connections, and nobody else's."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from time import monotonic, sleep
from typing import TypeVar
from urllib.parse import urlsplit

from app.core.settings import Settings
from tests.processes import serving

T = TypeVar("T")
PAGE = b"GET /conditions/acute-lymphoblastic-leukemia HTTP/1.1\r\nHost: carepath.test\r\n\r\n"
BODY = b'{"name": "nobody"}'
POST = (
    b"POST /consultation-bookings HTTP/1.1\r\nHost: carepath.test\r\nContent-Type: application/json\r\n"
    b"Idempotency-Key: 0123456789abcdef\r\n"
)
BOOKING = POST + b"Content-Length: %d\r\n\r\n" % len(BODY)
TOO_LARGE = POST + b"Content-Length: 70000\r\n\r\n"
# A deadline is looked at once a second; the machine has other work.
LATE = 4.0


def connected(address: str) -> socket.socket:
    """A connection that waits for no more than half a minute."""
    url = urlsplit(address)
    return socket.create_connection((url.hostname or "", url.port or 0), timeout=30)


def answer(connection: socket.socket) -> bytes:
    """The head of one answer, its body read."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:]).get(b"content-length", b"0"))
    while len(body) < length:
        body += connection.recv(length - len(body))
    assert len(body) == length
    return head


def seconds_open(connection: socket.socket, drops: Iterator[bytes]) -> float:
    """How long the server keeps this connection while something drips into it three times a second."""
    begun = monotonic()
    connection.settimeout(0.3)
    while monotonic() < begun + 30:
        # A closed connection may say so at the next drop only.
        with suppress(TimeoutError):
            try:
                connection.sendall(next(drops, b""))
                if connection.recv(65536) == b"":
                    break
            except ConnectionError:
                break
    return monotonic() - begun


def letters(text: bytes) -> Iterator[bytes]:
    """One byte after the other."""
    return iter([text[n : n + 1] for n in range(len(text))])


def idle(connection: socket.socket) -> float:
    return seconds_open(connection, iter([]))


def drips_its_head(connection: socket.socket) -> float:
    return seconds_open(connection, letters(PAGE))


def drips_line_breaks(connection: socket.socket) -> float:
    return seconds_open(connection, repeat(b"\r\n"))


def drips_its_second_head(connection: socket.socket) -> float:
    connection.sendall(PAGE)
    assert b" 200 OK" in answer(connection)
    return seconds_open(connection, letters(PAGE))


def drips_line_breaks_later(connection: socket.socket) -> float:
    connection.sendall(PAGE)
    assert b" 200 OK" in answer(connection)
    return seconds_open(connection, repeat(b"\r\n"))


def drips_its_body(connection: socket.socket) -> float:
    connection.sendall(POST + b"Content-Length: 1000\r\n\r\n")
    return seconds_open(connection, repeat(b" "))


def drips_its_chunks(connection: socket.socket) -> float:
    connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    return seconds_open(connection, repeat(b"1\r\n \r\n"))


def drips_what_was_refused(connection: socket.socket) -> float:
    connection.sendall(TOO_LARGE)
    assert b" 413 " in answer(connection)
    return seconds_open(connection, repeat(b" "))


def comes_back_every_few_seconds(connection: socket.socket) -> None:
    for _ in range(4):
        connection.sendall(PAGE)
        assert b" 200 OK" in answer(connection)
        sleep(3.5)


def sends_two_at_once(connection: socket.socket) -> None:
    connection.sendall(BOOKING + BODY + BOOKING[:20])
    assert b" 422 " in answer(connection)
    sleep(3)
    connection.sendall(BOOKING[20:] + BODY)
    assert b" 422 " in answer(connection)


def is_slow_but_honest(connection: socket.socket) -> None:
    for part in (BOOKING[:10], BOOKING[10:30], BOOKING[30:]):
        sleep(1.3)
        connection.sendall(part)
    for n in range(0, len(BODY), 5):
        sleep(2)
        connection.sendall(BODY[n : n + 5])
    assert b" 422 " in answer(connection)


def sends_what_is_refused_and_goes_on(connection: socket.socket) -> None:
    connection.sendall(TOO_LARGE)
    assert b" 413 " in answer(connection)
    connection.sendall(b" " * 70000 + PAGE)
    assert b" 200 OK" in answer(connection)


DRIPPING: dict[Callable[[socket.socket], float], float] = {
    idle: 5,
    drips_its_head: 5,
    drips_line_breaks: 5,
    drips_its_second_head: 5,
    drips_line_breaks_later: 5,
    drips_its_body: 10,
    drips_its_chunks: 10,
    drips_what_was_refused: 10,
}
HONEST = (comes_back_every_few_seconds, sends_two_at_once, is_slow_but_honest, sends_what_is_refused_and_goes_on)


def test_who_drips_is_closed_and_who_is_slow_is_answered(tmp_path: Path) -> None:
    with serving(Settings.model_construct(set()), tmp_path) as served:

        def run(client: Callable[[socket.socket], T]) -> T:
            with connected(served.address) as connection:
                return client(connection)

        with ThreadPoolExecutor(20) as clients:
            dripping = {client: clients.submit(run, client) for client in DRIPPING}
            honest = [clients.submit(run, client) for client in HONEST]
            for running in honest:
                running.result()
            late = {client.__name__: dripping[client].result() - DRIPPING[client] for client in DRIPPING}
        assert {name: seconds for name, seconds in late.items() if not -0.5 < seconds < LATE} == {}
        assert not any(event["level"] == "error" for event in served.events())
