"""Edits of drafts: none is lost, each begins the review anew, long ones are taken."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlmodel import col

from app.access.tables import AuditEntry
from app.content.editorial_tables import ContentChange
from app.content.tables import Category, Condition, ConditionPage, ConditionRevision, Treatment
from app.core.db import Database
from tests.editing import begin, done, draft_of, editor, look, put, step, told
from tests.pages import page_content, publish
from tests.rows import everything
from tests.wishes import refusal

SEEDED = "acute-lymphoblastic-leukemia"
PUBLIC = (Condition, ConditionPage, ConditionRevision, Category, Treatment, ContentChange)


async def test_an_edit_needs_what_was_read(client: httpx.AsyncClient, database: Database) -> None:
    who = await editor(database)
    await begin(client, who)
    for method, wish in (("PUT", page_content()), ("DELETE", None)):
        answer = await client.request(method, draft_of(), json=wish, headers=who)
        assert refusal(answer) == (428, "version-needed")
        for tag in ('"2"', '"0"', '"1"', '"1-00000000000000000000"', "1", 'W/"1"', "nonsense"):
            answer = await client.request(method, draft_of(), json=wish, headers=who | {"If-Match": tag})
            assert (tag, refusal(answer)) == (tag, (412, "version-stale"))
    assert (await look(client, who))[0]["version"] == 1


@pytest.mark.parametrize("is_published", [False, True])
async def test_of_two_who_read_the_same_the_second_is_told(
    client: httpx.AsyncClient, database: Database, is_published: bool
) -> None:
    one, other = await editor(database), await editor(database)
    if is_published:
        await publish(database)
    else:
        await begin(client, one)
    seen, match = await look(client, one)
    assert (await look(client, other))[1] == match
    answers = await asyncio.gather(
        *(
            client.put(draft_of(), json=seen["document"] | {"summary": f"Synthetic {n}."}, headers=who | match)
            for n, who in enumerate((one, other))
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    (kept,) = [answer.json() for answer in answers if answer.is_success]
    assert (await look(client, other))[0] == kept


async def test_what_was_read_of_an_earlier_draft_or_page_does_not_overwrite_the_next_one(
    client: httpx.AsyncClient, database: Database, admin: dict[str, str]
) -> None:
    # Versions begin anew with each draft: the whole tag is compared.
    await begin(client, admin)
    _, first = await look(client, admin)
    assert (await client.delete(draft_of(), headers=admin | first)).status_code == 200
    await begin(client, admin)
    refused = await client.put(draft_of(), json=page_content(), headers=admin | first)
    assert refusal(refused) == (412, "version-stale")
    await done(client, admin, "publish")
    _, published = await look(client, admin)
    await publish(database, summary="Synthetic import.")
    for stale in (published, {"If-Match": '"0"'}):
        refused = await client.put(draft_of(), json=page_content(), headers=admin | stale)
        assert refusal(refused) == (412, "version-stale")
    for tag in ("*", f'"7", {(await look(client, admin))[1]["If-Match"]}'):
        answer = await client.put(draft_of(), json=page_content(), headers=admin | {"If-Match": tag})
        assert (tag, answer.status_code) == (tag, 200)
        assert (
            await client.delete(draft_of(), headers=admin | {"If-Match": answer.headers["ETag"]})
        ).status_code == 200


async def test_an_edit_names_the_page_of_its_address(client: httpx.AsyncClient, database: Database) -> None:
    who = await editor(database)
    await begin(client, who)
    for wish, pointer in ((page_content("synthetic-other"), "/slug"), (page_content(locale="es"), "/locale")):
        answer = await client.put(draft_of(), json=wish, headers=who | {"If-Match": "*"})
        assert refusal(answer) == (422, "invalid-input")
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    answer = await client.put(
        f"{draft_of()}?locale=es", json=page_content(locale="es"), headers=who | {"If-Match": "*"}
    )
    assert refusal(answer) == (404, "draft-not-found")


async def test_every_edit_begins_the_review_anew(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    who = await editor(database)
    author = (await begin(client, who))["author"]
    await done(client, who, "submit")
    await done(client, admin, "approve")
    answer = await step(client, admin, "publish", wish={"publish_at": "2090-01-01T00:00:00Z"})
    assert answer.json()["state"] == "scheduled"
    changed = await put(client, admin, overview="Synthetic change.")
    assert (changed["state"], changed["version"], changed["author"] == author) == ("draft", 5, False)
    assert not {"approved_by", "publish_at", "unpublish_at"} & set(changed)
    steps = ("created", "submitted", "approved", "scheduled", "edited")
    assert await told(database) == [(what, version) for version, what in enumerate(steps, 1)]
    (edited,) = await everything(database, AuditEntry, col(AuditEntry.action) == "condition_draft.edited")
    assert edited["fields"] == ["overview"]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_long_text_is_taken_and_one_that_is_too_long_is_not(
    client: httpx.AsyncClient, admin: dict[str, str], method: str
) -> None:
    if method == "PUT":
        await begin(client, admin)
    address, match = ("/conditions" if method == "POST" else draft_of()), {"If-Match": "*"}
    long = page_content(causes=["Synthetic cause. " * 58] * 200)
    answer = await client.request(method, address, json=long, headers=admin | match)
    assert answer.is_success, answer.text
    assert (await look(client, admin))[0]["document"]["causes"] == long["causes"]
    padded = b" " * (1024 * 1024) + b"{}"
    for content in (padded, _pieces(padded)):
        headers = admin | match | {"Content-Type": "application/json"}
        refused = await client.request(method, address, content=content, headers=headers)
        assert refusal(refused) == (413, "body-too-large")
    # Nothing else takes so much.
    for other in (f"{draft_of()}/submit", "/consultation-bookings", "/conditions/a/b/draft"):
        refused = await client.post(other, json=long, headers=admin)
        assert (other, refusal(refused)) == (other, (413, "body-too-large"))


async def _pieces(content: bytes) -> Any:
    """A body whose length nobody is told beforehand."""
    for start in range(0, len(content), 100_000):
        yield content[start : start + 100_000]


@pytest.mark.parametrize("day", [0, "0", "2026-01-02T00:00:00Z", "2026-1-2", "20260102", "2026-02-30", None])
async def test_a_day_is_written_as_one(client: httpx.AsyncClient, admin: dict[str, str], day: Any) -> None:
    review = {"last_reviewed_on": day, "next_review_on": "2027-01-02", "reviewed_by": "Synthetic board"}
    answer = await client.post("/conditions", json=page_content(review=review), headers=admin)
    assert refusal(answer) == (422, "invalid-input")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/review/last_reviewed_on"]
