"""Everybody at once: thousands of requests for a hundred seats, over hundreds of connections and two serving processes.

`uv run --group test python -m tests.bench.rush` counts the answers and tells how long they took. It fails unless every
seat was given once and nobody was answered with an error of ours.
"""

import asyncio
import json
import secrets
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx
import uvloop

from app.core.settings import Settings
from tests.bench.prepare import booking_wish
from tests.postgres import running_postgres
from tests.processes import environment_of, run, serving
from tests.wishes import slot_wish

SEATS_EACH = 50
AIM_SECONDS = 6.0


@dataclass
class Rush:
    """What is asked for, and what came of it."""

    addresses: list[str]
    slots: list[str]
    left: int
    answers: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql", "both"]), default="both", show_default=True)
@click.option("--requests", type=click.IntRange(min=100), default=5_000, show_default=True)
@click.option("--connections", type=click.IntRange(min=1), default=500, show_default=True)
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True)
def main(*, database: str, requests: int, connections: int, processes: int) -> None:
    """Let everybody ask for one of a hundred seats."""
    is_sound = True
    for kind in ["sqlite", "postgresql"] if database == "both" else [database]:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carepath-rush-")))
            url = f"sqlite:///{folder}/rush.db"
            if kind == "postgresql":
                server = stack.enter_context(running_postgres())
                server.create_database("rush")
                url = server.url("rush")
            settings = Settings(database_url=url, keyring_file=folder / "keyring", rate_limits=False)
            served = [stack.enter_context(serving(settings, folder)) for _ in range(processes)]
            rush = Rush([one.address for one in served], post_slots(settings, folder, served[0].address), requests)
            begun = time.perf_counter()
            uvloop.run(drive(rush, connections))
            is_sound = report(kind, rush, time.perf_counter() - begun) and is_sound
    if not is_sound:
        sys.exit(1)


def post_slots(settings: Settings, folder: Path, address: str) -> list[str]:
    """A hundred seats."""
    made = run(
        "keys",
        "create",
        "--name",
        "rush",
        "--scope",
        "slots:write",
        folder=folder,
        environment=environment_of(settings),
    )
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    wishes = [slot_wish(days=days, capacity=SEATS_EACH) for days in (1, 2)]
    with httpx.Client(base_url=address, trust_env=False, headers=headers) as client:
        return [client.post("/consultation-slots", json=wish).raise_for_status().json()["id"] for wish in wishes]


async def drive(rush: Rush, connections: int) -> None:
    """Open the connections and keep each of them asking until nothing is left to ask."""
    await asyncio.gather(*(connection(rush, number) for number in range(connections)))


async def connection(rush: Rush, number: int) -> None:
    """One client that asks again and again, each time in the name of another patient."""
    host, port = rush.addresses[number % len(rush.addresses)].removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    while rush.left > 0:
        rush.left -= 1
        wish: dict[str, Any] = booking_wish(rush.slots[rush.left % len(rush.slots)], f"p{rush.left}@example.org")
        body = json.dumps(wish).encode()
        head = (
            f"POST /consultation-bookings HTTP/1.1\r\nHost: carepath\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nIdempotency-Key: {secrets.token_hex(16)}\r\n\r\n"
        )
        begun = time.perf_counter()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        rush.seconds.append(time.perf_counter() - begun)
        rush.answers[int(answer[9:12])] += 1
    writer.close()


def report(kind: str, rush: Rush, seconds: float) -> bool:
    """Print what came of it; says whether it is sound."""
    times = sorted(rush.seconds)
    seats = SEATS_EACH * len(rush.slots)
    is_sound = rush.answers == {201: seats, 409: len(times) - seats}
    p50, p99 = (times[len(times) * share // 100] for share in (50, 99))
    click.echo(
        f"- {kind}: {len(times)} requests in {seconds:.1f} s (aim {AIM_SECONDS:g} s), "
        f"{', '.join(f'{count} x {status}' for status, count in sorted(rush.answers.items()))}; "
        f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms: {'sound' if is_sound else 'BROKEN'}"
    )
    return is_sound


if __name__ == "__main__":
    main()
