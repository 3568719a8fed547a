"""Drafts are published now or scheduled, one at a time, and only as they were read."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col

from app.content import draft_steps, drafts
from app.content.editorial_tables import ConditionDraft, ContentChange
from app.content.errors import CategoryNamedDifferently
from app.content.tables import ConditionPage, ConditionRevision
from app.core import clock
from app.core.db import Database
from tests.editing import SLUG, begin, done, draft_of, look, step
from tests.pages import page_content, publish
from tests.rows import counts, everything
from tests.wishes import refusal

IN_DRAFT, SCHEDULED = "draft", "scheduled"
LATER = {"publish_at": "2090-01-01T00:00:00Z"}


async def test_a_draft_is_scheduled_rescheduled_and_published_before_its_time(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    await begin(client, admin)
    wish = {"publish_at": "2090-01-01T09:00:00+01:00", "unpublish_at": "2090-06-01T00:00:00Z"}
    answer = await step(client, admin, "publish", wish=wish)
    times = {"publish_at": "2090-01-01T08:00:00Z", "unpublish_at": "2090-06-01T00:00:00Z"}
    assert answer.json() == {"slug": SLUG, "locale": "en", "state": SCHEDULED} | times
    seen, _ = await look(client, admin)
    assert {name: seen[name] for name in ("state", *times)} == {"state": SCHEDULED} | times
    assert refusal(await client.get(f"/conditions/{SLUG}")) == (404, "condition-not-found")
    assert (await step(client, admin, "publish", wish=LATER)).json()["publish_at"] == LATER["publish_at"]
    seen, _ = await look(client, admin)
    assert (seen["version"], seen["publish_at"], "unpublish_at" in seen) == (3, LATER["publish_at"], False)
    assert (await done(client, admin, "publish"))["state"] == "published"
    assert (await client.get(f"/conditions/{SLUG}")).status_code == 200


async def test_an_end_is_kept_with_the_page(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await begin(client, admin)
    ends_at = "2090-06-01T00:00:00Z"
    assert (await step(client, admin, "publish", wish={"unpublish_at": ends_at})).json()["unpublish_at"] == ends_at
    (page,) = await everything(database, ConditionPage, col(ConditionPage.unpublish_at).is_not(None))
    assert page["unpublish_at"] == datetime.fromisoformat(ends_at)
    seen, _ = await look(client, admin)
    assert (seen["state"], seen["unpublish_at"]) == ("published", ends_at)


async def test_times_that_are_no_future_are_refused(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await begin(client, admin)
    past = (clock.now() - timedelta(seconds=1)).isoformat()
    wishes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"publish_at": past}, "/publish_at"),
        ({"unpublish_at": past}, "/unpublish_at"),
        (LATER | {"unpublish_at": LATER["publish_at"]}, "/unpublish_at"),
        ({"publish_at": "2090-01-01T00:00:00"}, "/publish_at"),
    )
    for wish, pointer in wishes:
        answer = await step(client, admin, "publish", wish=wish)
        assert refusal(answer) == (422, "invalid-input")
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert (await look(client, admin))[0]["state"] == IN_DRAFT


async def test_a_refused_publication_leaves_the_draft_as_it_was(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    await begin(client, admin, "synthetic-other", category={"slug": "synthetic-category", "name": "Another name"})
    before = [await look(client, admin, "synthetic-other"), await everything(database, ContentChange)]
    answer = await step(client, admin, "publish", "synthetic-other")
    assert refusal(answer) == (409, "category-named-differently")
    assert [await look(client, admin, "synthetic-other"), await everything(database, ContentChange)] == before


async def test_a_page_in_another_language_is_published_beside_the_first(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    made = await publish(database)
    wish = page_content(locale="es", summary="Synthetic en español.", source_revision=1)
    assert (await client.post("/conditions", json=wish, headers=admin)).status_code == 201
    published = (await step(client, admin, "publish", locale="es")).json()
    assert (published["locale"], published["revision"]) == ("es", 1)
    pages = await everything(database, ConditionPage, col(ConditionPage.condition_id) == made.condition_id)
    assert sorted((page["locale"], page["summary"]) for page in pages) == [
        ("en", "Synthetic summary."), ("es", "Synthetic en español."),
    ]  # fmt: skip


async def test_of_two_who_publish_one_draft_one_does(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await begin(client, admin)
    answers = await asyncio.gather(*(step(client, admin, "publish") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
    assert len(await everything(database, ConditionRevision, col(ConditionRevision.author).is_not(None))) == 1


async def test_an_edit_and_a_publication_at_the_same_moment_never_lose_the_edit(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    """Either the edit is published, or it is refused, and its author told."""
    for number in range(6):
        slug = f"synthetic-{number}"
        await begin(client, admin, slug)
        seen, match = await look(client, admin, slug)
        wish = seen["document"] | {"summary": "Synthetic edit."}
        edited, published = await asyncio.gather(
            client.put(draft_of(slug), json=wish, headers=admin | match), step(client, admin, "publish", slug)
        )
        assert published.status_code == 200
        page = (await client.get(f"/conditions/{slug}")).json()
        if edited.status_code == 200:
            left = await look(client, admin, slug)
            assert "Synthetic edit." in (page["summary"], left[0]["document"]["summary"])
        else:
            assert refusal(edited) == (412, "version-stale")
            assert page["summary"] == "Synthetic summary."


async def test_the_room_raises_what_publishing_refuses(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    await begin(client, admin, "synthetic-other", category={"slug": "synthetic-category", "name": "Another name"})
    async with database.read() as session:
        draft = await draft_steps.find(session, "synthetic-other", "en")
    assert draft is not None
    with pytest.raises(CategoryNamedDifferently):
        async with database.write() as session:
            await drafts.publish_draft(session, draft, by="test")
    assert await counts(database, ConditionDraft) == [1]
