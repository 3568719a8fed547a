"""From a draft to a public page: submitted, approved by somebody else, published."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlmodel import col

from app.access.tables import AuditEntry
from app.content.editorial_tables import ConditionDraft
from app.content.tables import ConditionRevision
from app.core.db import Database
from app.core.settings import Environment, Settings
from tests.doors import started
from tests.editing import SLUG, begin, chief, done, draft_of, editor, look, put, step
from tests.rows import counts, everything
from tests.wishes import refusal

STEPS = ("submit", "approve", "return", "publish")
IN_DRAFT, SUBMITTED, APPROVED, SCHEDULED = "draft", "submitted", "approved", "scheduled"
LATER = {"publish_at": "2090-01-01T00:00:00Z"}
# From each state, what may be done and what comes of it; anything else is refused.
LEGAL = {
    (IN_DRAFT, "submit"): SUBMITTED,
    (SUBMITTED, "approve"): APPROVED,
    (SUBMITTED, "return"): IN_DRAFT,
    (APPROVED, "return"): IN_DRAFT,
    (APPROVED, "publish"): "published",
    (SCHEDULED, "return"): IN_DRAFT,
    (SCHEDULED, "publish"): "published",
}
REFUSALS = {
    "submit": (409, "draft-submitted"),
    "approve": (409, "draft-not-submitted"),
    "return": (409, "draft-not-submitted"),
    "publish": (409, "draft-not-approved"),
}


@pytest.fixture
async def strict(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a hospital in which a second person must approve."""
    async with started(settings.model_copy(update={"content_approval": True})) as client:
        yield client


async def bring(client: httpx.AsyncClient, database: Database, state: str) -> tuple[dict[str, str], dict[str, str]]:
    """Make a draft in this state; returns its author and who approves."""
    author, other = await editor(database), await chief(database)
    await begin(client, author)
    if state != IN_DRAFT:
        await done(client, author, "submit")
    if state in (APPROVED, SCHEDULED):
        await done(client, other, "approve")
    if state == SCHEDULED:
        assert (await step(client, other, "publish", wish=LATER)).json()["state"] == SCHEDULED
    return author, other


@pytest.mark.parametrize("state", [IN_DRAFT, SUBMITTED, APPROVED, SCHEDULED])
@pytest.mark.parametrize("what", STEPS)
async def test_each_step_from_each_state(strict: httpx.AsyncClient, database: Database, state: str, what: str) -> None:
    author, other = await bring(strict, database, state)
    before, match = await look(strict, author)
    answer = await step(strict, author if what == "submit" else other, what)
    if (state, what) not in LEGAL:
        assert refusal(answer) == REFUSALS[what]
        assert (await look(strict, author))[0] == before
        return
    assert (answer.status_code, answer.json()["state"]) == (200, LEGAL[state, what])
    if what != "publish":
        seen, now = await look(strict, author)
        assert seen == answer.json()
        assert (seen["version"], answer.headers["ETag"]) == (before["version"] + 1, now["If-Match"])
        assert seen["document"] == before["document"]
        assert seen["author"] == before["author"]
        assert ("approved_by" in seen, "publish_at" in seen) == (what == "approve", False)
        # Whoever goes by what was before is told.
        stale = await strict.post(f"{draft_of()}/{what}", headers=(author if what == "submit" else other) | match)
        assert refusal(stale) == (412, "version-stale")


async def test_nobody_approves_what_they_have_written(
    strict: httpx.AsyncClient, database: Database, admin: dict[str, str]
) -> None:
    await begin(strict, admin)
    await done(strict, admin, "submit")
    assert refusal(await step(strict, admin, "approve")) == (403, "own-draft")
    other = await chief(database)
    await done(strict, other, "approve")
    # Whoever changes a word has written it.
    await put(strict, admin, summary="Synthetic change.")
    assert refusal(await step(strict, other, "publish")) == (409, "draft-not-approved")
    await done(strict, admin, "submit")
    assert refusal(await step(strict, admin, "approve")) == (403, "own-draft")


async def test_what_was_approved_is_published_under_the_names_of_all_three(
    strict: httpx.AsyncClient, database: Database
) -> None:
    author, approver, publisher = await editor(database), await chief(database), await chief(database)
    await begin(strict, author, summary="Synthetic approved.")
    await done(strict, author, "submit")
    approved = await done(strict, approver, "approve")
    published = await done(strict, publisher, "publish")
    page = (await strict.get(f"/conditions/{SLUG}")).json()
    assert page["summary"] == "Synthetic approved."
    assert published == {
        "slug": SLUG, "locale": "en", "state": "published", "revision": 1, "published_at": page["updated_at"],
    }  # fmt: skip
    (revision,) = await everything(database, ConditionRevision, col(ConditionRevision.author) == approved["author"])
    assert revision["approved_by"] == approved["approved_by"]
    assert revision["published_by"] not in {approved["author"], approved["approved_by"], None}
    assert await counts(database, ConditionDraft) == [0]
    (entry,) = await everything(database, AuditEntry, col(AuditEntry.action) == "condition.published",
                                col(AuditEntry.subject) == str(revision["condition_id"]))  # fmt: skip
    assert entry["actor"] == revision["published_by"]


@pytest.mark.parametrize(
    ("environment", "said", "needs"),
    [
        (Environment.DEVELOPMENT, None, False),
        (Environment.PRODUCTION, None, True),
        (Environment.DEVELOPMENT, True, True),
        (Environment.PRODUCTION, False, False),
    ],
)
def test_a_second_person_is_needed_in_production_unless_told_otherwise(
    environment: Environment, said: bool | None, needs: bool
) -> None:
    settings = Settings(environment=environment, database_url="sqlite:///a.db", content_approval=said)
    assert settings.needs_approval is needs


@pytest.mark.parametrize("steps", [(), ("submit",)])
async def test_where_nobody_has_to_approve_whoever_may_publish_does(
    client: httpx.AsyncClient, database: Database, admin: dict[str, str], steps: tuple[str, ...]
) -> None:
    await begin(client, admin)
    published = await done(client, admin, *steps, "publish")
    assert published["revision"] == 1
    (revision,) = await everything(database, ConditionRevision, col(ConditionRevision.author).is_not(None))
    assert revision["author"] == revision["published_by"]
    assert revision["approved_by"] is None


async def test_only_what_was_read_is_approved(strict: httpx.AsyncClient, database: Database) -> None:
    author, other = await bring(strict, database, SUBMITTED)
    _, read = await look(strict, other)
    await put(strict, author, summary="Synthetic words that nobody has read.")
    await done(strict, author, "submit")
    address = f"{draft_of()}/approve"
    assert refusal(await strict.post(address, headers=other)) == (428, "version-needed")
    assert refusal(await strict.post(address, headers=other | read)) == (412, "version-stale")
    _, read = await look(strict, other)
    approved = await strict.post(address, headers=other | read)
    assert (approved.status_code, approved.json()["state"]) == (200, APPROVED)
