"""The lane answers what the doors answer, to the byte: every page and list, method, encoding, language and origin."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from app import replies
from app.core.conditional import PUBLIC
from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from tests.doors import client_of, without_its_body
from tests.pages import publish, treatment

ALL = "acute-lymphoblastic-leukemia"
PAGE = f"/conditions/{ALL}"
ORIGIN = "https://hospital.example"
LISTS = ("/conditions", "/categories", "/treatment-options")
OTHER_PAGES = (
    "/conditions/synthetic-condition",
    "/categories/hematologic-malignancies",
    "/categories/synthetic-category",
    "/treatment-options/car-t-cell-therapy",
)
QUERIES = ("/conditions?limit=1", "/conditions?letter=s&locale=es", "/categories?locale=pt-BR", f"{PAGE}?locale=es")
ADDRESSES = (*LISTS, PAGE, f"{PAGE}/treatment-options", *OTHER_PAGES, *QUERIES)
SENT: tuple[dict[str, str], ...] = (
    {},
    {"Accept-Encoding": "gzip, deflate, br"},
    {"Accept-Encoding": "gzip;q=0, *"},
    {"Accept-Language": "es-MX, es;q=0.9, en;q=0.1"},
    {"Accept-Language": "fr", "Accept-Encoding": "*"},
    {"Accept-Language": "complete, {nonsense};q=x"},
    {"Origin": ORIGIN},
    {"Origin": "https://elsewhere.example"},
    {"Accept": "text/html, */*;q=0.8"},
    {"If-None-Match": '"other"'},
    {"If-None-Match": "*"},
)
OWN = {"x-request-id"}


def told(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """All of an answer but the request's id; the body as it came, packed or not."""
    headers = sorted((name, value) for name, value in answer.headers.multi_items() if name not in OWN)
    return answer.status_code, headers, answer.extensions["raw"]


class _AsSent(httpx.AsyncBaseTransport):
    """Keeps the body as it came."""

    def __init__(self, app: FastAPI) -> None:
        self._inner = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        raw = b"".join([part async for part in answer.stream])
        return httpx.Response(answer.status_code, headers=answer.headers, content=raw, extensions={"raw": raw})


@pytest.fixture
async def filled(database: Database) -> None:
    """A second page, and one in another language."""
    await publish(database, treatment_options=[treatment("car-t-cell-therapy", "CAR-T Cell Therapy")])
    await publish(
        database,
        locale="es",
        name="Sintética",
        category={"slug": "synthetic-category", "name": "Categoría"},
        source_revision=1,
    )


@pytest.fixture
async def apps(settings: Settings, filled: None) -> AsyncIterator[tuple[FastAPI, FastAPI]]:  # noqa: ARG001
    """An application, and one that remembers nothing; both let pages of one origin in."""
    settings = settings.model_copy(update={"cors_origins": (ORIGIN,), "log_pages": False})
    by_lane, by_doors = create_app(settings), create_app(settings.model_copy(update={"pages_memory_mb": 0}))
    async with by_lane.router.lifespan_context(by_lane), by_doors.router.lifespan_context(by_doors):
        yield by_lane, by_doors


def statements_of(app: FastAPI) -> list[str]:
    """What the application asks its database from now on, but for its looks whether anything was published."""
    asked: list[str] = []
    database: Database = app.state.database

    def note(*arguments: Any) -> None:
        if "content_version" not in arguments[2] and "clock_timestamp" not in arguments[2]:
            asked.append(arguments[2])

    for engine in (database.reading, database.looking):
        event.listen(engine.sync_engine, "before_cursor_execute", note)
    return asked


async def test_lane_and_doors_answer_alike(apps: tuple[FastAPI, FastAPI]) -> None:
    lane, doors = (httpx.AsyncClient(transport=_AsSent(app), base_url="http://carepath.test") for app in apps)
    for headers in (lane.headers, doors.headers):
        headers.clear()
    pages = apps[0].state.published
    for address in ADDRESSES:
        for sent in SENT:
            first = await lane.get(address, headers=sent)
            tags = {"If-None-Match": f'"x", W/{first.headers["ETag"]}'}
            for method in ("GET", "HEAD"):
                for more in (sent, sent | tags):
                    before = pages.answered
                    by_lane = await lane.request(method, address, headers=more)
                    assert (address, more, pages.answered - before) == (address, more, 1)
                    by_door = await doors.request(method, address, headers=more)
                    assert told(by_lane) == told(by_door)
                    assert re.fullmatch("[0-9a-f]{32}", by_lane.headers["X-Request-Id"])
    assert apps[1].state.published.answered == 0


async def test_who_has_a_page_already_is_told_so_and_the_others_get_it_from_memory(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    tag = (await client.get(PAGE, headers={"Authorization": "Bearer cp_live_unknown"})).headers["ETag"]
    asked = statements_of(app)
    first = await client.get(PAGE, headers={"If-None-Match": tag})
    assert (first.status_code, first.content, first.headers["ETag"]) == (304, b"", tag)
    assert asked
    asked.clear()
    assert (await client.get(PAGE)).status_code == 200
    assert asked == []


async def test_every_answer_says_what_a_cache_has_to_know(client: httpx.AsyncClient, filled: None) -> None:  # noqa: ARG001
    for address in ADDRESSES:
        for _ in range(2):
            answer = await client.get(address)
            assert answer.headers["Cache-Control"] == PUBLIC
            assert {"Accept-Encoding", "Accept-Language"} <= set(answer.headers["Vary"].split(", "))
            assert answer.headers["Last-Modified"].endswith(" GMT")
            assert answer.headers["Content-Language"] in {"en", "es"}
    links = {address: (await client.get(address)).headers.get("Link") for address in (PAGE, *OTHER_PAGES)}
    assert links == {address: f'<{address}>; rel="canonical"' for address in links}
    in_spanish = await client.get("/conditions/synthetic-condition", headers={"Accept-Language": "es"})
    assert in_spanish.headers["Link"] == '</conditions/synthetic-condition?locale=es>; rel="canonical"'


async def test_packed_and_plain_bytes_have_tags_of_their_own(client: httpx.AsyncClient) -> None:
    packs = {"Accept-Encoding": "gzip"}
    for address in (PAGE, "/conditions"):
        for _ in range(2):
            plain, packed = await client.get(address), await client.get(address, headers=packs)
            assert (plain.headers.get("Content-Encoding"), packed.headers["Content-Encoding"]) == (None, "gzip")
            assert packed.json() == plain.json()
            assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])
            assert plain.headers["ETag"] != packed.headers["ETag"]
            version = plain.headers["ETag"].partition("-")[0]
            assert packed.headers["ETag"].partition("-")[0] == version
            again = await client.get(address, headers=packs | {"If-None-Match": plain.headers["ETag"]})
            assert again.status_code == 200


async def test_what_is_not_for_everybody_goes_on_to_the_doors(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    for address in (PAGE, "/conditions"):
        await client.get(address)
        before = app.state.published.answered
        credential = await client.get(address, headers=admin)
        assert (credential.status_code, credential.headers["Cache-Control"]) == (200, "no-store")
        assert (await client.get(address, headers={"Authorization": "Basic x"})).headers["Cache-Control"] == "no-store"
        assert (await client.options(address)).status_code == 405
        assert (await client.delete(address)).status_code in {401, 405}
        assert (await client.get(f"{address}/nothing/here")).status_code == 404
        assert app.state.published.answered == before
    linked = await client.get(PAGE, headers={"Accept": "application/ld+json"})
    assert linked.headers["Content-Type"].startswith("application/ld+json")
    assert "Accept" in linked.headers["Vary"].split(", ")
    assert (await client.get(PAGE)).headers["Content-Type"] == "application/json"
    for query in ("q=leukemia", "utm_source=synthetic", "%71=leukemia"):
        for _ in range(2):
            await client.get(f"{PAGE}?{query}")
            await client.get(f"/conditions?{query}")
    assert app.state.published.answered == before + 1
    twice = [("Accept-Language", "es"), ("Accept-Language", "en")]
    before = app.state.published.answered
    assert (await client.get(PAGE, headers=twice)).status_code == 200
    assert app.state.published.answered == before


async def test_refusals_are_not_remembered(app: FastAPI, client: httpx.AsyncClient, database: Database) -> None:
    for address in ("/conditions/synthetic-condition", "/categories/synthetic-category"):
        assert [(await client.get(address)).status_code for _ in range(2)] == [404, 404]
    assert (await client.get("/conditions?limit=0")).status_code == 422
    assert app.state.published.answered == 0
    await publish(database)
    assert (await client.get("/conditions/synthetic-condition")).status_code == 200


async def test_what_is_remembered_needs_no_database(app: FastAPI, client: httpx.AsyncClient) -> None:
    addresses = (PAGE, "/conditions?limit=5", "/treatment-options/car-t-cell-therapy")
    pages = [await client.get(address) for address in addresses]
    asked = statements_of(app)
    # Also in a language that nobody has asked for yet.
    headers: dict[str, str]
    for headers in ({}, {"Accept-Language": "en-GB"}):
        again = [await client.get(address, headers=headers) for address in addresses]
        assert [answer.content for answer in again] == [page.content for page in pages]
    assert app.state.published.answered == 2 * len(addresses)
    assert asked == []


async def test_who_asks_at_the_same_moment_gets_one_door_s_answer(app: FastAPI, client: httpx.AsyncClient) -> None:
    asked = statements_of(app)
    answers = await asyncio.gather(*(client.get(PAGE) for _ in range(20)))
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert len([statement for statement in asked if "urgency_signs" in statement]) == 1
    assert app.state.published.answered == 19


async def test_who_announces_a_body_and_sends_none_holds_up_nobody(app: FastAPI, client: httpx.AsyncClient) -> None:
    async with without_its_body(app, PAGE):
        for _ in range(2):
            assert (await client.get(PAGE)).status_code == 200
    assert app.state.published.answered == 1


async def test_answers_from_memory_are_counted_and_logged_only_on_request(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "carepath")
    for logs in (True, False):
        app = create_app(settings.model_copy(update={"log_pages": logs}))
        async with app.router.lifespan_context(app), client_of(app) as client:
            await client.get(PAGE)
            caplog.clear()
            known = {"If-None-Match": (await client.get(PAGE)).headers["ETag"]}
            await client.head(PAGE, headers=known)
            assert app.state.published.answered == 2
        lines = [record.fields for record in caplog.records if record.msg == "request"]  # type: ignore[attr-defined]
        assert [(line["method"], line["route"], line["status"]) for line in lines] == (
            [("GET", "/conditions/{slug}", 200), ("HEAD", "/conditions/{slug}", 304)] if logs else []
        )


async def test_packed_bytes_do_not_depend_on_when_they_were_packed(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    packs = {"Accept-Encoding": "gzip"}
    first = await client.get(PAGE, headers=packs)
    other = create_app(settings)
    async with other.router.lifespan_context(other), client_of(other) as elsewhere:
        assert (await elsewhere.get(PAGE, headers=packs)).headers["ETag"] == first.headers["ETag"]


async def test_long_headers_go_to_the_doors_and_are_not_remembered(apps: tuple[FastAPI, FastAPI]) -> None:
    app, pages = apps[0], apps[0].state.published
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://carepath.test") as client:
        assert (await client.get("/conditions")).status_code == 200
        before = pages.answered
        for number in range(20):
            languages = ", ".join(["es", *(f"x-{number}-{other}" for other in range(200))])
            answer = await client.get("/conditions", headers={"Accept-Language": languages})
            assert (answer.status_code, answer.headers["Content-Language"]) == (200, "es")
        assert pages.answered == before
        assert len(app.front.lane._sorts) < 5  # type: ignore[attr-defined] # noqa: SLF001 - what would grow


async def test_answers_from_memory_are_counted_in_the_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(replies, "TELL_EVERY", 1)
    caplog.set_level(logging.INFO)

    def told() -> list[int]:
        return [vars(line)["fields"]["requests"] for line in caplog.records if line.message == "answered_from_memory"]

    app = create_app(settings)
    async with app.router.lifespan_context(app):
        # Pages and lists of slots.
        app.state.published.answered += 3
        app.front.listings.answered += 4
        async with asyncio.timeout(10):
            while len(told()) < 2:  # noqa: ASYNC110 - told by nothing
                await asyncio.sleep(0.05)
    assert told()[:2] == [7, 0]
