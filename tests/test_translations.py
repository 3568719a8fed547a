"""What translations say of their condition's category, and leave out of its treatments."""

import asyncio
from typing import Any

import httpx
import pytest

from app.content import publishing
from app.content.document import ConditionDocument
from app.content.errors import CategoryDiffers
from app.content.tables import Category, RevisionSource
from app.core.db import Database
from tests.editing import SLUG, begin, look, put, step
from tests.moves import feed
from tests.pages import page_content, publish, treatment
from tests.rows import everything
from tests.schedules import drafts_of
from tests.wishes import refusal

A, B = {"slug": "synthetic-a", "name": "Synthetic A"}, {"slug": "synthetic-b", "name": "Synthetic B"}
OFFERED = "/treatment-options/synthetic-offered"


async def categories(client: httpx.AsyncClient) -> dict[str, int]:
    """How many conditions each synthetic category has."""
    items = (await client.get("/categories?limit=100")).json()["items"]
    return {item["slug"]: item["condition_count"] for item in items if item["slug"].startswith("synthetic")}


async def search(client: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    """What is found, once anything is: what another process has published is found within a second."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(5):
        while not found:
            found = (await client.get("/search", params=query)).json()["items"]
            await asyncio.sleep(0.05)
    return found


async def test_a_translation_makes_no_category(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, category=A)
    told = await feed(database, "kind", "subject", "slug")
    await begin(client, admin, locale="es", category={"slug": "synthetic-typo", "name": "Sintética"})
    assert refusal(await step(client, admin, "publish", locale="es")) == (409, "category-differs")
    assert await categories(client) == {"synthetic-a": 1}
    assert await feed(database, "kind", "subject", "slug") == told
    # What is refused writes nothing: seeding goes on after it.
    document = ConditionDocument.model_validate(page_content(locale="es", category=B))
    async with database.write() as session:
        with pytest.raises(CategoryDiffers):
            await publishing.publish(session, document, source=RevisionSource.SEED, by="test")
    assert {row["slug"] for row in await everything(database, Category)} & {"synthetic-b", "synthetic-typo"} == set()
    named = {"slug": "synthetic-a", "name": "Sintética A"}
    await put(client, admin, locale="es", category=named)
    assert (await step(client, admin, "publish", locale="es")).status_code == 200
    assert (await client.get(f"/conditions/{SLUG}?locale=es")).json()["category"] == named


@pytest.mark.parametrize("begins", ["edit", "restore"])
async def test_a_translation_goes_along_to_another_category(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, begins: str
) -> None:
    await publish(database, category=A)
    await publish(database, locale="es", category=A | {"name": "Sintética A"})
    await publish(database, category=B)
    assert (await client.delete("/categories/synthetic-a", headers=admin)).status_code == 200
    if begins == "edit":
        assert (await put(client, admin, locale="es", summary="Otra."))["document"]["category"] == B
    else:
        answer = await client.post(f"/conditions/{SLUG}/revisions/1/restore?locale=es", headers=admin)
        assert answer.json()["document"]["category"] == B
    assert (await step(client, admin, "publish", locale="es")).status_code == 200
    assert await categories(client) == {"synthetic-b": 1}


async def test_what_is_restored_is_in_the_present_category_where_its_own_was_deleted(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, category=A)
    await publish(database, category=B)
    assert (await client.delete("/categories/synthetic-a", headers=admin)).status_code == 200
    assert (await client.post(f"/conditions/{SLUG}/revisions/1/restore", headers=admin)).status_code == 201
    assert (await look(client, admin))[0]["document"]["category"] == B
    assert [draft["document"]["category"] for draft in await drafts_of(database)] == [B]


@pytest.mark.parametrize("language", ["en", "es"])
async def test_a_treatment_is_offered_where_any_language_of_a_page_says_so(
    client: httpx.AsyncClient, database: Database, language: str
) -> None:
    options = [treatment("synthetic-offered", "Synthetic offer")]
    other: dict[str, Any] = {"locale": "es", "name": "Sintética", "treatment_options": []}
    if language == "es":
        other["treatment_options"], options = options, []
    await publish(database, treatment_options=options)
    await publish(database, **other)
    for locale in ("en", "es"):
        shown = await client.get(OFFERED, params={"locale": locale})
        assert shown.status_code == 200
        # The words of the page that offers it.
        assert [(offer["condition"]["name"], offer["name"]) for offer in shown.json()["offered_for"]] == [
            ("Sintética" if language == "es" else f"Synthetic {SLUG}", "Synthetic offer")
        ]
        listed = (await client.get("/treatment-options", params={"locale": locale, "limit": 100})).json()["items"]
        assert [each["condition_count"] for each in listed if each["slug"] == "synthetic-offered"] == [1]
        query = {"locale": locale, "treatment": "synthetic-offered"}
        cards = (await client.get("/conditions", params=query)).json()["items"]
        assert [card["slug"] for card in cards] == [SLUG]
        found = await search(client, q="synthetic offer", type="treatment", locale=locale)
        assert [item["slug"] for item in found] == ["synthetic-offered"]
        assert (await client.get(found[0]["url"])).status_code == 200


async def test_an_offer_is_told_in_the_best_language_that_makes_it(
    client: httpx.AsyncClient, database: Database
) -> None:
    for locale in ("en", "es"):
        await publish(database, locale=locale, treatment_options=[treatment("synthetic-offered", f"Offer {locale}")])
    for locale in ("en", "es"):
        shown = (await client.get(OFFERED, params={"locale": locale})).json()
        assert [offer["name"] for offer in shown["offered_for"]] == [f"Offer {locale}"]


async def test_a_name_says_its_own_language(client: httpx.AsyncClient, database: Database) -> None:
    await publish(database)
    spanish = {"slug": "synthetic-other", "name": "Otra"}
    await publish(database, "synthetic-other", locale="es", category=spanish, treatment_options=[])
    for address, language in (
        ("/categories/synthetic-category", "en"),
        ("/treatment-options/synthetic-treatment", "en"),
        ("/categories/synthetic-other", "es"),
    ):
        answer = await client.get(address, headers={"Accept-Language": "es"})
        in_it = "?locale=es" if language == "es" else ""
        assert answer.headers["content-language"] == language
        assert answer.headers["link"] == f'<{address}{in_it}>; rel="canonical"'
