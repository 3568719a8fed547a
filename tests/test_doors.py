"""Doors that open while the first ones answer already."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from fastapi.routing import APIRoute

from app import doors
from app.core.logs import JsonLines
from app.core.settings import Settings
from app.doors import FIRST, others
from app.main import Application, create_app
from tests.doors import client_of

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


async def test_others_open_when_nobody_asks(opening: Application) -> None:
    first = len(opening.doors.routes)
    async with opening.router.lifespan_context(opening):
        await asyncio.sleep(doors.HEAD_START + 1)
        assert len(opening.doors.routes) > first


async def test_a_process_that_ends_at_once_opens_nothing(opening: Application) -> None:
    first = len(opening.doors.routes)
    async with asyncio.timeout(doors.HEAD_START / 2), opening.router.lifespan_context(opening):
        await asyncio.sleep(0)
    assert len(opening.doors.routes) == first


async def test_pages_are_served_where_others_cannot_open(
    opening: Application, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Settings) -> None:
        raise ImportError("hunter2")

    monkeypatch.setattr(doors, "others", fail)
    # The lifespan ends as the opening did.
    with suppress(ImportError):
        async with opening.router.lifespan_context(opening), client_of(opening) as client:
            for _ in range(2):
                refused = await client.get("/health/ready")
                assert (refused.status_code, refused.json()["code"]) == (500, "internal-error")
                assert (await client.get(PAGE)).status_code == 200
    logged = "".join(JsonLines().format(record) for record in caplog.records)
    assert "doors_failed" in logged
    assert "hunter2" not in logged


def test_a_page_needs_few_of_the_doors() -> None:
    code = "import sys, app.main; print(*(name for name in sys.modules if name.startswith('app.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "app.routers.conditions" in loaded
    assert {"app.worker", "app.routers.consultation_slots", "app.consultations.slots"}.isdisjoint(loaded)
