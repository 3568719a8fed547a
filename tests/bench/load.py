"""A closed-loop HTTP/1.1 load generator: as many requests under way as there are clients, never more.

It does as little as a client can: prepared bytes out, status line and Content-Length in. It runs in a process of its
own and tells how busy that process was, because a generator that is itself the bottleneck flatters the slower server.
"""

import asyncio
import gc
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import uvloop

WARM_UP_SECONDS = 0.5
# A server that stops answering must end the run, not hang it.
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Load:
    """What to send where, for how long, and which status means success.

    A keyed load's requests are templates: `%(number)012d` in them becomes a number that no other request of the load
    carries. Its width is fixed so that Content-Length stays true.
    """

    port: int
    requests: tuple[bytes, ...]
    is_keyed: bool
    expected_status: int
    clients: int
    seconds: float


@dataclass(frozen=True)
class Sample:
    """What one load measured; `busy` is the share of one core that the generator itself used."""

    requests_per_second: float
    p99_ms: float
    unexpected: dict[str, int]
    busy: float


@dataclass
class Run:
    """The state that the connections of one load share."""

    requests: Iterator[bytes]
    expected: bytes
    measure_from: float
    stop_at: float
    open_connections: int
    finished: asyncio.Future[None]
    latencies: list[float] = field(default_factory=list)
    unexpected: Counter[str] = field(default_factory=Counter)


class Client(asyncio.Protocol):
    """One keep-alive connection that sends the next request as soon as it has the answer to the last."""

    def __init__(self, run: Run) -> None:
        """Belong to a run; the connection is made by the loop."""
        self.run = run
        self.received = b""
        self.sent_at = 0.0
        self.is_done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self.transport = cast("asyncio.Transport", transport)
        self.send()

    def send(self) -> None:
        """Send one request and start its clock."""
        self.sent_at = time.perf_counter()
        self.transport.write(next(self.run.requests))

    def data_received(self, data: bytes) -> None:
        """Wait for the whole answer, count it, and go on until the time is up."""
        self.received = self.received + data if self.received else data
        size = answer_size(self.received)
        if size is None or len(self.received) < size:
            return
        now = time.perf_counter()
        run = self.run
        if not self.received.startswith(run.expected):
            run.unexpected[self.received[9:12].decode("latin-1")] += 1
        elif run.measure_from <= self.sent_at and now <= run.stop_at:
            run.latencies.append(now - self.sent_at)
        self.received = b""
        if now < run.stop_at:
            self.send()
        else:
            self.is_done = True
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a connection that the server closed on us: it hides a request that never was answered."""
        if not self.is_done:
            self.run.unexpected[f"connection lost ({type(exc).__name__})" if exc else "connection closed"] += 1
        self.run.open_connections -= 1
        if not self.run.open_connections and not self.run.finished.done():
            self.run.finished.set_result(None)


def answer_size(received: bytes) -> int | None:
    """Tell how many bytes the answer at the start of `received` has, or nothing while its head is incomplete.

    An answer without Content-Length raises: none of the three servers has a reason to send one.
    """
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    head = received[:head_end].lower()
    length_at = head.index(b"\r\ncontent-length:") + len(b"\r\ncontent-length:")
    length_end = head.find(b"\r\n", length_at)
    return head_end + 4 + int(head[length_at:] if length_end < 0 else head[length_at:length_end])


def numbered(templates: tuple[bytes, ...]) -> Iterator[bytes]:
    """Fill the templates in turn, each with a number of its own."""
    for number, template in enumerate(itertools.cycle(templates)):
        yield template % {b"number": number}


def run_load(load: Load) -> Sample:
    """Load one server and measure; made to be called in a process that does nothing else."""
    # A collection in the middle of a sample would be counted as the server's latency.
    gc.disable()
    try:
        return uvloop.run(drive(load))
    finally:
        gc.enable()
        gc.collect()


async def drive(load: Load) -> Sample:
    """Open the connections, let them run to the end and sum up."""
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    run = Run(
        requests=numbered(load.requests) if load.is_keyed else itertools.cycle(load.requests),
        expected=b"HTTP/1.1 %d " % load.expected_status,
        measure_from=start + WARM_UP_SECONDS,
        stop_at=start + WARM_UP_SECONDS + load.seconds,
        open_connections=load.clients,
        finished=loop.create_future(),
    )
    cpu_at_start = time.process_time()
    for _ in range(load.clients):
        await loop.create_connection(lambda: Client(run), "127.0.0.1", load.port)
    try:
        await asyncio.wait_for(run.finished, WARM_UP_SECONDS + load.seconds + PATIENCE_SECONDS)
    except TimeoutError:
        run.unexpected["no answer"] += run.open_connections
    busy = (time.process_time() - cpu_at_start) / (time.perf_counter() - start)
    latencies = sorted(run.latencies)
    return Sample(
        requests_per_second=len(latencies) / load.seconds,
        p99_ms=1000 * latencies[len(latencies) * 99 // 100] if latencies else float("nan"),
        unexpected=dict(run.unexpected),
        busy=busy,
    )
