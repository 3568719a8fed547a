"""A condition is renamed: each slug that it ever had leads to its page, in one step, and to no other."""

import asyncio
import time

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.content import slugs
from app.content.editorial_tables import ConditionDraft, SlugRedirect, Subject
from app.content.errors import SlugInUse
from app.content.tables import Condition, ConditionRevision
from app.core.db import PATIENCE, Database
from app.core.errors import refusal_for
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage
from tests.conftest import headers_with
from tests.moves import feed, put_draft, rename, seen
from tests.pages import publish
from tests.rows import everything, refused_by
from tests.wishes import book, listed, post_slot, refusal

OLD, NEW = "/conditions/synthetic-old", "/conditions/synthetic-new"


@pytest.fixture
async def renamed(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    """A published condition that was `synthetic-old` and is `synthetic-new`."""
    await publish(database, "synthetic-old")
    answer = await rename(client, admin, OLD, "synthetic-new")
    assert (answer.status_code, answer.json()) == (200, {"slug": "synthetic-new", "former_slugs": ["synthetic-old"]})


@pytest.mark.usefixtures("renamed")
async def test_a_former_slug_leads_to_the_page(client: httpx.AsyncClient) -> None:
    for rest in ("", "/treatment-options"):
        here = await client.get(f"{NEW}{rest}")
        assert here.status_code == 200
        for query in ("", "?a=1&b=%C3%A9%0D%0A&c=%22x%22"):
            answer = await client.get(f"{OLD}{rest}{query}")
            assert (answer.status_code, answer.headers["location"]) == (308, f"{NEW}{rest}{query}")
            assert answer.headers["link"] == f'<{NEW}{rest}>; rel="canonical"'
            assert answer.json() == {"moved_to": f"{NEW}{rest}{query}"}
            assert "max-age=60," in answer.headers["cache-control"]
            head = await client.head(f"{OLD}{rest}{query}")
            assert (head.status_code, head.headers["location"], head.content) == (308, f"{NEW}{rest}{query}", b"")
    assert (await client.get(NEW)).json()["slug"] == "synthetic-new"
    assert [card["slug"] for card in (await client.get("/conditions?letter=s")).json()["items"]] == ["synthetic-new"]


@pytest.mark.usefixtures("renamed")
async def test_a_former_slug_still_names_the_condition(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, "synthetic-other")
    slot = await post_slot(client, admin, condition="synthetic-old", capacity=2)
    assert slot["condition"]["slug"] == "synthetic-new"
    other = await post_slot(client, admin, condition="synthetic-other", days=31)
    for status in ("", "&status=all"):
        assert await listed(client, f"condition=synthetic-old{status}", admin) == [slot["id"]]
    assert await listed(client, "condition=synthetic-other") == [other["id"]]
    booking = await book(client, slot["id"], condition="synthetic-old")
    assert booking["condition"]["slug"] == "synthetic-new"
    answer = await client.get("/consultation-slots?condition=synthetic-old&clinician=nobody")
    assert [fault["parameter"] for fault in answer.json()["errors"]] == ["clinician"]


async def test_renaming_tells_the_feed_the_trail_and_the_outbox(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    made = await publish(database, "synthetic-old")
    revisions = await everything(database, ConditionRevision)
    for _ in range(2):
        assert (await rename(client, admin, OLD, "synthetic-new")).status_code == 200
    await rename(client, admin, NEW, "synthetic-old")
    told = await feed(database, "kind", "subject", "subject_id", "slug", "previous_slug")
    assert told[3:] == [
        ("renamed", "condition", made.condition_id, "synthetic-new", "synthetic-old"),
        ("renamed", "condition", made.condition_id, "synthetic-old", "synthetic-new"),
    ]
    trail = await everything(database, AuditEntry, col(AuditEntry.action) == "condition.renamed")
    assert [(line["subject"], line["fields"]) for line in trail] == [(str(made.condition_id), ["slug"])] * 2
    topic = col(OutboxMessage.topic) == "condition.renamed"
    assert [line["subject_id"] for line in await everything(database, OutboxMessage, topic)] == [made.condition_id] * 2
    assert await everything(database, ConditionRevision) == revisions
    redirects = await everything(database, SlugRedirect)
    assert [(row["slug"], row["condition_id"]) for row in redirects] == [("synthetic-new", made.condition_id)]


async def test_drafts_go_along(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    made = await publish(database, "synthetic-old")
    await put_draft(database, "synthetic-old", condition_id=made.condition_id)
    await put_draft(database, "synthetic-old", locale="es")
    await put_draft(database, "synthetic-other")
    assert (await rename(client, admin, OLD, "synthetic-new")).status_code == 200
    drafts = await everything(database, ConditionDraft)
    told = sorted((row["slug"], row["document"]["slug"], row["locale"], row["version"]) for row in drafts)
    assert told == [
        ("synthetic-new", "synthetic-new", "en", 2),
        ("synthetic-new", "synthetic-new", "es", 2),
        ("synthetic-other", "synthetic-other", "en", 1),
    ]


async def test_a_slug_that_is_or_was_another_things_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, "synthetic-a")
    await publish(database, "synthetic-b")
    await put_draft(database, "synthetic-draft")
    assert (await rename(client, admin, "/conditions/synthetic-b", "synthetic-c")).status_code == 200
    for slug, code in (
        ("synthetic-b", "slug-retired"),
        ("synthetic-c", "slug-in-use"),
        ("synthetic-draft", "slug-in-use"),
    ):
        answer = await rename(client, admin, "/conditions/synthetic-a", slug)
        assert (slug, *refusal(answer)) == (slug, 409, code)
    # What has the slug in another collection is another thing.
    answer = await rename(client, admin, "/conditions/synthetic-a", "synthetic-category")
    assert answer.status_code == 200
    assert refusal(await rename(client, admin, "/conditions/nothing", "synthetic-d")) == (404, "condition-not-found")
    bad = await rename(client, admin, "/conditions/synthetic-a", "Not a slug")
    assert [fault["pointer"] for fault in bad.json()["errors"]] == ["/slug"]


async def test_its_own_former_slug_may_be_had_again(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, "synthetic-old")
    await rename(client, admin, OLD, "synthetic-new")
    answer = await rename(client, admin, NEW, "synthetic-old")
    assert answer.json() == {"slug": "synthetic-old", "former_slugs": ["synthetic-new"]}
    assert (await seen(client, NEW, 308)).headers["location"] == OLD
    assert (await client.get(OLD)).json()["slug"] == "synthetic-old"


async def test_who_has_read_another_revision_is_told_so(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, "synthetic-old")
    tag = (await client.get(OLD)).headers["etag"]
    await publish(database, "synthetic-old")
    for name, status in ((tag, 412), ('"2"', 200)):
        assert (await rename(client, admin | {"If-Match": name}, OLD, "synthetic-new")).status_code == status


async def test_only_who_publishes_renames(client: httpx.AsyncClient, database: Database) -> None:
    await publish(database, "synthetic-old")
    writer = await headers_with(database, Scope.CONTENT_WRITE, Scope.CONTENT_READ)
    for headers, code in (({}, (401, "credential-invalid")), (writer, (403, "scope-missing"))):
        for action in ("rename", "withdraw"):
            answer = await client.post(f"{OLD}/{action}", json={"slug": "synthetic-new"}, headers=headers)
            assert refusal(answer) == code
    assert (await client.get(OLD)).status_code == 200


async def test_of_two_who_want_one_slug_one_gets_it(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    """They race for the slug; the second one waits until the first has committed."""
    await publish(database, "synthetic-a")
    await publish(database, "synthetic-b")
    async with database.write() as session:
        await slugs.rename(session, Subject.CONDITION, "synthetic-a", "synthetic-new", by="test")
        second = asyncio.create_task(rename(client, admin, "/conditions/synthetic-b", "synthetic-new"))
        await asyncio.sleep(0.2)
        assert not second.done()
    assert refusal(await second) == (409, "slug-in-use")
    assert (await client.get(NEW)).json()["name"] == "Synthetic synthetic-a"


async def test_the_schema_keeps_slugs_apart(database: Database) -> None:
    await publish(database, "synthetic-a")
    guard = await refused_by(database, update(Condition).values(slug="synthetic-new"))
    assert (guard, refusal_for(guard)) == ("uq_conditions_slug", SlugInUse)


async def test_what_a_process_remembers_of_the_former_slug_is_forgotten(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    other = Database(settings)
    try:
        await publish(other, "synthetic-old")
        assert (await client.get(OLD)).status_code == 200
        async with other.write() as session:
            await slugs.rename(session, Subject.CONDITION, "synthetic-old", "synthetic-new", by="test")
        assert (await seen(client, OLD, 308)).headers["location"] == NEW
    finally:
        await other.close()
    assert (await client.get(NEW)).status_code == 200


async def test_many_who_ask_for_what_is_not_there_do_not_keep_others_waiting(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    # Each looks twice: with the connection that it has, and for where the slug has gone. There are few connections.
    addresses = [f"/{things}/nothing-{number}" for number in range(20) for things in ("conditions", "categories")]
    drafts = [client.get(f"/conditions/nothing-{number}/draft", headers=admin) for number in range(20)]
    began = time.monotonic()
    answers = await asyncio.gather(*(client.get(address) for address in addresses), *drafts)
    assert {answer.status_code for answer in answers} == {404}
    assert time.monotonic() - began < PATIENCE / 2
