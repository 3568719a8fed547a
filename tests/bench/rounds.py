"""Measures the three servers on one database: one after another, round after round, so that a slow minute hits all."""

import json
import secrets
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import prepare, servers
from tests.bench.load import Load, Sample, run_load
from tests.bench.servers import Contender

CONSTANT, TUTORIAL, CAREPATH = "constant bytes", "tutorial", "Carepath"
CONTENDERS = (CONSTANT, TUTORIAL, CAREPATH)
PAGE, SLOT_LIST, BOOKING = "page", "slot list", "booking"
THINGS = (PAGE, SLOT_LIST, BOOKING)

CHECKOUT = Path(__file__).parents[2]
UVICORN = (sys.executable, "-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log")


@dataclass(frozen=True)
class Options:
    """How long and how hard to measure."""

    seconds: float
    rounds: int
    clients: int


@dataclass(frozen=True)
class Database:
    """Where each application keeps its rows, and what to do before a round so that both are in good order."""

    title: str
    carepath_url: str
    tutorial_url: str
    tidy: Callable[[], None]


@dataclass(frozen=True)
class Figures:
    """What was measured on one database: a sample for each round of (contender, thing), and what each server costs."""

    samples: dict[tuple[str, str], list[Sample]]
    start_seconds: dict[str, list[float]]
    first_start_seconds: float
    resident_megabytes: dict[str, float]


def measure(database: Database, folder: Path, options: Options, generator: Executor) -> Figures:
    """Prepare both applications, time their starts, then load all three in turn."""
    contenders = make_contenders(database, folder)
    with servers.running(contenders[CAREPATH]) as first:
        slots = prepare.wanted_slots()
        carepath_slots = prepare.post_slots(contenders[CAREPATH], slots)
        page = prepare.save_answers(contenders[CAREPATH], carepath_slots[0], folder)
    tutorial_slots = prepare.fill_tutorial(database.tutorial_url, page, slots)
    slot_ids: dict[str, list[Any]] = {CONSTANT: carepath_slots, TUTORIAL: tutorial_slots, CAREPATH: carepath_slots}
    start_seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    samples: dict[tuple[str, str], list[Sample]] = {(name, thing): [] for name in CONTENDERS for thing in THINGS}
    for _ in range(options.rounds):
        for name in CONTENDERS:
            with servers.running(contenders[name]) as server:
                start_seconds[name].append(server.start_seconds)
    with ExitStack() as stack:
        started = {name: stack.enter_context(servers.running(contenders[name])) for name in CONTENDERS}
        for _ in range(options.rounds):
            database.tidy()
            for thing in THINGS:
                for name in CONTENDERS:
                    load = make_load(thing, contenders[name].port, slot_ids[name], options)
                    samples[name, thing].append(generator.submit(run_load, load).result())
        resident = {name: servers.resident_megabytes(server) for name, server in started.items()}
    return Figures(samples, start_seconds, first.start_seconds, resident)


def make_contenders(database: Database, folder: Path) -> dict[str, Contender]:
    """Say how each server is started; the two yardsticks get the uvicorn settings that Carepath runs under."""
    ports = {name: servers.free_port() for name in CONTENDERS}

    def contender(name: str, command: tuple[str, ...], settings: dict[str, str]) -> Contender:
        environment = servers.clean_environment(settings)
        return Contender(name, command, environment, folder, ports[name], prepare.PAGE_PATH)

    def uvicorn(name: str, *arguments: str) -> tuple[str, ...]:
        return (*UVICORN, "--app-dir", str(CHECKOUT), "--port", str(ports[name]), *arguments)

    carepath_settings = {
        "CAREPATH_DATABASE_URL": database.carepath_url,
        "CAREPATH_HOST": "127.0.0.1",
        "CAREPATH_PORT": str(ports[CAREPATH]),
        "CAREPATH_RATE_LIMITS": "off",
    }
    constant = uvicorn(CONSTANT, "--lifespan", "off", "--factory", "tests.bench.constant:create_app")
    tutorial = uvicorn(TUTORIAL, "tests.bench.tutorial:app")
    return {
        CONSTANT: contender(CONSTANT, constant, {"BENCH_ANSWERS": str(folder)}),
        TUTORIAL: contender(TUTORIAL, tutorial, {"BENCH_DATABASE_URL": database.tutorial_url}),
        CAREPATH: contender(CAREPATH, (prepare.carepath_command(), "serve"), carepath_settings),
    }


def make_load(thing: str, port: int, slot_ids: list[Any], options: Options) -> Load:
    """Build the bytes of the requests for one thing."""
    if thing == BOOKING:
        # Two samples must not share a key: the second would be answered from the first's bookings.
        sample = secrets.token_hex(8)
        requests = tuple(booking_request(slot_id, sample) for slot_id in slot_ids)
    else:
        path = prepare.PAGE_PATH if thing == PAGE else prepare.SLOTS_PATH
        requests = (f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n".encode(),)
    return Load(
        port=port,
        requests=requests,
        is_keyed=thing == BOOKING,
        expected_status=201 if thing == BOOKING else 200,
        clients=options.clients,
        seconds=options.seconds,
    )


def booking_request(slot_id: str | int, sample: str) -> bytes:
    """Write the template of a booking of one slot; see `Load` for what goes into its gaps."""
    wish = prepare.booking_wish(slot_id, f"patient-{sample}-%(number)012d@example.org")
    body = json.dumps(wish).encode()
    head = (
        f"POST {prepare.BOOKINGS_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body % {b'number': 0})}\r\n"
        f"Idempotency-Key: {sample}-%(number)012d\r\n\r\n"
    )
    return head.encode() + body
