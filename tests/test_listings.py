"""The list of free slots, from memory: to the byte as the door says it, a second old at most, never past a write."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app import listings, worker
from app.access.callers import Scope
from app.consultations import slots
from app.content import answers
from app.core import clock
from app.core.brief import SECONDS
from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from app.worker import Job, Tools
from tests.conftest import headers_with
from tests.doors import client_of, without_its_body
from tests.rows import make_slot
from tests.test_lane import ORIGIN, _AsSent, told
from tests.wishes import book, post_slot, refusal

LIST = "/consultation-slots"
ADDRESSES = (
    LIST,
    f"{LIST}?limit=1",
    f"{LIST}?condition=acute-lymphoblastic-leukemia&limit=2",
    f"{LIST}?mode=phone&weekday=monday&weekday=tuesday",
    f"{LIST}?first_available=mode",
)
SENT: tuple[dict[str, str], ...] = (
    {},
    {"Origin": ORIGIN},
    {"Origin": "https://elsewhere.example"},
    {"Accept-Encoding": "gzip", "Accept-Language": "es", "Accept": "text/html, */*;q=0.1"},
    {"If-None-Match": '"other"'},
    {"If-None-Match": "*"},
)


async def rest(_tools: Tools) -> str:
    """Do nothing."""
    return "Nothing."


@pytest.fixture(autouse=True)
def _nobody_else_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite the worker's jobs run in the process that serves: their writes would be seen too."""
    monkeypatch.setattr(worker, "JOBS", (Job("rest", 3600, rest),))


@pytest.fixture
async def apps(settings: Settings, database: Database) -> AsyncIterator[tuple[FastAPI, FastAPI]]:
    """An application, and one that remembers nothing; both let pages of one origin in."""
    for hours in range(5):
        starts_at = clock.now() + timedelta(days=1, hours=hours)
        await make_slot(database, starts_at=starts_at, ends_at=starts_at + timedelta(minutes=30))
    settings = settings.model_copy(update={"cors_origins": (ORIGIN,), "log_pages": False})
    by_memory, by_door = create_app(settings), create_app(settings.model_copy(update={"pages_memory_mb": 0}))
    async with by_memory.router.lifespan_context(by_memory), by_door.router.lifespan_context(by_door):
        yield by_memory, by_door


def listed_by(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """The lists that are looked up in a database from now on."""
    asked: list[None] = []
    find = slots.find

    async def counting(*arguments: Any, **more: Any) -> Any:
        asked.append(None)
        return await find(*arguments, **more)

    monkeypatch.setattr(slots, "find", counting)
    return asked


def freeze(monkeypatch: pytest.MonkeyPatch, now: float = 1_000.0) -> list[float]:
    """Stop the memory's clock; the list's only number is the time that it shows."""
    shown = [now]
    monkeypatch.setattr(listings, "monotonic", lambda: shown[0])
    return shown


async def test_who_announces_a_body_and_sends_none_holds_up_nobody(
    apps: tuple[FastAPI, FastAPI], monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    app, _ = apps
    async with without_its_body(app, LIST), client_of(app) as client:
        for _ in range(2):
            assert (await client.get(LIST)).status_code == 200
    assert app.front.listings.answered == 1  # type: ignore[attr-defined]


async def test_memory_and_door_answer_alike(apps: tuple[FastAPI, FastAPI], monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    memory, door = (httpx.AsyncClient(transport=_AsSent(app), base_url="http://carepath.test") for app in apps)
    for headers in (memory.headers, door.headers):
        headers.clear()
    remembered = apps[0].front.listings  # type: ignore[attr-defined]
    for address in ADDRESSES:
        for sent in SENT:
            first = await memory.get(address, headers=sent)
            tags = {"If-None-Match": f'"x", W/{first.headers["ETag"]}'}
            for method in ("GET", "HEAD"):
                for more in (sent, sent | tags):
                    before = remembered.answered
                    by_memory = await memory.request(method, address, headers=more)
                    assert (address, more, remembered.answered - before) == (address, more, 1)
                    assert told(by_memory) == told(await door.request(method, address, headers=more))
                    assert re.fullmatch("[0-9a-f]{32}", by_memory.headers["X-Request-Id"])
            assert by_memory.headers["Cache-Control"] == "no-cache"
    assert apps[1].front.listings.answered == 0  # type: ignore[attr-defined]


async def test_who_asks_at_the_same_moment_gets_one_door_s_answer(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await post_slot(client, admin)
    asked = listed_by(monkeypatch)
    answers = await asyncio.gather(*(client.get(LIST) for _ in range(20)))
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert (len(asked), app.front.listings.answered) == (1, 19)  # type: ignore[attr-defined]


async def test_who_has_the_list_already_is_told_so_and_the_others_get_it_from_memory(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await post_slot(client, admin)
    freeze(monkeypatch)
    asked = listed_by(monkeypatch)
    tag = (await client.get(LIST, headers=admin)).headers["ETag"]
    polls = await asyncio.gather(*(client.get(LIST, headers={"If-None-Match": tag}) for _ in range(20)))
    assert {(poll.status_code, poll.content, poll.headers["ETag"]) for poll in polls} == {(304, b"", tag)}
    assert len({poll.headers["X-Request-Id"] for poll in polls}) == 20
    others = [await client.get(LIST, headers=more) for more in ({}, {"If-None-Match": '"other"'})]
    assert [other.json()["items"] for other in others] == [[slot], [slot]]
    # The first was the admin's.
    assert (len(asked), app.front.listings.answered) == (2, 21)  # type: ignore[attr-defined]


@pytest.mark.parametrize("megabytes", [0, 128])
async def test_a_write_that_comes_later_sends_nobody_to_the_door_who_waits_already(
    settings: Settings, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch, megabytes: int
) -> None:
    find, has_read, may_answer = slots.find, asyncio.Event(), asyncio.Event()
    app = create_app(settings.model_copy(update={"pages_memory_mb": megabytes}))

    async def slow_find(*arguments: Any, **more: Any) -> Any:
        found = await find(*arguments, **more)
        has_read.set()
        await may_answer.wait()
        return found

    async with app.router.lifespan_context(app), client_of(app) as client:
        monkeypatch.setattr(slots, "find", slow_find)
        shown, asked = freeze(monkeypatch), listed_by(monkeypatch)
        waiting = [asyncio.create_task(client.get(LIST)) for _ in range(20)]
        await has_read.wait()
        await post_slot(client, admin)
        may_answer.set()
        assert [(await answer).json()["items"] for answer in waiting] == [[]] * 20
        assert len(asked) == 1
        # Kept for nobody; and one who would get what is too old asks anew.
        assert len((await client.get(LIST)).json()["items"]) == 1
        for each in (has_read, may_answer):
            each.clear()
        address, asked[:] = f"{LIST}?limit=2", []
        waiting = [asyncio.create_task(client.get(address)) for _ in range(2)]
        await has_read.wait()
        shown[0] += SECONDS
        may_answer.set()
        assert [len((await answer).json()["items"]) for answer in waiting] == [1, 1]
        assert len(asked) == 2


async def test_an_answer_is_a_second_old_at_most_counted_from_when_it_was_read(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = await post_slot(client, admin)
    shown = freeze(monkeypatch)
    asked = listed_by(monkeypatch)
    find = slots.find

    async def slow_find(*arguments: Any, **more: Any) -> Any:
        # The door takes its time, after the memory has looked at the clock.
        shown[0] += 0.6
        return await find(*arguments, **more)

    monkeypatch.setattr(slots, "find", slow_find)
    assert (await client.get(LIST)).json()["items"] == [slot]
    # As another process would write it.
    async with app.state.database.writing.begin() as elsewhere:
        await elsewhere.execute(text("UPDATE consultation_slots SET status = 'closed', version = version + 1"))
    shown[0] += 0.39
    assert (await client.get(LIST)).json()["items"] == [slot]
    assert len(asked) == 1
    shown[0] += 0.01
    assert (await client.get(LIST)).json()["items"] == []
    assert len(asked) == 2


async def test_each_write_of_this_process_is_seen_at_once(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    slot = await post_slot(client, admin, capacity=2)
    for free in (2, 1, 0):
        for _ in range(2):
            items = (await client.get(LIST)).json()["items"]
            assert [item["seats_free"] for item in items] == ([free] if free else [])
        if free:
            await book(client, slot["id"])
    assert app.front.listings.answered == 3  # type: ignore[attr-defined]


async def test_what_was_read_before_a_write_is_given_to_nobody_who_asks_after_it(
    client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await post_slot(client, admin)
    has_read, may_answer = asyncio.Event(), asyncio.Event()
    find = slots.find

    async def slow_find(*arguments: Any, **more: Any) -> Any:
        found = await find(*arguments, **more)
        if not has_read.is_set():
            has_read.set()
            await may_answer.wait()
        return found

    monkeypatch.setattr(slots, "find", slow_find)
    before = asyncio.create_task(client.get(LIST))
    await has_read.wait()
    second = await post_slot(client, admin, starts_at="2031-01-01T09:00:00Z", ends_at="2031-01-01T10:00:00Z")
    async with asyncio.timeout(SECONDS / 2):
        after = await client.get(LIST)
    assert second in after.json()["items"]
    third = await post_slot(client, admin, starts_at="2031-01-02T09:00:00Z", ends_at="2031-01-02T10:00:00Z")
    may_answer.set()
    assert second not in (await before).json()["items"]
    assert third in (await client.get(LIST)).json()["items"]


async def test_what_is_not_for_everybody_goes_on_to_the_door(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    remembered = app.front.listings  # type: ignore[attr-defined]
    for _ in range(2):
        credential = await client.get(LIST, headers=admin)
        assert (credential.json()["items"], credential.headers["Cache-Control"]) == ([slot], "no-store")
        assert (await client.get(f"{LIST}?status=all", headers=admin)).status_code == 200
        assert refusal(await client.get(f"{LIST}?status=all")) == (401, "credential-invalid")
        reader = await headers_with(database, Scope.BOOKINGS_READ)
        assert refusal(await client.get(f"{LIST}?status=all", headers=reader)) == (403, "scope-missing")
        assert (await client.get(LIST, headers={"Authorization": "Basic x"})).status_code == 401
        assert (await client.get(f"{LIST}?condition=nothing-known")).status_code == 422
        assert (await client.get(f"{LIST}?limit=0")).status_code == 422
        assert (await client.get(f"{LIST}/{slot['id']}")).status_code == 200
        assert (await client.get(LIST, headers=[("Origin", ORIGIN), ("Origin", "null")])).status_code == 200
        assert (await client.get(f"{LIST}?condition={'x' * 600}")).status_code == 422
    assert remembered.answered == 0
    assert list(remembered._answers.values()) == []  # noqa: SLF001 - what is remembered shows nowhere else


async def test_memory_stays_small_whatever_is_asked_for(
    app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    remembered = app.front.listings  # type: ignore[attr-defined]
    monkeypatch.setattr(remembered, "_answers", answers.Answers(5 * (answers.AROUND + 12)))
    for number in range(20):
        await client.get(f"{LIST}?limit={number + 1}")
    assert len(list(remembered._answers.values())) == 5  # noqa: SLF001 - what is remembered shows nowhere else
    assert remembered._asked == {}  # noqa: SLF001


async def test_answers_from_memory_are_logged_only_on_request(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "carepath")
    for logs in (True, False):
        app = create_app(settings.model_copy(update={"log_pages": logs}))
        async with app.router.lifespan_context(app), client_of(app) as client:
            await client.get(LIST)
            caplog.clear()
            await client.get(LIST)
            assert app.front.listings.answered == 1
        lines = [record.fields for record in caplog.records if record.msg == "request"]  # type: ignore[attr-defined]
        assert [(line["method"], line["route"], line["status"]) for line in lines] == (
            [("GET", LIST, 200)] if logs else []
        )
