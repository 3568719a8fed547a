"""What many ask for is given until it is made anew, for a moment, and never where it was published."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.content.answers import FinishedAnswer, FinishedHead
from app.content.published import PublishedPages
from app.core.db import Database
from app.core.settings import Settings
from tests.pages import publish
from tests.public_changes import OTHER, OWN

HEAD = FinishedHead(200, (), b"")


def finished(body: str, **more: Any) -> FinishedAnswer:
    """An answer with this body."""
    return FinishedAnswer("/conditions", b'"0-0"', body.encode(), HEAD, HEAD, **more)


@pytest.fixture
async def published(database: Database, settings: Settings) -> AsyncIterator[tuple[PublishedPages, Database]]:
    """What a process remembers, which looks for what others publish, and its own way into the database."""
    await publish(database)
    own = Database(settings)
    pages = PublishedPages(own, memory_mb=1)
    await pages.edition()
    async with pages.kept_fresh():
        yield pages, own
    await own.close()


def ask(pages: PublishedPages, key: str) -> str | None:
    answer = pages.find(key)
    return None if answer is None else answer.body.decode()


async def test_what_many_ask_for_is_made_anew_before_it_is_forgotten(
    published: tuple[PublishedPages, Database], database: Database
) -> None:
    pages, _ = published

    async def again() -> None:
        age = pages.age()
        await asyncio.sleep(0.05)
        pages.keep("page", finished("new", page=OWN), age=age)

    pages.keep("page", finished("former", page=OWN, again=again), age=pages.age())
    pages.keep("rare", finished("former", page=OWN, again=again), age=pages.age())
    assert ask(pages, "rare") == "former"
    for _ in range(100):
        ask(pages, "page")
    await publish(database)
    until = time.monotonic() + 1
    said: list[str | None] = []
    while not said or said[-1] != "new":
        assert time.monotonic() < until
        said.append(ask(pages, "page"))
        await asyncio.sleep(0.001)
    # Never nothing, and what nobody waits for is gone.
    assert set(said) == {"former", "new"}
    assert ask(pages, "rare") is None


async def test_what_is_not_made_anew_in_time_is_forgotten(
    published: tuple[PublishedPages, Database], database: Database
) -> None:
    pages, _ = published
    never = asyncio.Event()
    for key in ("slow", "slower"):
        pages.keep(key, finished("former", again=never.wait), age=pages.age())
        for _ in range(100):
            ask(pages, key)
    await publish(database)
    published_at = time.monotonic()
    while ask(pages, "slow") or ask(pages, "slower"):
        assert time.monotonic() < published_at + 1
        await asyncio.sleep(0.01)
    # The next change is seen all the same.
    pages.keep("slow", finished("newer"), age=pages.age())
    await publish(database)
    published_at = time.monotonic()
    while ask(pages, "slow"):
        assert time.monotonic() < published_at + 1
        await asyncio.sleep(0.01)


async def test_nothing_former_is_found_where_it_was_published(published: tuple[PublishedPages, Database]) -> None:
    pages, own = published

    async def again() -> None:
        pass

    for _ in range(5):
        for key, page in (("own", OWN), ("list", None), ("other", OTHER)):
            pages.keep(key, finished("former", page=page, again=again), age=pages.age())
            for _ in range(100):
                ask(pages, key)
        await publish(own)
        # Until it is known what it touches, nothing is found; and once it is, only what it does not.
        assert [ask(pages, key) for key in ("own", "list", "other")] == [None, None, None]
        await pages.get_ready()
        assert [ask(pages, key) for key in ("own", "list", "other")] == [None, None, "former"]


async def test_what_was_begun_before_a_change_was_seen_is_not_kept_after_it(
    published: tuple[PublishedPages, Database], database: Database
) -> None:
    pages, _ = published
    age = pages.age()
    before = await pages.edition()
    await publish(database, OTHER)
    await asyncio.sleep(1)
    assert await pages.edition() != before
    pages.keep("page", finished("former", page=OWN), age=age)
    assert ask(pages, "page") is None
