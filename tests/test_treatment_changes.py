"""Editors make, name, rename, order and delete treatments; what a page says of one stays the page's."""

from typing import Any

import httpx
import pytest
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.content import schedule
from app.content.editorial_tables import ConditionDraft
from app.core.db import Database
from tests.conftest import headers_with
from tests.moves import feed, put_draft, rename
from tests.pages import publish, treatment
from tests.rows import counts, everything
from tests.schedules import end_at, within
from tests.test_category_changes import ANY
from tests.wishes import refusal

TREATMENT = "/treatment-options/synthetic-treatment"


async def create(client: httpx.AsyncClient, admin: dict[str, str], slug: str) -> dict[str, Any]:
    """Make a treatment; returns what it is called."""
    answer = await client.post("/treatment-options", json={"slug": slug, "name": "Synthetic"}, headers=admin)
    assert (answer.status_code, answer.headers["location"]) == (201, f"/treatment-options/{slug}")
    made: dict[str, Any] = answer.json()
    return made


async def order(client: httpx.AsyncClient, query: str = "limit=100") -> list[str]:
    """The treatments as they are listed."""
    found, address = [], f"/treatment-options?{query}"
    while address:
        answer = (await client.get(address)).json()
        found += [option["slug"] for option in answer["items"]]
        address = answer.get("next", "")
    return found


async def test_a_treatment_is_listed_once_a_page_offers_it(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    seeded = await order(client)
    made = await create(client, admin, "a-synthetic")
    assert made == {
        "slug": "a-synthetic",
        "version": 1,
        "position": len(seeded) + 1,
        "former_slugs": [],
        "names": [{"locale": "en", "name": "Synthetic"}],
    }
    assert (await client.get("/treatment-options/a-synthetic")).status_code == 404
    assert (await client.get("/treatment-options/a-synthetic/names", headers=admin)).json() == made
    await publish(database, treatment_options=[treatment("a-synthetic", name="As the page calls it")])
    shown = await client.get("/treatment-options/a-synthetic")
    assert (shown.json()["name"], shown.json()["offered_for"][0]["name"]) == ("Synthetic", "As the page calls it")
    # The last in order, whatever its name.
    assert await order(client) == [*seeded, "a-synthetic"]
    assert (await feed(database, "kind", "subject", "slug"))[0] == ("published", "treatment", "a-synthetic")


async def test_its_name_is_the_houses_and_the_pages_words_stay(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, treatment_options=[treatment("synthetic-treatment", name="As the page calls it")])
    tag = (await client.get(TREATMENT)).headers["etag"]
    for wish, status in (({"name": "Synthetic new name"}, 200), ({"name": "Synthetic lost"}, 412)):
        answer = await client.put(f"{TREATMENT}/names/en", json=wish, headers=admin | {"If-Match": tag})
        assert answer.status_code == status
    shown = await client.get(TREATMENT)
    assert (shown.json()["name"], shown.headers["etag"][:3]) == ("Synthetic new name", '"2-')
    page = (await client.get("/conditions/synthetic-condition")).json()
    assert page["treatment_options"][0]["name"] == "As the page calls it"
    answer = await client.put(f"{TREATMENT}/names/es", json={"name": "Sintético"}, headers=admin | {"If-Match": "*"})
    assert [said["locale"] for said in answer.json()["names"]] == ["en", "es"]
    assert (await feed(database, "kind", "slug", "locale", "sections"))[3:] == [
        ("updated", "synthetic-treatment", "en", ["name"]),
        ("updated", "synthetic-treatment", "es", ["name"]),
    ]


async def test_its_former_slug_leads_to_it(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    both = [treatment("synthetic-treatment"), treatment("synthetic-other")]
    await publish(database, treatment_options=both)
    await put_draft(database, treatment_options=both)
    await put_draft(
        database, "synthetic-b", overview='A "synthetic-treatment" is mentioned.', treatment_options=both[1:]
    )
    answer = await rename(client, admin, TREATMENT, "synthetic-new")
    assert (answer.json()["version"], answer.json()["former_slugs"]) == (2, ["synthetic-treatment"])
    moved = await client.get(TREATMENT)
    assert (moved.status_code, moved.headers["location"]) == (308, "/treatment-options/synthetic-new")
    page = (await client.get("/conditions/synthetic-condition")).json()
    assert [option["slug"] for option in page["treatment_options"]] == ["synthetic-new", "synthetic-other"]
    for slug in ("synthetic-treatment", "synthetic-new"):
        cards = (await client.get(f"/conditions?treatment={slug}")).json()["items"]
        assert [card["slug"] for card in cards] == ["synthetic-condition"]
    drafts = {row["slug"]: row for row in await everything(database, ConditionDraft)}
    told = {slug: [option["slug"] for option in row["document"]["treatment_options"]] for slug, row in drafts.items()}
    assert told == {"synthetic-condition": ["synthetic-new", "synthetic-other"], "synthetic-b": ["synthetic-other"]}
    assert {slug: row["version"] for slug, row in drafts.items()} == {"synthetic-condition": 2, "synthetic-b": 1}
    wish = {"slug": "synthetic-treatment", "name": "Synthetic"}
    assert refusal(await client.post("/treatment-options", json=wish, headers=admin)) == (409, "slug-retired")
    assert refusal(await rename(client, admin, "/treatment-options/nothing", "synthetic-c")) == (
        404,
        "treatment-option-not-found",
    )


async def test_the_order_is_the_editors(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    await publish(database, treatment_options=[treatment("a-synthetic")])
    wanted = (await order(client))[::-1]
    await create(client, admin, "never-offered")
    answer = await client.put("/treatment-option-order", json={"slugs": wanted}, headers=admin | ANY)
    (fault,) = answer.json()["errors"]
    assert (answer.status_code, fault["code"], "never-offered" in fault["detail"]) == (422, "missing", True)
    answer = await client.put(
        "/treatment-option-order", json={"slugs": [*wanted, "never-offered"]}, headers=admin | ANY
    )
    assert answer.json() == {"slugs": [*wanted, "never-offered"]}
    assert (await client.get("/treatment-option-order", headers=admin)).json() == answer.json()
    assert await order(client) == await order(client, "limit=2") == wanted


async def test_what_is_used_is_not_deleted(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    await put_draft(database, "synthetic-draft")
    answer = await client.delete(TREATMENT, headers=admin)
    assert refusal(answer) == (409, "treatment-in-use")
    assert answer.json()["used_by"] == [
        {"kind": "condition", "slug": "synthetic-condition", "name": "Synthetic synthetic-condition"},
        {"kind": "draft", "slug": "synthetic-draft", "name": "Synthetic synthetic-draft"},
    ]
    assert (await client.get(TREATMENT)).status_code == 200


async def test_what_nothing_uses_is_deleted(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    made = await create(client, admin, "synthetic-a")
    answer = await client.delete("/treatment-options/synthetic-a", headers=admin | {"If-Match": '"1"'})
    assert (answer.status_code, answer.json()) == (200, made)
    again = await client.delete("/treatment-options/synthetic-a", headers=admin)
    assert refusal(again) == (404, "treatment-option-not-found")
    assert (await feed(database, "kind", "slug"))[-1] == ("deleted", "synthetic-a")
    trail = [line["action"] for line in await everything(database, AuditEntry, col(AuditEntry.actor).like("api_key%"))]
    assert trail == ["treatment.created", "treatment.deleted"]


@pytest.mark.parametrize("headers", [{}, {"scopes": "content:write"}])
async def test_each_change_takes_the_right_to_publish(
    client: httpx.AsyncClient, database: Database, headers: dict[str, str]
) -> None:
    sent = (await headers_with(database, Scope.CONTENT_WRITE) if headers else {}) | {"If-Match": "*"}
    before = await counts(database, AuditEntry)
    for request in (
        client.post("/treatment-options", json={"slug": "synthetic-a", "name": "Synthetic"}, headers=sent),
        client.put("/treatment-options/car-t-cell-therapy/names/en", json={"name": "Synthetic"}, headers=sent),
        client.post("/treatment-options/car-t-cell-therapy/rename", json={"slug": "synthetic-a"}, headers=sent),
        client.put("/treatment-option-order", json={"slugs": ["car-t-cell-therapy"]}, headers=sent),
        client.delete("/treatment-options/car-t-cell-therapy", headers=sent),
    ):
        assert (await request).status_code == (403 if headers else 401)
    assert await counts(database, AuditEntry) == before


async def test_two_treatments_of_a_draft_do_not_become_one(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, treatment_options=[treatment("synthetic-a")])
    options = [treatment("synthetic-a"), treatment("synthetic-new")]
    await put_draft(database, "synthetic-draft", treatment_options=options)
    before = await everything(database, ConditionDraft)
    assert refusal(await rename(client, admin, "/treatment-options/synthetic-a", "synthetic-new")) == (
        409,
        "slug-in-use",
    )
    assert await everything(database, ConditionDraft) == before
    assert (await rename(client, admin, "/treatment-options/synthetic-a", "synthetic-b")).status_code == 200


async def test_the_feed_leads_to_a_treatment_only_while_a_page_offers_it(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    async def told() -> list[tuple[str, list[str], str | None]]:
        items = (await client.get("/changes?limit=100")).json()["items"]
        return [(i["kind"], i["sections"], i.get("url")) for i in items if i["slug"] == "synthetic-a"]

    url = "/treatment-options/synthetic-a"
    await create(client, admin, "synthetic-a")
    assert await told() == [("published", [], None)]
    offer: dict[str, Any] = {"treatment_options": [treatment("synthetic-a")]}
    for _ in range(2):
        await publish(database, **offer)
    await publish(database, "synthetic-other", **offer)
    offered = [("published", [], url), ("updated", ["offered_for"], url)]
    assert await told() == offered
    assert (await client.get(url)).status_code == 200
    for slug in ("synthetic-condition", "synthetic-other"):
        await publish(database, slug, treatment_options=[])
    gone: tuple[str, list[str], None] = ("unpublished", [], None)
    assert await told() == [("published", [], None), ("updated", ["offered_for"], None), gone]
    await publish(database, locale="es", **offer)
    assert await told() == [*offered, gone, ("updated", ["name"], url + "?locale=es"), offered[1]]


async def test_the_feed_tells_of_a_treatment_that_goes_with_its_last_page(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    async def told() -> list[tuple[str, str]]:
        found = await feed(database, "subject", "slug", "kind")
        return [(slug, kind) for subject, slug, kind in found if subject == "treatment"]

    for slug in ("synthetic-a", "synthetic-b"):
        await publish(database, slug, treatment_options=[treatment("synthetic-both"), treatment(f"of-{slug}")])
    made = len(await told())
    await client.post("/conditions/synthetic-a/withdraw", headers=admin)
    assert (await told())[made:] == [("of-synthetic-a", "unpublished")]
    ended = await publish(database, "synthetic-b", treatment_options=[treatment("synthetic-both"), treatment("of-b")])
    assert (await told())[made + 1 :] == [("of-b", "published"), ("of-synthetic-b", "unpublished")]
    await end_at(database, within(-1), ended.condition_id)
    await schedule.publish_due(database)
    assert (await told())[made + 3 :] == [("of-b", "unpublished"), ("synthetic-both", "unpublished")]
    known = dict(await told())
    read = {slug: (await client.get(f"/treatment-options/{slug}")).status_code for slug in known}
    assert {slug for slug in known if read[slug] == 200} == {slug for slug in known if known[slug] != "unpublished"}
