"""Pages that are served from memory: never older than a second, never a mix of two revisions."""

import asyncio
import tracemalloc
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import pages
from app.content.answers import AROUND, FinishedAnswer, FinishedHead
from app.content.published import PublishedPages
from app.content.tables import Category
from app.core import clock
from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from tests.doors import client_of
from tests.pages import publish, treatment

SLUG = "synthetic-condition"


def everywhere(word: str) -> dict[str, Any]:
    """Changes that put this word into every part of a page."""
    return {
        "summary": word,
        "overview": word,
        "when_to_consult": word,
        "what_to_bring": {"text": word, "items": [word]},
        "risk_factors": [word] * 3,
        "causes": [word],
        "alternate_names": [word],
        "treatment_options": [treatment("synthetic-treatment", name=word, description=word)],
        "consultation": {"heading": word, "text": word},
    }


def words_of(page: dict[str, Any]) -> set[str]:
    """Every word that `everywhere` has put into a page."""
    options = [text for option in page["treatment_options"] for text in (option["name"], option["description"])]
    return {
        page["summary"],
        page["overview"],
        page["when_to_consult"],
        page["what_to_bring"]["text"],
        *page["what_to_bring"]["items"],
        *page["risk_factors"],
        *page["causes"],
        *page["alternate_names"],
        *options,
        *page["consultation"].values(),
    } - {page["consultation"]["slots_url"]}


async def test_what_another_process_publishes_is_served_within_a_second(
    client: httpx.AsyncClient, database: Database
) -> None:
    await publish(database, summary="Synthetic first.")
    before = await client.get(f"/conditions/{SLUG}")
    assert before.json()["summary"] == "Synthetic first."
    await publish(database, summary="Synthetic second.")
    published = monotonic()
    while (answer := await client.get(f"/conditions/{SLUG}")).json()["revision"] == 1:
        assert monotonic() < published + 1
        await asyncio.sleep(0.02)
    assert answer.json()["summary"] == "Synthetic second."
    stale = {"If-None-Match": before.headers["ETag"]}
    assert (await client.get(f"/conditions/{SLUG}", headers=stale)).status_code == 200


async def test_a_page_that_was_not_there_is_served_as_soon_as_it_is(
    client: httpx.AsyncClient, database: Database
) -> None:
    assert (await client.get(f"/conditions/{SLUG}")).status_code == 404
    await publish(database)
    assert (await client.get(f"/conditions/{SLUG}")).status_code == 200


async def test_a_reader_never_meets_two_revisions_in_one_page(client: httpx.AsyncClient, database: Database) -> None:
    await publish(database, **everywhere("word 1"))
    is_done = asyncio.Event()

    async def publish_more() -> None:
        for number in range(2, 13):
            await publish(database, **everywhere(f"word {number}"))
            # Long enough that the memory of the app meets some of them, short enough that reads overlap all.
            await asyncio.sleep(0.1)
        is_done.set()

    async def read_through_the_api() -> list[int]:
        seen = []
        while not is_done.is_set():
            answer = await client.get(f"/conditions/{SLUG}")
            page = answer.json()
            assert words_of(page) == {f"word {page['revision']}"}
            assert answer.headers["ETag"].startswith(f'"{page["revision"]}-')
            seen.append(page["revision"])
            await asyncio.sleep(0.005)
        return seen

    async def read_from_the_database() -> list[int]:
        seen = []
        while not is_done.is_set():
            async with database.read() as session:
                page = (await pages.get_published(session, SLUG)).model_dump()
            assert words_of(page) == {f"word {page['revision']}"}
            seen.append(page["revision"])
        return seen

    by_api, by_database, _ = await asyncio.gather(read_through_the_api(), read_from_the_database(), publish_more())
    assert by_api == sorted(by_api)
    assert len(set(by_api)) > 1
    assert by_database == sorted(by_database)
    assert len(set(by_database)) > 5


async def test_what_a_review_says_changes_with_the_day(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = {"last_reviewed_on": "2026-01-01", "next_review_on": "2030-03-01", "reviewed_by": "Synthetic board"}
    await publish(database, review=review)
    now = datetime(2030, 3, 1, 23, 59, 59, 900_000, tzinfo=UTC)

    async def turned(_session: AsyncSession) -> datetime:
        return now

    monkeypatch.setattr(clock, "now_in", turned)
    app = create_app(settings)
    async with app.router.lifespan_context(app), client_of(app) as client:

        async def status() -> str:
            return str((await client.get(f"/conditions/{SLUG}")).json()["review"]["status"])

        assert [await status(), await status()] == ["due", "due"]
        now += timedelta(seconds=0.2)
        turned_at = monotonic()
        while await status() != "overdue":
            assert monotonic() < turned_at + 1
            await asyncio.sleep(0.02)
        assert await status() == "overdue"


def finished(size: int) -> FinishedAnswer:
    """An answer with a body of this size."""
    head = FinishedHead(200, (), b"")
    return FinishedAnswer("/conditions", b'"0-0"', b" " * size, head, head)


async def test_memory_is_bounded_and_keeps_what_is_asked_for(database: Database) -> None:
    published = PublishedPages(database, memory_mb=1)
    for number in range(100):
        published.keep(number, finished(100_000), age=published.age())
        published.find(0)
    kept = [number for number in range(100) if published.find(number)]
    assert kept == [0, *range(91, 100)]
    # One that is larger than all of the memory is not for it.
    published.keep("large", finished(2_000_000), age=published.age())
    assert published.find("large") is None
    published = PublishedPages(database, memory_mb=1)
    for number in range(100):
        published.keep(number, finished(100_000), age=published.age())
        published.keep(number, finished(100_000), age=published.age())
    assert sum(published.find(number) is not None for number in range(100)) == 10


async def test_what_was_read_before_a_publish_is_not_kept_after_it(database: Database) -> None:
    published = PublishedPages(database, memory_mb=1)
    age = published.age()
    await publish(database)
    published.keep("page", finished(10), age=age)
    assert published.find("page") is None
    published.keep("page", finished(10), age=published.age())
    assert published.find("page") is not None
    # Whatever else this process writes leaves it.
    async with database.write() as session:
        await session.exec(update(Category).values(position=1))
    assert published.age() >= 0
    assert published.find("page") is not None


async def test_what_is_counted_for_an_answer_is_what_it_takes(app: FastAPI, client: httpx.AsyncClient) -> None:
    for number in range(300):
        await client.get(f"/conditions?letter=a&limit={number % 100 + 1}", headers={"Accept-Encoding": "gzip"})
    published = app.state.published
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for place in "abcdefgh":
            for number in range(100):
                await client.get(f"/conditions?letter={place}&limit={number + 1}")
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    counted = sum(len(answer.body) + AROUND for answer in list(published._answers.values())[-800:])  # noqa: SLF001
    assert 0.5 * counted < taken < counted
