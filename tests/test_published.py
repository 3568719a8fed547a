"""Pages that are served from memory: never older than a second, never a mix of two revisions."""

import asyncio
from time import monotonic
from typing import Any

import httpx

from app.content import pages
from app.core.db import Database
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
