"""Nobody's published words are undone by a draft that was begun before them: it is compared and brought up to date."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.content import schedule, slugs
from app.content.editorial_tables import ConditionDraft, Subject
from app.core import clock
from app.core.db import Database
from tests import edit_races
from tests.editing import SLUG, begin, done, draft_of, look, put, step, told
from tests.pages import publish
from tests.rows import everything
from tests.schedules import end_at, trail, within
from tests.wishes import refusal

LATER = {"publish_at": "2090-01-01T00:00:00Z"}


async def rebase(client: httpx.AsyncClient, who: dict[str, str], base: int, **changes: Any) -> httpx.Response:
    """Put a draft that is made from this revision."""
    seen, match = await look(client, who)
    wish = seen["document"] | changes
    return await client.put(draft_of(), params={"base_revision": base}, json=wish, headers=who | match)


def said(answer: httpx.Response) -> tuple[int, str, int | None, int | None]:
    """The refusal, and the revisions that it names."""
    problem = answer.json()
    return *refusal(answer), problem.get("base_revision"), problem.get("current_revision")


async def summary(client: httpx.AsyncClient) -> str:
    """What everybody reads."""
    page = (await client.get(f"/conditions/{SLUG}")).json()
    return str(page["summary"])


@pytest.mark.parametrize("wish", [None, LATER])
async def test_a_page_that_was_published_meanwhile_is_not_undone(
    client: httpx.AsyncClient, database: Database, admin: dict[str, str], wish: dict[str, Any] | None
) -> None:
    await publish(database)
    assert (await look(client, admin))[0]["base_revision"] == 1
    begun = await put(client, admin, summary="Synthetic draft.")
    assert begun["base_revision"] == 1
    await publish(database, summary="Synthetic meanwhile.")
    for _ in range(2):
        assert said(await step(client, admin, "publish", wish=wish)) == (409, "draft-outdated", 1, 2)
    # The draft is as it was, and so is the page.
    assert (await look(client, admin))[0] == begun
    assert await edit_races.seen_by_all(database) == {SLUG: (2, "Synthetic meanwhile.")}
    differences = (await client.get(f"/conditions/{SLUG}/revisions/1/compare/2", headers=admin)).json()["items"]
    assert [difference["pointer"] for difference in differences] == ["/summary"]
    answer = await rebase(client, admin, 2, summary="Synthetic of both.")
    assert (answer.status_code, answer.json()["base_revision"], answer.json()["state"]) == (200, 2, "draft")
    assert (await step(client, admin, "publish", wish=wish)).status_code == 200
    assert (await told(database))[:2] == [("created", 1), ("edited", 2)]


async def test_an_outdated_draft_can_still_be_written_and_approved_but_claims_no_other_base(
    client: httpx.AsyncClient, database: Database, admin: dict[str, str]
) -> None:
    await publish(database)
    await put(client, admin, summary="Synthetic draft.")
    await publish(database, summary="Synthetic second.")
    await publish(database, summary="Synthetic third.")
    assert (await put(client, admin, summary="Synthetic later.")).get("base_revision") == 1
    # Whoever sends back what was read has changed nothing of it.
    assert (await rebase(client, admin, 1, summary="Synthetic last.")).json()["base_revision"] == 1
    assert said(await rebase(client, admin, 2)) == (409, "draft-outdated", 2, 3)
    assert said(await rebase(client, admin, 4)) == (409, "draft-outdated", 4, 3)
    assert said(await step(client, admin, "publish")) == (409, "draft-outdated", 1, 3)
    (entry,) = [e for e in await edit_races.fields_of(database, "condition_draft.edited") if "summary" in e][-1:]
    assert "base_revision" not in entry
    await rebase(client, admin, 3)
    assert (await edit_races.fields_of(database, "condition_draft.edited"))[-1] == ["base_revision"]
    assert (await done(client, admin, "publish"))["revision"] == 4
    assert await summary(client) == "Synthetic last."


async def test_a_first_draft_of_an_older_revision_is_not_begun(
    client: httpx.AsyncClient, database: Database, admin: dict[str, str]
) -> None:
    await publish(database)
    wish = (await look(client, admin))[0]["document"] | {"overview": "Synthetic draft."}
    await publish(database, summary="Synthetic meanwhile.")
    headers = admin | {"If-Match": "*"}
    answer = await client.put(draft_of(), params={"base_revision": 1}, json=wish, headers=headers)
    assert said(answer) == (409, "draft-outdated", 1, 2)
    assert await everything(database, ConditionDraft) == []


async def test_a_new_page_that_another_has_published_first_is_not_undone(
    client: httpx.AsyncClient, database: Database, admin: dict[str, str]
) -> None:
    begun = await begin(client, admin, summary="Synthetic draft.")
    assert "base_revision" not in begun
    await publish(database, summary="Synthetic first.")
    assert said(await step(client, admin, "publish")) == (409, "draft-outdated", None, 1)
    assert await summary(client) == "Synthetic first."
    assert (await rebase(client, admin, 1)).status_code == 200
    assert (await done(client, admin, "publish"))["revision"] == 2


async def test_other_languages_other_names_and_the_end_of_its_time_outdate_nothing(
    client: httpx.AsyncClient, database: Database, admin: dict[str, str]
) -> None:
    made = await publish(database, "synthetic-old")
    await put(client, admin, "synthetic-old", summary="Synthetic draft.")
    await publish(database, "synthetic-old", locale="es")
    async with database.write() as session:
        await slugs.rename(session, Subject.CONDITION, "synthetic-old", SLUG, by="test")
        await slugs.rename(session, Subject.CATEGORY, "synthetic-category", "synthetic-new", by="test")
    await end_at(database, within(-1), made.condition_id)
    await schedule.publish_due(database)
    assert (await client.get(f"/conditions/{SLUG}")).status_code == 404
    assert (await done(client, admin, "publish"))["revision"] == 2


async def test_what_is_begun_of_an_ended_page_is_made_from_its_newest_revision(
    client: httpx.AsyncClient, database: Database, admin: dict[str, str]
) -> None:
    made = await publish(database)
    await end_at(database, within(-1), made.condition_id)
    await schedule.publish_due(database)
    assert (await begin(client, admin))["base_revision"] == 1
    await publish(database, summary="Synthetic back.")
    assert said(await step(client, admin, "publish")) == (409, "draft-outdated", 1, 2)


async def test_what_is_restored_begins_from_the_newest_revision(
    client: httpx.AsyncClient, database: Database, admin: dict[str, str]
) -> None:
    for number in (1, 2, 3):
        await publish(database, summary=f"Synthetic {number}.")
    restored = await client.post(f"/conditions/{SLUG}/revisions/1/restore", headers=admin)
    assert (restored.status_code, restored.json()["base_revision"]) == (201, 3)
    assert (await done(client, admin, "publish"))["revision"] == 4
    assert await summary(client) == "Synthetic 1."


@pytest.mark.parametrize("is_approved", [True, False])
async def test_at_its_time_an_outdated_draft_goes_back_to_the_editors(
    client: httpx.AsyncClient, database: Database, admin: dict[str, str], is_approved: bool
) -> None:
    await publish(database)
    await put(client, admin, summary="Synthetic draft.")
    if is_approved:
        chief = await edit_races.another(database)
        await done(client, admin, "submit")
        await done(client, chief, "approve")
    wish = {"publish_at": (clock.now() + timedelta(seconds=1.5)).isoformat()}
    assert (await step(client, admin, "publish", wish=wish)).status_code == 200
    await publish(database, summary="Synthetic meanwhile.")
    await edit_races.until_state(client, admin, "approved" if is_approved else "draft")
    seen, _ = await look(client, admin)
    assert (seen["document"]["summary"], seen["base_revision"]) == ("Synthetic draft.", 1)
    assert "publish_at" not in seen
    (line,) = [entry for entry in await trail(database) if entry[0] == "condition_draft.refused"]
    assert line[2] == ["draft-outdated"]
    assert (await told(database))[-1][0] == "refused"
    assert await edit_races.seen_by_all(database) == {SLUG: (2, "Synthetic meanwhile.")}
