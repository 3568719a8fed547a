"""Editors make, name, rename, order and delete categories; each change is public at once."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, insert
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.content.editorial_tables import ConditionDraft
from app.content.tables import Treatment
from app.core.db import Database
from app.core.ids import new_id
from tests.conftest import headers_with
from tests.editing import told as told_of_drafts
from tests.moves import feed, put_draft, rename, seen
from tests.pages import publish
from tests.rows import counts, everything
from tests.wishes import listed, post_slot, refusal

ANY = {"If-Match": "*"}
SEEDED, CATEGORY = "/categories/hematologic-malignancies", "/categories/synthetic-category"


async def create(client: httpx.AsyncClient, admin: dict[str, str], slug: str, **words: str) -> dict[str, Any]:
    """Make a category; returns what it is called."""
    wish = {"slug": slug, "name": f"Synthetic {slug}"} | words
    answer = await client.post("/categories", json=wish, headers=admin)
    assert (answer.status_code, answer.headers["location"]) == (201, f"/categories/{slug}")
    made: dict[str, Any] = answer.json()
    return made


async def name(
    client: httpx.AsyncClient, admin: dict[str, str], words: dict[str, str], *, tag: str = "*", locale: str = "en"
) -> httpx.Response:
    """Name the synthetic category."""
    return await client.put(f"{CATEGORY}/names/{locale}", json=words, headers=admin | {"If-Match": tag})


async def order(client: httpx.AsyncClient) -> list[str]:
    """The categories as they are listed."""
    return [category["slug"] for category in (await client.get("/categories")).json()["items"]]


async def test_a_category_is_made_the_last_in_order(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    assert await create(client, admin, "synthetic-b", description="Synthetic description.") == {
        "slug": "synthetic-b",
        "version": 1,
        "position": 2,
        "former_slugs": [],
        "names": [{"locale": "en", "name": "Synthetic synthetic-b", "description": "Synthetic description."}],
    }
    await create(client, admin, "synthetic-a")
    assert await order(client) == ["hematologic-malignancies", "synthetic-b", "synthetic-a"]
    shown = (await client.get("/categories/synthetic-b")).json()
    assert (shown["description"], shown["conditions"]) == ("Synthetic description.", [])
    assert (await client.get("/categories/synthetic-b/names", headers=admin)).json()["position"] == 2
    again = await client.post("/categories", json={"slug": "synthetic-a", "name": "Synthetic"}, headers=admin)
    assert refusal(again) == (409, "slug-in-use")
    assert await feed(database, "kind", "subject", "slug") == [
        ("published", "category", "synthetic-b"),
        ("published", "category", "synthetic-a"),
    ]


async def test_a_name_is_on_the_pages_at_once(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    before = await client.get(CATEGORY)
    tag = before.headers["etag"]
    assert tag.startswith('"1-')
    answer = await name(client, admin, {"name": "Synthetic new name"}, tag=tag)
    assert (answer.json()["version"], answer.json()["names"][0]["name"]) == (2, "Synthetic new name")
    assert (await client.get("/conditions/synthetic-condition")).json()["category"]["name"] == "Synthetic new name"
    after = await client.get(CATEGORY)
    assert (after.json()["name"], after.headers["etag"][:3]) == ("Synthetic new name", '"2-')
    assert refusal(await name(client, admin, {"name": "Synthetic lost"}, tag=tag)) == (412, "version-stale")
    answer = await client.put(f"{CATEGORY}/names/en", json={"name": "Synthetic lost"}, headers=admin)
    assert refusal(answer) == (428, "version-needed")
    # Nothing new is no change.
    assert (await name(client, admin, {"name": "Synthetic new name"})).json()["version"] == 2
    assert (await feed(database, "kind", "slug", "locale", "sections"))[3:] == [
        ("updated", "synthetic-category", "en", ["name"])
    ]


async def test_it_has_a_name_in_each_language(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    words = {"name": "Categoría sintética", "description": "Descripción."}
    answer = await name(client, admin, words, locale="es")
    assert answer.json()["names"] == [
        {"locale": "en", "name": "Synthetic Category"},
        {"locale": "es", "name": "Categoría sintética", "description": "Descripción."},
    ]
    answer = await name(client, admin, {"name": "Categoría sintética"}, locale="es")
    assert answer.json()["names"][1] == {"locale": "es", "name": "Categoría sintética"}
    bad = await name(client, admin, words, locale="not a locale")
    assert [fault["parameter"] for fault in bad.json()["errors"]] == ["locale"]


async def test_drafts_say_the_new_name_and_slug(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    await put_draft(database)
    await put_draft(database, locale="es")
    await put_draft(database, "synthetic-other", category={"slug": "synthetic-other", "name": "Synthetic Category"})
    await name(client, admin, {"name": "Synthetic new name"})
    await rename(client, admin, CATEGORY, "synthetic-new")
    drafts = await everything(database, ConditionDraft)
    told = sorted((row["locale"], *row["document"]["category"].values(), row["version"]) for row in drafts)
    assert told == [
        ("en", "synthetic-new", "Synthetic new name", 3),
        ("en", "synthetic-other", "Synthetic Category", 1),
        ("es", "synthetic-new", "Synthetic Category", 2),
    ]
    assert await told_of_drafts(database) == [("renamed", 2), ("renamed", 3), ("renamed", 2)]
    trail = await everything(database, AuditEntry, col(AuditEntry.action) == "condition_draft.renamed")
    assert [line["fields"] for line in trail] == [["category"]] * 3
    # So they can be published as they are.
    new = {"slug": "synthetic-new", "name": "Synthetic new name"}
    assert (await publish(database, category=new)).number == 2


async def test_its_former_slug_leads_to_it(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    answer = await rename(client, admin, CATEGORY, "synthetic-new")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["slug"], told["version"], told["former_slugs"]) == ("synthetic-new", 2, ["synthetic-category"])
    moved = await client.get(f"{CATEGORY}?x=1")
    assert (moved.status_code, moved.headers["location"]) == (308, "/categories/synthetic-new?x=1")
    assert moved.headers["link"] == '</categories/synthetic-new>; rel="canonical"'
    assert (await client.get("/categories/synthetic-new")).json()["slug"] == "synthetic-new"
    cards = await seen(client, "/conditions?category=synthetic-category", 200)
    assert [card["category"]["slug"] for card in cards.json()["items"]] == ["synthetic-new"]
    slot = await post_slot(client, admin, category="synthetic-category")
    assert slot["category"]["slug"] == "synthetic-new"
    assert await listed(client, "category=synthetic-category") == [slot["id"]]
    wish = {"slug": "synthetic-category", "name": "Synthetic"}
    assert refusal(await client.post("/categories", json=wish, headers=admin)) == (409, "slug-retired")
    assert refusal(await rename(client, admin, SEEDED, "synthetic-new")) == (409, "slug-in-use")


async def test_the_order_is_the_editors(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    for letter in "abc":
        await create(client, admin, f"synthetic-{letter}")
    wanted = ["synthetic-c", "hematologic-malignancies", "synthetic-b", "synthetic-a"]
    answer = await client.put("/category-order", json={"slugs": wanted}, headers=admin | ANY)
    assert (answer.status_code, answer.json()) == (200, {"slugs": wanted})
    assert await order(client) == wanted
    assert (await client.get("/category-order", headers=admin)).json() == {"slugs": wanted}
    # A page of the list goes on where it ended.
    first = (await client.get("/categories?limit=2")).json()
    rest = (await client.get(first["next"])).json()
    assert [category["slug"] for category in first["items"] + rest["items"]] == wanted
    moved = await feed(database, "kind", "slug", "sections")
    assert moved[3:] == [("updated", slug, ["position"]) for slug in (wanted[0], wanted[1], wanted[3])]
    await client.put("/category-order", json={"slugs": wanted}, headers=admin | ANY)
    assert await feed(database, "kind", "slug", "sections") == moved


async def test_of_two_who_order_what_they_have_read_the_second_is_told(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    await create(client, admin, "synthetic-a")
    read = await client.get("/category-order", headers=admin)
    match, slugs = {"If-Match": read.headers["etag"]}, read.json()["slugs"]
    wish = {"slugs": slugs[::-1]}
    refused = await client.put("/category-order", json=wish, headers=admin)
    assert refusal(refused) == (428, "version-needed")
    assert (await client.put("/category-order", json=wish, headers=admin | match)).status_code == 200
    late = await client.put("/category-order", json={"slugs": slugs}, headers=admin | match)
    assert (refusal(late), await order(client)) == ((412, "version-stale"), wish["slugs"])
    # What names one twice would be wrong whatever was read.
    twice = await client.put("/category-order", json={"slugs": [*slugs, slugs[0]]}, headers=admin | match)
    assert twice.status_code == 422


async def test_an_order_of_many_takes_no_more_statements_than_one_of_few(
    client: httpx.AsyncClient, admin: dict[str, str], app: FastAPI
) -> None:
    ran: list[str] = []
    engine = app.state.database.writing.sync_engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: ran.append(statement))
    numbers = []
    for more in (2, 12):
        for number in range(more):
            await create(client, admin, f"synthetic-{more}-{number}")
        wanted = (await order(client))[::-1]
        ran.clear()
        assert (await client.put("/category-order", json={"slugs": wanted}, headers=admin | ANY)).status_code == 200
        numbers.append(len(ran))
    assert numbers[0] == numbers[1]


async def test_thousands_can_be_put_in_order(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    made = [{"id": new_id(), "slug": f"synthetic-{number:0>80}", "position": number} for number in range(2, 3_000)]
    async with database.write() as session:
        await session.exec(insert(Treatment), params=made)
    wanted = (await client.get("/treatment-option-order", headers=admin)).json()["slugs"][::-1]
    answer = await client.put("/treatment-option-order", json={"slugs": wanted}, headers=admin | ANY)
    assert (answer.status_code, len(wanted) > len(made)) == (200, True)
    assert (await client.get("/treatment-option-order", headers=admin)).json()["slugs"] == wanted


@pytest.mark.parametrize(
    ("slugs", "pointer", "code"),
    [
        (["synthetic-a"], "/slugs", "missing"),
        (["synthetic-a", "hematologic-malignancies", "nothing"], "/slugs/2", "unknown_reference"),
        (["synthetic-a", "hematologic-malignancies", "synthetic-a"], "/slugs/2", "unknown_reference"),
        ([], "/slugs", "too_short"),
    ],
)
async def test_an_order_names_each_once(
    client: httpx.AsyncClient, admin: dict[str, str], slugs: list[str], pointer: str, code: str
) -> None:
    await create(client, admin, "synthetic-a")
    answer = await client.put("/category-order", json={"slugs": slugs}, headers=admin | ANY)
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(pointer, code)]
    assert await order(client) == ["hematologic-malignancies", "synthetic-a"]


async def test_each_change_takes_the_right_to_publish(client: httpx.AsyncClient, database: Database) -> None:
    writer = await headers_with(database, Scope.CONTENT_WRITE, Scope.CONTENT_READ)
    before = await counts(database, AuditEntry)
    for headers, code in (({}, (401, "credential-invalid")), (writer, (403, "scope-missing"))):
        sent = headers | {"If-Match": "*"}
        for request in (
            client.post("/categories", json={"slug": "synthetic-a", "name": "Synthetic"}, headers=sent),
            client.put(f"{SEEDED}/names/en", json={"name": "Synthetic"}, headers=sent),
            client.post(f"{SEEDED}/rename", json={"slug": "synthetic-a"}, headers=sent),
            client.put("/category-order", json={"slugs": ["hematologic-malignancies"]}, headers=sent),
            client.delete(SEEDED, headers=sent),
        ):
            assert refusal(await request) == code
    assert await counts(database, AuditEntry) == before
