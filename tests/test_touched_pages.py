"""What a change touches is forgotten in every process, and nothing else is: the feed says what."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete, update
from sqlmodel import col

from app.content import answers, editions
from app.content.answers import FinishedHead
from app.content.editions import Edition, Step
from app.content.editorial_tables import ContentChange
from app.content.published import PublishedPages
from app.content.tables import ConditionPage, ContentVersion
from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from tests import public_changes
from tests.doors import client_of
from tests.pages import publish
from tests.public_changes import OTHER, OWN, PATHS, UNTOUCHED
from tests.rows import run

ID = {"X-Request-Id": "0" * 32}
SENT: tuple[dict[str, str], ...] = (
    {"Accept-Encoding": "identity", "Accept-Language": "es, en;q=0.5", **ID},
    {"Accept-Encoding": "gzip", "Origin": "https://elsewhere.example", **ID},
)
HEAD = FinishedHead(200, (), b"")


def told(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """All of an answer."""
    return answer.status_code, sorted(answer.headers.multi_items()), answer.content


@pytest.fixture
async def apps(settings: Settings, database: Database) -> AsyncIterator[tuple[FastAPI, FastAPI]]:
    """An application, and one that remembers nothing."""
    await public_changes.prepare(database)
    lane, doors = (create_app(settings.model_copy(update={"pages_memory_mb": size})) for size in (64, 0))
    async with lane.router.lifespan_context(lane), doors.router.lifespan_context(doors):
        yield lane, doors


async def seen_by(*apps: FastAPI) -> None:
    """Wait until these have seen the newest change, a second at most, and have nothing former left."""
    until = time.monotonic() + 1
    for app in apps:
        published: PublishedPages = app.state.published
        async with app.state.database.read() as session:
            newest = (await editions.look(session, None)).edition  # type: ignore[union-attr]
        while await published.edition() != newest or published._answers.lingering:  # noqa: SLF001
            assert time.monotonic() < until
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("where", ["here", "elsewhere", "elsewhere, while many ask"])
async def test_after_each_kind_of_change_the_lane_answers_as_the_doors_do(
    apps: tuple[FastAPI, FastAPI], database: Database, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    lane, doors = apps
    if where == "elsewhere, while many ask":
        # Whatever was asked for at all.
        monkeypatch.setattr(answers, "OFTEN", 0)
        monkeypatch.setattr(answers, "MOST_LINGERING", 100)
    async with client_of(lane) as by_lane, client_of(doors) as by_doors:
        for name, change in public_changes.changes().items():
            for path in PATHS:
                for sent in SENT:
                    for _ in range(2):
                        await by_lane.get(path, headers=sent)
            await change(lane.state.database if where == "here" else database)
            await (seen_by(doors) if where == "here" else seen_by(lane, doors))
            for path in PATHS:
                for sent in SENT:
                    expected = told(await by_doors.get(path, headers=sent))
                    assert (name, path, told(await by_lane.get(path, headers=sent))) == (name, path, expected)
    assert lane.state.published.answered > len(public_changes.changes()) * len(PATHS)


async def test_what_a_change_does_not_touch_stays(apps: tuple[FastAPI, FastAPI], database: Database) -> None:
    lane, _ = apps
    everything, left = public_changes.changes(), {}
    async with client_of(lane) as client:
        for name, change in everything.items():
            for path in PATHS:
                await client.get(path)
            await change(database)
            await seen_by(lane)
            left[name] = {answer.page for answer in lane.state.published._answers.values()}  # noqa: SLF001
    narrow = {name for name, pages in left.items() if UNTOUCHED in pages}
    assert narrow == {
        "a page is updated",
        "a translation falls behind",
        "a translation is updated",
        "a page moves to another category",
        "an older text is restored",
        "a page is taken down",
        "several are published together",
        "a category is made",
        "a category is deleted",
        "a treatment is named",
        "treatments are reordered",
        "a condition is withdrawn",
        "and is back",
    }
    assert left["a page is updated"] == {OTHER, UNTOUCHED}
    assert left["a condition is withdrawn"] == {OWN, UNTOUCHED, "synthetic-new"}
    assert all(not left[name] for name in everything.keys() - narrow)


async def look(database: Database, known: Edition | None) -> Step | None:
    async with database.read() as session:
        return await editions.look(session, known)


async def step_from(database: Database, known: Edition | None) -> Step:
    step = await look(database, known)
    assert step is not None
    return step


async def test_where_the_feed_does_not_tell_everything_may_be_another(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(database)
    first = (await step_from(database, None)).edition
    assert await look(database, first) is None
    # A page in a language that others have: nothing but the page.
    await publish(database)
    await publish(database)
    step = await step_from(database, first)
    assert step.slugs == frozenset({OWN})
    assert step.edition == (await step_from(database, None)).edition
    wider = {
        "another day": replace(first, day=first.day - timedelta(days=1)),
        "another change by this number": replace(first, change=(*first.change[:-1], "another")),  # type: ignore[index]
        "no change by this number": replace(first, change=None),
        "a higher number": replace(first, number=first.number + 7),
        "another language": replace(first, locales=first.locales | {"es"}),
    }
    assert {why for why, known in wider.items() if (await step_from(database, known)).slugs is not None} == set()
    monkeypatch.setattr(editions, "MOST_CHANGES", 1)
    assert (await step_from(database, first)).slugs is None
    monkeypatch.undo()
    for hole in (
        update(ContentChange).where(col(ContentChange.number) == first.number + 1).values(kind="deleted"),
        delete(ContentChange).where(col(ContentChange.number) == first.number + 1),
    ):
        await run(database, hole)
        assert (await step_from(database, first)).slugs is None
    known = step.edition
    await run(database, update(ContentVersion).values(number=known.number + 1))
    assert (await step_from(database, known)).slugs is None


async def test_a_page_by_hand_is_not_noticed_but_the_number_is(
    apps: tuple[FastAPI, FastAPI], database: Database
) -> None:
    lane, _ = apps
    async with client_of(lane) as client:
        assert (await client.get(f"/conditions/{OTHER}")).json()["summary"] == "Synthetic summary."
        number = update(ContentVersion).values(number=col(ContentVersion.number) + 1)
        await run(database, update(ConditionPage).values(summary="Synthetic by hand."), number)
        until = time.monotonic() + 1
        while (await client.get(f"/conditions/{OTHER}")).json()["summary"] != "Synthetic by hand.":
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
