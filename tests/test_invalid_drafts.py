"""A draft that breaks a rule which came after it: nobody can publish it, and editors can read, mend and delete it."""

from typing import Any

import httpx
import pytest

from app.content import schedule
from app.content.editorial_tables import ConditionDraft, DraftState
from app.core.db import Database
from tests.editing import SLUG, draft_of, look, put, step
from tests.pages import publish, treatment
from tests.rows import counts, run
from tests.schedules import drafts_of, new_draft, public_slugs, scheduled, trail, within
from tests.wishes import refusal

# What no door would take: the same treatment twice.
TWICE = [treatment("synthetic-treatment"), treatment("synthetic-treatment", "Synthetic again")]


def broken(**draft: Any) -> dict[str, Any]:
    """The row of such a draft, and what stands in it."""
    insert = scheduled(within(-1), draft=draft) if "state" not in draft else new_draft(draft=draft)
    document: dict[str, Any] = insert.compile().params["document"]
    return document | {"treatment_options": TWICE}


@pytest.fixture
async def document(database: Database) -> dict[str, Any]:
    """The text of a draft that nobody could put today."""
    await publish(database)
    text = broken(state=DraftState.DRAFT)
    await run(database, new_draft(draft={"document": text}))
    return text


async def test_it_is_read_and_mended(
    client: httpx.AsyncClient, admin: dict[str, str], document: dict[str, Any]
) -> None:
    seen, _ = await look(client, admin)
    assert seen["document"]["treatment_options"] == document["treatment_options"] == TWICE
    assert refusal(await step(client, admin, "publish")) == (409, "draft-invalid")
    assert (await put(client, admin, treatment_options=TWICE[1:]))["version"] == 2
    assert (await step(client, admin, "publish")).status_code == 200
    page = (await client.get(f"/conditions/{SLUG}")).json()
    assert [option["name"] for option in page["treatment_options"]] == ["Synthetic again"]


@pytest.mark.usefixtures("document")
@pytest.mark.parametrize("is_read", [True, False])
async def test_it_is_deleted(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, *, is_read: bool
) -> None:
    match = (await look(client, admin))[1] if is_read else {"If-Match": "*"}
    answer = await client.delete(draft_of(), headers=admin | match)
    assert (answer.status_code, answer.json()["document"]["treatment_options"]) == (200, TWICE)
    assert await counts(database, ConditionDraft) == [0]


@pytest.mark.usefixtures("document")
async def test_it_has_no_preview(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    link = (await client.post(f"{draft_of()}/preview", headers=admin)).json()["url"]
    assert refusal(await client.get(link)) == (404, "preview-not-found")


async def test_at_its_time_it_goes_back_to_the_editors(database: Database) -> None:
    await run(database, scheduled(within(-1), draft={"document": broken(), "approved_by": "another"}))
    assert await schedule.publish_due(database) is None
    (draft,) = await drafts_of(database)
    assert (draft["state"], draft["publish_at"]) == (DraftState.APPROVED, None)
    assert await trail(database) == [("condition_draft.refused", str(draft["id"]), ["draft-invalid"])]
    assert await public_slugs(database) == set()
