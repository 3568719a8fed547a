"""`Last-Modified` of a page moves with whatever is on it, and with nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import category_changes, schedule, slugs, treatment_changes, withdrawals
from app.content.editorial_tables import ContentChange, Subject
from app.content.name_shapes import CategoryWords, TreatmentWords
from app.content.tables import ConditionPage
from app.core import clock
from app.core.db import Database
from tests.pages import publish, treatment
from tests.rows import run
from tests.schedules import end_at, review_until, within

SLUG, LONG_AGO = "synthetic-condition", timedelta(days=100)
Change = Callable[[AsyncSession], Awaitable[Any]]


async def rename_condition(session: AsyncSession) -> None:
    await slugs.rename(session, Subject.CONDITION, SLUG, "synthetic-between", by="test")
    await slugs.rename(session, Subject.CONDITION, "synthetic-between", SLUG, by="test")


async def rename_category(session: AsyncSession) -> None:
    await slugs.rename(session, Subject.CATEGORY, "synthetic-category", "synthetic-new", by="test")


async def name_category(session: AsyncSession) -> None:
    words = CategoryWords(name="Synthetic new name")
    await category_changes.name(session, "synthetic-category", "en", words, by="test", versions=None)


async def rename_treatment(session: AsyncSession) -> None:
    await slugs.rename(session, Subject.TREATMENT, "synthetic-treatment", "synthetic-new", by="test")


async def name_treatment(session: AsyncSession) -> None:
    words = TreatmentWords(name="Synthetic new name")
    await treatment_changes.name(session, "synthetic-treatment", "en", words, by="test", versions=None)


async def withdraw_other(session: AsyncSession) -> None:
    await withdrawals.withdraw(session, "synthetic-other", replacement=None, by="test")


async def modified(client: httpx.AsyncClient, address: str = f"/conditions/{SLUG}") -> datetime:
    """When the page changed last, as the answer says."""
    answer = await client.get(address)
    assert answer.status_code == 200, answer.text
    return parsedate_to_datetime(answer.headers["last-modified"])


async def grow_old(database: Database) -> datetime:
    """Let all that has happened be long ago; returns when."""
    moment = (clock.now() - LONG_AGO).replace(microsecond=0)
    await run(database, update(ContentChange).values(at=moment), update(ConditionPage).values(updated_at=moment))
    return moment


@pytest.fixture
async def long_ago(database: Database) -> datetime:
    """When the synthetic page was published, and another one of another category."""
    await publish(database)
    other = {"slug": "synthetic-other", "name": "Synthetic Other"}
    await publish(database, "synthetic-other", category=other, treatment_options=[treatment("synthetic-other")])
    return await grow_old(database)


@pytest.mark.parametrize("change", [rename_condition, rename_category, name_category, rename_treatment])
async def test_it_moves_with_what_is_on_the_page(
    client: httpx.AsyncClient, database: Database, long_ago: datetime, change: Change
) -> None:
    before = await client.get(f"/conditions/{SLUG}")
    assert parsedate_to_datetime(before.headers["last-modified"]) == long_ago
    async with database.write() as session:
        await change(session)
    for address in (f"/conditions/{SLUG}", f"/conditions/{SLUG}.jsonld"):
        assert clock.now() - await until_moved(client, address, long_ago) < timedelta(minutes=1)
    # What was written when is another thing.
    after = (await client.get(f"/conditions/{SLUG}")).json()
    assert (after["updated_at"], after["revision"]) == (before.json()["updated_at"], 1)


@pytest.mark.parametrize("change", [name_treatment, withdraw_other])
async def test_it_stays_with_what_is_not_on_the_page(
    client: httpx.AsyncClient, database: Database, long_ago: datetime, change: Change
) -> None:
    async with database.write() as session:
        await change(session)
    assert await modified(client) == long_ago


async def test_it_moves_when_a_translation_comes_and_when_it_goes(
    client: httpx.AsyncClient, database: Database, long_ago: datetime
) -> None:
    made = await publish(database, locale="es")
    assert await until_moved(client, f"/conditions/{SLUG}", long_ago) > long_ago
    long_ago = await grow_old(database)
    await end_at(database, within(-1), made.condition_id)
    spanish = (col(ConditionPage.condition_id) == made.condition_id) & (col(ConditionPage.locale) == "en")
    await run(database, update(ConditionPage).where(spanish).values(unpublish_at=None))
    await schedule.publish_due(database)
    assert await until_moved(client, f"/conditions/{SLUG}", long_ago) > long_ago


@pytest.mark.parametrize(("left", "turned"), [(10, -20), (0, -30), (-1, 0), (-5, -4), (40, None)])
async def test_it_is_the_midnight_at_which_the_review_turned(
    client: httpx.AsyncClient, database: Database, left: int, turned: int | None
) -> None:
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    await publish(database, review=review_until((today + timedelta(days=left)).date()))
    moment = await grow_old(database)
    assert await modified(client) == (moment if turned is None else today + timedelta(days=turned))


async def until_moved(client: httpx.AsyncClient, address: str, before: datetime) -> datetime:
    """What the page says once it does not say this any more: what another process did is seen within a second."""
    seen = await modified(client, address)
    async with asyncio.timeout(5):
        while seen == before:
            await asyncio.sleep(0.05)
            seen = await modified(client, address)
    return seen
