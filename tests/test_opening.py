"""A server that answers before its application is loaded."""

import asyncio
import gc
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from app import doors, main, opening, server, worker
from app.content.seed_files import SeedInvalid
from app.core.db import Database
from app.core.logs import JsonLines
from app.core.settings import Settings
from app.front import Front
from app.main import create_app
from app.opening import Opening
from tests.doors import client_of
from tests.pages import publish
from tests.processes import environment_of

SECRET = "hunter2"
PAGE = "/conditions/acute-lymphoblastic-leukemia"
FRONTEND = "https://frontend.example"
CATEGORY = {"slug": "hematologic-malignancies", "name": "Hematologic Malignancies"}
# As `Opening` answers them itself, and as the application must.
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"Accept-Encoding": "gzip"},
    {"Accept-Language": "es, en;q=0.5"},
    {"Accept-Language": "???"},
    {"Accept": "application/ld+json"},
    {"If-None-Match": "*"},
    {"If-None-Match": '"1-none"'},
    {"Origin": FRONTEND},
    {"Origin": "https://elsewhere.example"},
    {"Content-Length": "0"},
    {"Authorization": "Bearer nobody"},
)
# Of pages and of others, taken and refused.
ASKED = (
    ("GET", PAGE),
    ("GET", f"{PAGE}?locale=es"),
    ("GET", f"{PAGE}?nothing=1"),
    ("GET", f"{PAGE}?locale=???"),
    ("GET", "/conditions/nowhere"),
    ("GET", "/conditions/Nowhere"),
    ("GET", "/health/ready"),
    ("GET", "/consultation-slots"),
    ("GET", f"{PAGE}/next-available"),
    ("GET", f"{PAGE}.jsonld"),
    ("GET", f"{PAGE}/"),
    ("PUT", PAGE),
    ("POST", "/conditions"),
    ("DELETE", "/consultation-slots/stats"),
    ("PATCH", "/categories"),
    ("GET", "/openapi.json"),
    ("GET", "/nothing"),
)


class Started:
    """What serves, as `server.py` puts it together."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings)
        self.front = Front(settings)
        self.opening = Opening(settings, self.front, self.database)
        self.failures: list[BaseException] = []

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of it, while it goes on."""
        transport, load = httpx.ASGITransport(self.front), partial(server.load, self.settings, self.front)
        async with (
            self.opening.going_on(load, self.failures.append),
            httpx.AsyncClient(transport=transport, base_url="http://testserver") as client,
        ):
            yield client


@pytest.fixture
async def started(settings: Settings, database: Database) -> AsyncIterator[Started]:
    """A server that has begun, with a page in two languages."""
    await publish(database, "acute-lymphoblastic-leukemia", locale="es", name="Leucemia", category=CATEGORY)
    started = Started(settings.model_copy(update={"cors_origins": (FRONTEND,)}))
    yield started
    await started.database.close()


def held_back(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """An event that says that the application is about to be made, and one that lets it be made."""
    begun, may_go_on = threading.Event(), threading.Event()

    def wait(settings: Settings, front: Front) -> FastAPI:
        begun.set()
        assert may_go_on.wait(20)
        return create_app(settings, front)

    monkeypatch.setattr(main, "create_app", wait)
    return begun, may_go_on


async def told(
    client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str]
) -> tuple[int, list[tuple[str, str]], bytes]:
    """What is answered, but for the request's own id."""
    async with client.stream(method, path, headers={"Accept-Encoding": "identity"} | headers) as answer:
        body = b"".join([piece async for piece in answer.aiter_raw()])
    given = answer.headers.pop("x-request-id")
    return answer.status_code, sorted(answer.headers.multi_items()), body.replace(given.encode(), b"")


async def test_an_early_page_is_the_late_one_to_the_byte(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "HEAD_START", 3_600)
    late = create_app(started.settings)
    questions = [(method, headers) for method in ("GET", "HEAD") for headers in HEADERS]
    async with late.router.lifespan_context(late), client_of(late) as client:
        expected = [await told(client, method, PAGE, headers) for method, headers in questions]
        assert {status for status, _, _ in expected} == {200, 304}
    for question, answer in zip(questions, expected, strict=True):
        method, headers = question
        early = Started(started.settings)
        async with early.client() as client:
            assert (question, await told(client, method, PAGE, headers)) == (question, answer)
            # What has a credential is for the application.
            assert early.opening.settled.is_set() == ("Authorization" in headers)
        await early.database.close()


async def test_who_asks_early_is_answered_as_who_asks_late(started: Started) -> None:
    late = create_app(started.settings)
    async with late.router.lifespan_context(late), client_of(late) as client:
        expected = [await told(client, method, path, {}) for method, path in ASKED]
    async with started.client() as client:
        for _ in range(2):
            assert await asyncio.gather(*(told(client, method, path, {}) for method, path in ASKED)) == expected


async def test_a_body_is_for_the_application(started: Started) -> None:
    async with started.client() as client:
        answer = await client.request("GET", PAGE, content=b"x" * 70_000)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_the_application_is_loaded_when_nobody_asks(started: Started) -> None:
    async with started.client() as client, asyncio.timeout(20):
        await started.opening.settled.wait()
        assert (await client.get("/health/ready")).json() == {"status": "ok"}


async def test_a_page_is_answered_while_the_application_is_loaded(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_go_on = held_back(monkeypatch)
    async with started.client() as client:
        ready = asyncio.create_task(client.get("/health/ready"))
        assert await asyncio.to_thread(begun.wait, 20)
        for _ in range(2):
            assert (await client.get(PAGE)).status_code == 200
        # The second time it came from memory, where it stays for whoever comes later.
        assert started.front.lane.published.answered == 1
        assert not ready.done()
        may_go_on.set()
        assert (await ready).status_code == 200
        assert (await client.get(PAGE)).status_code == 200
        assert started.front.lane.published.answered == 2


async def test_an_early_page_in_memory_is_not_kept_longer_than_a_late_one(
    started: Started, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "HEAD_START", 3_600)
    async with started.client() as client:
        assert "Synthetic words" not in (await client.get(PAGE)).text
        await publish(database, "acute-lymphoblastic-leukemia", category=CATEGORY, overview="Synthetic words.")
        async with asyncio.timeout(10):
            while True:
                answer = await client.get(PAGE)
                if "Synthetic words" in answer.text:
                    break
                await asyncio.sleep(0.02)
    assert started.front.lane.published.answered > 0


async def test_how_long_somebody_waited_for_the_application_is_logged(
    started: Started, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wait(settings: Settings, front: Front) -> FastAPI:
        time.sleep(0.3)
        return create_app(settings, front)

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(opening, "HEAD_START", 3_600)
    monkeypatch.setattr(main, "create_app", wait)
    async with started.client() as client:
        assert (await client.get("/health/live")).status_code == 200
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name != "httpx"]
    (line,) = (line for line in lines if line["event"] == "request")
    assert line["milliseconds"] >= 300


async def test_each_early_page_is_a_line_in_the_log(started: Started, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with started.client() as client:
        await client.get(PAGE, headers={"X-Request-Id": "01993b2e5f7c7d0c8a2b6f4e1d3c5a79"})
        lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name != "httpx"]
    (line,) = (line for line in lines if line["event"] == "request")
    assert (line["request_id"], line["method"]) == ("01993b2e5f7c7d0c8a2b6f4e1d3c5a79", "GET")
    assert (line["route"], line["status"]) == ("/conditions/{slug}", 200)
    assert line["milliseconds"] > 0.5


async def test_a_process_that_ends_at_once_begins_nothing(
    started: Started, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(opening, "HEAD_START", 3_600)
    monkeypatch.setattr(main, "create_app", begun.append)
    monkeypatch.setattr(worker, "alongside", lambda *_: begun.append(None))
    async with asyncio.timeout(20), started.client():
        pass
    assert (begun, started.failures) == ([], [])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(started.front), base_url="http://testserver") as client:
        answer = await client.get("/health/live", headers={"Origin": FRONTEND})
    assert answer.headers["access-control-allow-origin"] == FRONTEND
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    (refused,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert json.loads(JsonLines().format(refused))["request_id"] == answer.headers["x-request-id"]


async def test_a_process_that_ends_while_it_loads_begins_nothing(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work: list[object] = []
    begun, may_go_on = held_back(monkeypatch)
    monkeypatch.setattr(main, "at_work", at_work.append)
    async with started.client():
        assert await asyncio.to_thread(begun.wait, 20)
        # Later than the end of the block, however slow all of this is.
        asyncio.get_running_loop().call_later(1, may_go_on.set)
    assert (at_work, started.failures) == ([], [])


async def test_a_write_comes_to_its_end_whatever_else_fails_to(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[bool] = []
    may_end = asyncio.Event()

    @asynccontextmanager
    async def fail_to_end(*_: object) -> AsyncIterator[None]:
        yield
        asyncio.get_running_loop().call_later(0.2, may_end.set)
        raise LookupError

    async def write() -> None:
        await may_end.wait()
        done.append(True)

    monkeypatch.setattr(main, "counted", fail_to_end)
    with pytest.raises(LookupError):
        async with app.router.lifespan_context(app):
            app.state.writes.add(asyncio.create_task(write()))
    assert done


async def test_where_it_cannot_be_loaded_the_server_is_told_and_pages_are_answered_until_it_ends(
    started: Started, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(main, "create_app", fail)
    async with started.client() as client:
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get(PAGE)).status_code == 200
    assert [type(error) for error in started.failures] == [ImportError]
    logged = [json.loads(JsonLines().format(record)) for record in caplog.records if record.levelno == logging.ERROR]
    told = [(line["event"], line.get("error", line.get("code"))) for line in logged]
    assert told == [("start_failed", "ImportError"), ("refused", "unavailable")]
    assert SECRET not in json.dumps(logged)


def test_a_server_whose_application_cannot_be_loaded_ends_with_an_error(tmp_path: Path) -> None:
    ended = serve("main.create_app = fail", tmp_path, {})
    assert "Carepath is ready." in ended.stdout
    assert ended.returncode == 1
    assert "start_failed" in ended.stderr
    assert SECRET not in ended.stderr


@pytest.mark.parametrize("template", ["sqlite"], indirect=True)
def test_a_server_whose_own_seed_is_wrong_says_so_and_ends(settings: Settings, tmp_path: Path) -> None:
    ended = serve("planting.plant_own = refuse_seed", tmp_path, environment_of(settings))
    assert "Carepath is ready." in ended.stdout
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "carepath: a.yaml:1: slug: is required"


@pytest.mark.parametrize("slow", ["schedule.publish_due", "server._examine"])
def test_a_server_that_is_to_end_before_it_listens_ends(tmp_path: Path, slow: str) -> None:
    names = "from app import cli, server; from app.content import schedule; from tests.test_opening import look_slowly"
    code = f"{names}; {slow} = look_slowly; cli.main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--port", "0"],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        killer = threading.Timer(30, process.kill)
        killer.start()
        assert process.stdout
        told = process.stdout.readline()
        process.terminate()
        ended = process.wait()
        killer.cancel()
    assert (told, ended) == ("looks\n", 0)


async def test_collections_begin_when_the_application_is_loaded(started: Started) -> None:
    serves, threshold = server._Server(started.settings, "127.0.0.1", 0), gc.get_threshold()  # noqa: SLF001
    serves.opening = started.opening
    gc.disable()
    try:
        async with started.client():
            await asyncio.wait_for(serves._settle(), 20)  # noqa: SLF001
        assert (gc.isenabled(), gc.get_threshold() != threshold) == (True, True)
    finally:
        gc.enable()
        gc.unfreeze()
        gc.set_threshold(*threshold)


def test_an_application_takes_the_doors_as_they_are(settings: Settings) -> None:
    # What the framework makes of included ones it makes in the event loop, for a quarter of a second.
    taken = create_app(settings).router.routes
    assert all(one is other for one, other in zip(taken, doors.routes(settings), strict=True))


def test_a_page_needs_neither_the_framework_nor_other_doors() -> None:
    loaded = names("import sys, app.server; print(*sys.modules)")
    assert "app.content.pages" in loaded
    others = {"app.worker", "app.routers", "app.consultations.tables", "app.content.search"}
    assert (others | {"alembic", "fastapi", "ruamel.yaml", "tantivy"}).isdisjoint(loaded)


def test_doors_with_an_address_stand_ahead_of_those_that_take_its_last_part_for_an_id(settings: Settings) -> None:
    routes = list(doors.routes(settings))
    assert len(routes) >= 100
    for place, late in enumerate(routes):
        address = re.sub(r"{[^}]*}", "x", late.path)
        for early in routes[:place]:
            same = early.path != late.path and early.path_regex.match(address) is not None
            assert not (same and (early.methods or set()) & (late.methods or set())), (early.path, late.path)


def names(code: str) -> set[str]:
    """What this prints, in a process of its own."""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def serve(sabotage: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Serve, with this done to it before, until it ends by itself."""
    names = "from app import main, planting; from tests.test_opening import fail, refuse_seed"
    code = f"{names}; {sabotage}; from app.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, "serve", "--port", "0"],
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[1]), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fail(*_: object) -> FastAPI:
    """What cannot be loaded."""
    raise ImportError(SECRET)


async def look_slowly(*_: object, **__: object) -> None:
    """What takes a while."""
    print("looks", flush=True)
    await asyncio.sleep(1)


async def refuse_seed(_: Database) -> None:
    """What a wrong file comes to."""
    message = "a.yaml:1: slug: is required"
    raise SeedInvalid(message)
