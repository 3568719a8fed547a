"""A category is deleted: not while anything uses it, whoever comes first."""

import asyncio

import httpx
import pytest
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations import slots
from app.consultations.slot_shapes import ConsultationSlotCreate
from app.content import category_changes
from app.content.errors import SlugRetired
from app.core.db import Database
from app.core.ids import new_id
from tests.clinics import make_schedule, open_clinic, schedule_wish
from tests.moves import feed, put_draft, rename
from tests.pages import publish, treatment
from tests.rows import everything
from tests.test_category_changes import CATEGORY, create
from tests.wishes import post_slot, refusal, slot_wish

CATEGORY_OF_PAGES = {"slug": "synthetic-category", "name": "Synthetic Category"}
WITHDRAWN = "/conditions/synthetic-condition/withdraw"


async def test_what_is_used_is_not_deleted(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    await put_draft(database, "synthetic-draft")
    slot = await post_slot(client, admin, category="synthetic-category")
    await open_clinic(client, admin)
    schedule = await make_schedule(client, admin, category="synthetic-category")
    answer = await client.delete(CATEGORY, headers=admin)
    assert refusal(answer) == (409, "category-in-use")
    assert answer.json()["used_by"] == [
        {"kind": "condition", "slug": "synthetic-condition", "name": "Synthetic synthetic-condition"},
        {"kind": "draft", "slug": "synthetic-draft", "name": "Synthetic synthetic-draft"},
        {"kind": "consultation_slot", "id": slot["id"]},
        {"kind": "slot_schedule", "id": schedule["id"]},
    ]
    assert (await client.get(CATEGORY)).status_code == 200


async def test_who_posts_a_slot_for_a_category_that_is_being_deleted_is_told_that_it_is_unknown(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await create(client, admin, "synthetic-a")
    async with database.write() as session:
        await category_changes.delete(session, "synthetic-a", by="test", versions=None)
        wish = slot_wish(category="synthetic-a")
        posting = asyncio.create_task(client.post("/consultation-slots", json=wish, headers=admin))
        await asyncio.sleep(0.3)
        assert not posting.done()
    answer = await posting
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
        ("/category", "unknown_reference")
    ]


async def test_who_makes_a_schedule_for_a_category_that_is_being_deleted_is_told_that_it_is_unknown(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await create(client, admin, "synthetic-a")
    await open_clinic(client, admin)
    async with database.write() as session:
        await category_changes.delete(session, "synthetic-a", by="test", versions=None)
        wish = schedule_wish(category="synthetic-a")
        making = asyncio.create_task(client.post("/slot-schedules", json=wish, headers=admin))
        await asyncio.sleep(0.3)
        assert not making.done()
    answer = await making
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
        ("/category", "unknown_reference")
    ]


async def test_who_deletes_a_category_that_a_slot_is_being_posted_for_is_told_of_the_slot(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await create(client, admin, "synthetic-a")
    slot_id = new_id()
    wish = ConsultationSlotCreate.model_validate(slot_wish(category="synthetic-a"))
    async with database.write() as session:
        await slots.post(session, wish, slot_id=slot_id, by="test")
        deleting = asyncio.create_task(client.delete("/categories/synthetic-a", headers=admin))
        await asyncio.sleep(0.3)
        assert not deleting.done()
    assert (await deleting).json()["used_by"] == [{"kind": "consultation_slot", "id": str(slot_id)}]


async def test_what_nothing_uses_is_deleted(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await create(client, admin, "synthetic-a")
    made = (await rename(client, admin, "/categories/synthetic-a", "synthetic-b")).json()
    stale = await client.delete("/categories/synthetic-b", headers=admin | {"If-Match": '"1"'})
    assert refusal(stale) == (412, "version-stale")
    answer = await client.delete("/categories/synthetic-b", headers=admin | {"If-Match": '"2"'})
    assert (answer.status_code, answer.json()) == (200, made)
    for slug in ("synthetic-a", "synthetic-b"):
        assert (await client.get(f"/categories/{slug}")).status_code == 404
    assert refusal(await client.delete("/categories/synthetic-b", headers=admin)) == (404, "category-not-found")
    assert (await feed(database, "kind", "slug"))[-1] == ("deleted", "synthetic-b")
    trail = [line["action"] for line in await everything(database, AuditEntry, col(AuditEntry.actor).like("api_key%"))]
    assert trail == ["category.created", "category.renamed", "category.deleted"]


@pytest.mark.parametrize("subject", ["category", "treatment"])
async def test_nobody_gets_the_slugs_of_what_was_deleted(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, subject: str
) -> None:
    place = "/categories" if subject == "category" else "/treatment-options"

    async def offer(page: str, slug: str) -> None:
        category = {"slug": slug, "name": "Synthetic"} if subject == "category" else CATEGORY_OF_PAGES
        options = [treatment(slug)] if subject == "treatment" else []
        await publish(database, page, category=category, treatment_options=options)

    await offer("synthetic-condition", "synthetic-old")
    await rename(client, admin, f"{place}/synthetic-old", "synthetic-last")
    await offer("synthetic-condition", "synthetic-other")
    assert (await client.delete(f"{place}/synthetic-last", headers=admin)).status_code == 200
    for slug in ("synthetic-old", "synthetic-last"):
        assert (await client.get(f"{place}/{slug}")).status_code == 404
        with pytest.raises(SlugRetired):
            await offer("synthetic-next", slug)
        made = await client.post(place, json={"slug": slug, "name": "Synthetic"}, headers=admin)
        assert refusal(made) == (409, "slug-retired")
        renamed = await rename(client, admin, f"{place}/synthetic-other", slug)
        assert refusal(renamed) == (409, "slug-retired")


async def test_a_withdrawn_condition_keeps_its_category_until_it_is_moved(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    assert (await client.post(WITHDRAWN, headers=admin)).status_code == 200
    refused = await client.delete(CATEGORY, headers=admin)
    assert refusal(refused) == (409, "category-in-use")
    assert refused.json()["used_by"] == [
        {"kind": "condition", "slug": "synthetic-condition", "name": "synthetic-condition"}
    ]
    assert "also those without a page" in refused.json()["detail"]
    # As the refusal says.
    await publish(database, category={"slug": "synthetic-other", "name": "Synthetic Other"})
    assert (await client.post(WITHDRAWN, headers=admin)).status_code == 200
    assert (await client.delete(CATEGORY, headers=admin)).status_code == 200
