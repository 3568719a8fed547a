"""Drafts: begun, read, deleted. Nobody else sees a word of them."""

import asyncio
import re
from typing import Any

import httpx

from app.access.callers import Scope
from app.content.editorial_tables import ConditionDraft, ContentChange
from app.content.tables import Category, Condition, ConditionPage, ConditionRevision, Treatment
from app.core.db import Database
from tests.conftest import headers_with
from tests.editing import SLUG, begin, done, draft_of, editor, look, put, told
from tests.pages import page_content, publish
from tests.rows import counts, everything
from tests.wishes import refusal

SEEDED = "acute-lymphoblastic-leukemia"
PUBLIC = (Condition, ConditionPage, ConditionRevision, Category, Treatment, ContentChange)


async def test_a_new_condition_begins_as_a_draft(client: httpx.AsyncClient, database: Database) -> None:
    who, before = await editor(database), await counts(database, *PUBLIC)
    answer = await client.post("/conditions", json=page_content(), headers=who)
    assert (answer.status_code, answer.headers["Location"]) == (201, draft_of())
    made = answer.json()
    assert re.fullmatch(r"api_key:[0-9a-f-]{36}", made["author"])
    assert made["created_at"] == made["changed_at"]
    assert {name: made[name] for name in ("slug", "locale", "state", "version")} == {
        "slug": SLUG, "locale": "en", "state": "draft", "version": 1,
    }  # fmt: skip
    assert "approved_by" not in made
    assert {name: made["document"][name] for name in page_content()} == page_content()
    read = await client.get(answer.headers["Location"], headers=who)
    assert (read.json(), read.headers["ETag"]) == (made, answer.headers["ETag"])
    assert re.fullmatch(r'"1-[0-9a-f]{20}"', read.headers["ETag"])
    assert read.headers["Cache-Control"] == "no-store"
    # It is nowhere else.
    assert await counts(database, *PUBLIC) == before
    assert refusal(await client.get(f"/conditions/{SLUG}")) == (404, "condition-not-found")
    assert await told(database) == [("created", 1)]


async def test_a_draft_says_all_that_was_written_and_no_null(client: httpx.AsyncClient, database: Database) -> None:
    who = await editor(database)
    whole: dict[str, Any] = {
        "alternate_names": ["Sýnthetic 🦥"],
        "codes": [{"system": "mesh", "code": "D1"}],
        "urgency_signs": [{"sign": "Synthetic sign.", "urgency": "soon", "action": "Synthetic action."}],
        "review": {"last_reviewed_on": "2026-01-02", "next_review_on": "2027-01-02", "reviewed_by": "Synthetic board"},
        "references": [{"section": "causes", "title": "Synthetic title", "url": "https://example.org/a?b=c"}],
    }
    await begin(client, who, **whole)
    seen, match = await look(client, who)
    assert {name: seen["document"][name] for name in whole} == whole
    assert "source_revision" not in seen["document"]
    assert "null" not in (await client.get(draft_of(), headers=who)).text
    # What was read can be put as it is.
    answer = await client.put(draft_of(), json=seen["document"], headers=who | match)
    assert (answer.status_code, answer.json()["document"]) == (200, seen["document"])


async def test_a_slug_has_one_draft_in_each_language(client: httpx.AsyncClient, database: Database) -> None:
    who = await editor(database)
    await begin(client, who)
    again = await client.post("/conditions", json=page_content(), headers=who)
    assert refusal(again) == (409, "draft-exists")
    other = await client.post("/conditions", json=page_content(locale="es"), headers=who)
    assert (other.status_code, other.headers["Location"]) == (201, f"{draft_of()}?locale=es")
    assert (await client.get(other.headers["Location"], headers=who)).json()["locale"] == "es"
    assert refusal(await client.get(f"{draft_of()}?locale=de", headers=who)) == (404, "draft-not-found")


async def test_a_published_page_is_not_begun_anew_but_in_another_language(
    client: httpx.AsyncClient, database: Database
) -> None:
    who, made = await editor(database), await publish(database)
    assert refusal(await client.post("/conditions", json=page_content(), headers=who)) == (409, "condition-exists")
    await begin(client, who, locale="es")
    (draft,) = await everything(database, ConditionDraft)
    assert (draft["condition_id"], draft["locale"]) == (made.condition_id, "es")


async def test_a_former_slug_is_not_taken_for_another_condition(
    client: httpx.AsyncClient, database: Database, admin: dict[str, str]
) -> None:
    await publish(database)
    renamed = await client.post(f"/conditions/{SLUG}/rename", json={"slug": "synthetic-new"}, headers=admin)
    assert renamed.status_code == 200, renamed.text
    answer = await client.post("/conditions", json=page_content(), headers=admin)
    assert refusal(answer) == (409, "slug-retired")


async def test_two_who_begin_one_page_make_one_draft(client: httpx.AsyncClient, database: Database) -> None:
    who = await editor(database)
    answers = await asyncio.gather(
        *(client.post("/conditions", json=page_content(summary=f"Synthetic {n}."), headers=who) for n in range(5))
    )
    assert sorted(refusal(answer) if answer.is_error else (201, "") for answer in answers) == [
        (201, ""), *[(409, "draft-exists")] * 4,
    ]  # fmt: skip
    assert await counts(database, ConditionDraft) == [1]


async def test_where_there_is_no_draft_the_published_text_is_where_to_begin(
    client: httpx.AsyncClient, database: Database
) -> None:
    who = await editor(database)
    await publish(database, summary="Synthetic published.")
    seen, match = await look(client, who)
    assert (seen["state"], seen["version"], seen["author"]) == ("published", 0, "test")
    assert seen["document"]["summary"] == "Synthetic published."
    assert match["If-Match"].startswith('"0-')
    assert await counts(database, ConditionDraft) == [0]
    made = await put(client, who, summary="Synthetic next.")
    assert (made["state"], made["version"], made["document"]["summary"]) == ("draft", 1, "Synthetic next.")
    assert (await client.get(f"/conditions/{SLUG}")).json()["summary"] == "Synthetic published."
    assert await told(database) == [("created", 1)]


async def test_the_seeded_page_can_be_edited_and_comes_back_word_for_word(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    page = (await client.get(f"/conditions/{SEEDED}")).json()
    made = await put(client, admin, SEEDED)
    assert made["document"]["overview"] == page["overview"]
    published = await done(client, admin, "publish", slug=SEEDED)
    assert (published["state"], published["revision"]) == ("published", 2)
    again = (await client.get(f"/conditions/{SEEDED}")).json()
    changed = {name for name in page if page[name] != again[name]}
    assert changed == {"revision", "updated_at"}


async def test_a_deleted_draft_is_gone_and_what_is_published_stays(
    client: httpx.AsyncClient, database: Database
) -> None:
    who = await editor(database)
    await publish(database)
    made = await put(client, who, summary="Synthetic next.")
    answer = await client.delete(draft_of(), headers=who | (await look(client, who))[1])
    assert (answer.status_code, answer.json()) == (200, made)
    assert (await look(client, who))[0]["state"] == "published"
    assert refusal(await client.delete(draft_of(), headers=who | {"If-Match": "*"})) == (404, "draft-not-found")
    assert (await client.get(f"/conditions/{SLUG}")).json()["summary"] == "Synthetic summary."
    assert await told(database) == [("created", 1), ("deleted", 2)]


async def test_a_draft_is_for_those_who_may(client: httpx.AsyncClient, database: Database) -> None:
    await begin(client, await editor(database))
    reader = await headers_with(database, Scope.CONTENT_READ)
    others = await headers_with(
        database, *set(Scope) - {Scope.CONTENT_READ, Scope.CONTENT_WRITE, Scope.CONTENT_PUBLISH}
    )
    assert (await client.get(draft_of(), headers=reader)).status_code == 200
    writes: tuple[tuple[str, str, Any], ...] = (
        ("POST", "/conditions", page_content("synthetic-other")),
        ("PUT", draft_of(), page_content()),
        ("DELETE", draft_of(), None),
        *(("POST", f"{draft_of()}/{what}", None) for what in ("submit", "approve", "return", "publish")),
    )
    for method, address, wish in writes:
        for headers, expected in ((reader, 403), (others, 403), ({}, 401)):
            answer = await client.request(method, address, json=wish, headers=headers | {"If-Match": "*"})
            assert (method, address, answer.status_code) == (method, address, expected)
    for headers, expected in ((others, 403), ({}, 401)):
        assert (await client.get(draft_of(), headers=headers)).status_code == expected
    assert (await look(client, reader))[0]["version"] == 1
