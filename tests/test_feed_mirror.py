"""Whoever follows the feed of changes has every page as it is, however many publish, rename and withdraw meanwhile."""

import asyncio
import hashlib
import multiprocessing
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from app.content.editorial_tables import ContentChange
from app.content.tables import Condition, ConditionPage
from app.core.db import Database, rows
from app.core.settings import Settings
from tests import feed_crew
from tests.mirrors import SECONDS, Mirror, Place
from tests.pages import publish
from tests.processes import serving
from tests.rows import everything, run

CREWS, SERVERS = 3, 2


@pytest.fixture
def addresses(settings: Settings, tmp_path: Path) -> Iterator[list[str]]:
    """Where several processes serve one database."""
    with ExitStack() as stack, ThreadPoolExecutor(SERVERS) as pool:
        servers = [serving(settings, tmp_path) for _ in range(SERVERS)]
        yield [served.address for served in pool.map(stack.enter_context, servers)]


@pytest.fixture
async def readers(addresses: list[str]) -> AsyncIterator[list[httpx.AsyncClient]]:
    """A client of each server."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(httpx.AsyncClient(base_url=address, trust_env=False, timeout=30))
            for address in addresses
        ]


async def truth(database: Database, client: httpx.AsyncClient) -> dict[Place, str]:
    """The hash of every page that there is, as the server answers it."""
    query = select(Condition.id, Condition.slug, ConditionPage.locale).join(
        ConditionPage, col(ConditionPage.condition_id) == Condition.id
    )
    async with database.read() as session:
        pages = await rows(session, query)
    found = {}
    for condition, slug, locale in pages:
        answer = await client.get(f"/conditions/{slug}", params={"locale": locale})
        assert (slug, answer.status_code, answer.json()["locale"]) == (slug, 200, locale)
        found[str(condition), locale] = hashlib.sha256(answer.content).hexdigest()
    return found


async def test_a_mirror_made_from_the_feed_alone_is_the_same_as_what_is_served(
    settings: Settings, database: Database, readers: list[httpx.AsyncClient]
) -> None:
    mirror = Mirror(readers)
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(CREWS, mp_context=multiprocessing.get_context("spawn")) as pool:
        crews = [loop.run_in_executor(pool, feed_crew.work, settings, seed) for seed in range(CREWS)]
        while not all(crew.done() for crew in crews):
            await mirror.catch_up()
        await asyncio.gather(*crews)
    while await mirror.catch_up():
        pass
    await asyncio.sleep(SECONDS)
    for reader in readers:
        assert mirror.hashes() == await truth(database, reader)
    assert len(mirror.pages) >= CREWS
    assert {locale for _, locale in mirror.pages} == {"en", "es"}
    # Nothing was left out, and it was as lively as the crews are.
    assert sum(mirror.seen.values()) == len(await everything(database, ContentChange))
    for kind, act in (
        ("condition renamed", "rename"),
        ("condition withdrawn", "withdraw"),
        ("category renamed", "category"),
        ("treatment renamed", "treatment"),
    ):
        assert mirror.seen[kind] == CREWS * feed_crew.ACTS[act]
    assert mirror.seen["condition published"] >= CREWS * (2 + feed_crew.ACTS["new"])


async def test_a_mirror_that_begins_afterwards_is_the_same(
    database: Database, settings: Settings, readers: list[httpx.AsyncClient]
) -> None:
    await asyncio.to_thread(feed_crew.work, settings, 1)
    mirror = Mirror(readers)
    assert await mirror.catch_up() > sum(feed_crew.ACTS.values())
    assert mirror.hashes() == await truth(database, readers[0])


async def test_a_mirror_goes_wrong_when_a_change_appears_before_those_that_it_has_seen(
    database: Database, readers: list[httpx.AsyncClient]
) -> None:
    """What numbers that are not in the order of the commits would do."""
    mirror = Mirror(readers)
    await publish(database)
    await mirror.catch_up()
    await publish(database, overview="Synthetic other.")
    late = (await everything(database, ContentChange))[-1]["number"]
    await run(database, update(ContentChange).where(col(ContentChange.number) == late).values(number=0))
    assert await mirror.catch_up() == 0
    await asyncio.sleep(SECONDS)
    assert mirror.hashes() != await truth(database, readers[0])
