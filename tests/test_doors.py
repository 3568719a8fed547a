"""Doors that open while the first ones answer already."""

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from app import doors, main, worker
from app.core.logs import JsonLines
from app.core.settings import Settings
from app.doors import FIRST, others
from app.main import Application, create_app
from tests.doors import client_of

SECRET = "hunter2"
PAGE = "/conditions/acute-lymphoblastic-leukemia"
# Of first doors and of others, taken and refused.
ASKED = (
    ("GET", PAGE),
    ("GET", "/health/ready"),
    ("GET", "/consultation-slots"),
    ("GET", f"{PAGE}/next-available"),
    ("GET", f"{PAGE}.jsonld"),
    ("PUT", PAGE),
    ("POST", "/conditions"),
    ("DELETE", "/consultation-slots/stats"),
    ("PATCH", "/categories"),
    ("GET", "/openapi.json"),
    ("GET", "/nothing"),
)


@pytest.fixture
def opening(settings: Settings) -> Application:
    """An application whose other doors open later."""
    return create_app(settings, opens_later=True)


def routes(settings: Settings) -> Iterator[APIRoute]:
    """Those of the other doors."""
    for router in others(settings):
        yield from (route for route in router.routes if isinstance(route, APIRoute))


async def told(client: httpx.AsyncClient, method: str, path: str) -> tuple[int, str | None, object]:
    """What is answered, but for the request's own id."""
    answer = await client.request(method, path)
    body = answer.json()
    body.pop("request_id", None)
    return answer.status_code, answer.headers.get("allow"), body


def test_no_other_door_takes_what_a_first_one_takes(settings: Settings) -> None:
    first = [route for router in FIRST for route in router.routes if isinstance(route, APIRoute)]
    for route in routes(settings):
        address = re.sub(r"{[^}]*}", "x", route.path)
        for early in first:
            assert not (early.path_regex.match(address) and (early.methods or set()) & (route.methods or set())), (
                early.path,
                route.path,
            )


async def test_who_asks_early_is_answered_as_who_asks_late(settings: Settings, opening: Application) -> None:
    late = create_app(settings)
    async with late.router.lifespan_context(late), client_of(late) as client:
        expected = [await told(client, method, path) for method, path in ASKED]
    async with opening.router.lifespan_context(opening), client_of(opening) as client:
        for _ in range(2):
            assert await asyncio.gather(*(told(client, method, path) for method, path in ASKED)) == expected
    assert opening.openapi() == late.openapi()


async def test_others_open_when_nobody_asks(settings: Settings, opening: Application) -> None:
    async with opening.router.lifespan_context(opening), asyncio.timeout(20):
        await opening.doors.settled.wait()
    assert [route.path for route in opening.doors.routes] == [route.path for route in create_app(settings).doors.routes]


async def test_a_page_is_answered_while_others_open(opening: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_go_on = threading.Event(), threading.Event()

    def wait(settings: Settings) -> doors.Routers:
        begun.set()
        assert may_go_on.wait(20)
        return others(settings)

    monkeypatch.setattr(doors, "others", wait)
    async with opening.router.lifespan_context(opening), client_of(opening) as client:
        ready = asyncio.create_task(client.get("/health/ready"))
        assert await asyncio.to_thread(begun.wait, 20)
        assert (await client.get(PAGE)).status_code == 200
        assert (await client.get("/conditions", params={"q": "leukemia"})).json()["items"]
        assert not ready.done()
        may_go_on.set()
        assert (await ready).status_code == 200


async def test_a_process_that_ends_at_once_begins_nothing(
    opening: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    monkeypatch.setattr(main, "HEAD_START", 3_600)
    monkeypatch.setattr(doors, "others", begun.append)
    monkeypatch.setattr(worker, "alongside", lambda *_: begun.append(None))
    async with asyncio.timeout(20), opening.router.lifespan_context(opening):
        pass
    assert begun == []
    async with client_of(opening) as client:
        assert (await client.get("/health/live")).status_code == 503


async def test_where_others_cannot_open_the_server_is_told_and_pages_are_answered_until_it_ends(
    opening: Application, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told = []
    opening.on_failure = lambda: told.append(True)
    monkeypatch.setattr(doors, "others", fail)
    async with opening.router.lifespan_context(opening), client_of(opening) as client:
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get(PAGE)).status_code == 200
    assert told == [True]
    logged = [json.loads(JsonLines().format(record)) for record in caplog.records if record.levelno == logging.ERROR]
    assert {(line["event"], line["error"]) for line in logged} == {
        ("start_failed", "ImportError"),
        ("refused", "Unavailable"),
    }
    assert SECRET not in json.dumps(logged)


def test_a_server_whose_others_cannot_open_ends_with_an_error(tmp_path: Path) -> None:
    code = "from tests.test_doors import doors, fail; doors.others = fail; from app.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", code, "serve", "--port", "0"],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Carepath is ready." in ended.stdout
    assert ended.returncode == 1
    assert "start_failed" in ended.stderr
    assert SECRET not in ended.stderr


def test_a_page_needs_few_of_the_doors() -> None:
    loaded = names("import sys, app.server, app.main; print(*sys.modules)")
    assert "app.routers.conditions" in loaded
    assert {"app.worker", "app.routers.consultation_slots", "app.consultations.slots"}.isdisjoint(loaded)


def test_a_start_looks_for_the_guards_of_all_tables() -> None:
    tables = "from sqlmodel import SQLModel; print(*SQLModel.metadata.tables)"
    assert names(f"import app.server, app.main; {tables}") == names(f"import app.tables; {tables}")


def names(code: str) -> set[str]:
    """What this prints, in a process of its own."""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def fail(_: Settings) -> doors.Routers:
    """A door that cannot be opened."""
    raise ImportError(SECRET)
