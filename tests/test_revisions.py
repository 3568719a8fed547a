"""Revisions: listed, read, compared line by line, and brought back as drafts."""

import asyncio
from typing import Any

import httpx
import pytest

from app.content import slugs
from app.content.comparing import differences
from app.content.editorial_tables import ConditionDraft, Subject
from app.core.db import Database
from tests.editing import SLUG, begin, done, draft_of, editor, look, put
from tests.pages import page_content, publish, treatment
from tests.rows import counts
from tests.wishes import refusal

REVISIONS = f"/conditions/{SLUG}/revisions"


def said(before: Any, after: Any) -> list[tuple[str, str]]:
    """Where two documents differ, and how."""
    return [(difference.op, difference.pointer) for difference in differences(before, after)]


async def test_revisions_are_listed_newest_first(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, summary="Synthetic 1.")
    author = (await put(client, admin, summary="Synthetic 2."))["author"]
    await done(client, admin, "publish")
    await publish(database, summary="Synthetic 3.")
    await publish(database, locale="es")
    whole = (await client.get(REVISIONS, headers=admin)).json()
    assert [item["number"] for item in whole["items"]] == [3, 2, 1]
    assert "next" not in whole
    newest, edited, _ = whole["items"]
    assert (newest["published_by"], newest["source"], "author" in newest) == ("test", "editor", False)
    assert (edited["author"], edited["published_by"]) == (author, author)
    assert len({item["digest"] for item in whole["items"]}) == 3
    found, address = [], f"{REVISIONS}?limit=2"
    while address:
        page = (await client.get(address, headers=admin)).json()
        found += page["items"]
        address = page.get("next")
    assert found == whole["items"]
    spanish = (await client.get(f"{REVISIONS}?locale=es&limit=1", headers=admin)).json()
    assert [(item["number"], item["locale"]) for item in spanish["items"]] == [(1, "es")]
    assert (await client.get(f"{REVISIONS}?locale=de", headers=admin)).json() == {"items": []}


async def test_a_revision_is_read_as_it_was_published(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    source = {"section": "causes", "title": "Synthetic title", "url": "https://example.org/"}
    await publish(database, summary="Synthetic 1.", references=[source])
    await publish(database, summary="Synthetic 2.")
    answer = await client.get(f"{REVISIONS}/1", headers=admin)
    listed = (await client.get(REVISIONS, headers=admin)).json()["items"][1]
    document = answer.json().pop("document")
    assert answer.json() == listed | {"document": document}
    assert {name: document[name] for name in page_content()} == page_content(summary="Synthetic 1.")
    assert document["references"] == [source]
    assert "null" not in answer.text
    again = await client.get(f"{REVISIONS}/1", headers=admin | {"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


async def test_what_is_not_there_is_404(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    await publish(database)
    for address in ("/2", "/1?locale=es", "/1/compare/2", "/2/compare/1", "/2147483647"):
        assert refusal(await client.get(REVISIONS + address, headers=admin)) == (404, "revision-not-found")
    assert refusal(await client.post(f"{REVISIONS}/2/restore", headers=admin)) == (404, "revision-not-found")
    unknown = await client.get("/conditions/synthetic-unknown/revisions", headers=admin)
    assert refusal(unknown) == (404, "condition-not-found")
    for address in ("/0", "/x", "/2147483648", "/1?locale=English", "/1?other=1"):
        assert refusal(await client.get(REVISIONS + address, headers=admin)) == (422, "invalid-input")


async def test_revisions_are_for_editors(client: httpx.AsyncClient, database: Database) -> None:
    await publish(database)
    addresses = (REVISIONS, f"{REVISIONS}/1", f"{REVISIONS}/1/compare/1")
    assert [(await client.get(address)).status_code for address in addresses] == [401, 401, 401]
    assert (await client.post(f"{REVISIONS}/1/restore")).status_code == 401


async def test_two_revisions_are_compared_field_by_field_and_line_by_line(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    factors = [f"Synthetic factor {n}" for n in range(5)]
    await publish(database, risk_factors=factors, treatment_options=[treatment("a"), treatment("b")])
    changes: dict[str, Any] = {
        "summary": "Synthetic new.",
        "risk_factors": ["Synthetic first", *factors[:2], "Synthetic other", factors[4]],
        "treatment_options": [treatment("c"), treatment("b", description="Synthetic new.")],
        "alternate_names": ["Synthetic name"],
        "review": {"last_reviewed_on": "2026-01-02", "next_review_on": "2027-01-02", "reviewed_by": "Synthetic board"},
    }
    await publish(database, **changes)
    items = (await client.get(f"{REVISIONS}/1/compare/2", headers=admin)).json()["items"]
    assert items == [
        {"pointer": "/alternate_names/0", "op": "added", "after": "Synthetic name"},
        {"pointer": "/summary", "op": "changed", "before": "Synthetic summary.", "after": "Synthetic new."},
        {"pointer": "/risk_factors/0", "op": "added", "after": "Synthetic first"},
        {"pointer": "/risk_factors/3", "op": "changed", "before": factors[2], "after": "Synthetic other"},
        {"pointer": "/risk_factors/3", "op": "removed", "before": factors[3]},
        {"pointer": "/treatment_options/0", "op": "removed", "before": treatment("a")},
        {"pointer": "/treatment_options/0", "op": "added", "after": treatment("c")},
        {"pointer": "/treatment_options/1/description", "op": "changed", "before": "Synthetic words.",
         "after": "Synthetic new."},
        {"pointer": "/review", "op": "added", "after": changes["review"]},
    ]  # fmt: skip
    back = (await client.get(f"{REVISIONS}/2/compare/1", headers=admin)).json()["items"]
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    assert sorted(item["op"] for item in back) == sorted(opposite[item["op"]] for item in items)
    assert (await client.get(f"{REVISIONS}/2/compare/2", headers=admin)).json() == {"items": []}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": "1"}, {"a": "1"}, []),
        ({"a": "1"}, {"b": "1"}, [("removed", "/a"), ("added", "/b")]),
        ({"a": {"b": "1", "c": "2"}}, {"a": {"b": "2", "c": "2"}}, [("changed", "/a/b")]),
        (["1", "2", "3"], ["0", "1", "2", "3"], [("added", "/0")]),
        (["1", "2", "3"], ["1", "3"], [("removed", "/1")]),
        (["1", "2"], [], [("removed", "/0"), ("removed", "/1")]),
        (["1", "1"], ["1", "1", "1"], [("added", "/2")]),
        ([{"sign": "1", "action": "2"}], [{"sign": "1", "action": "3"}], [("changed", "/0/action")]),
        ([{"slug": "a", "name": "1"}], [{"slug": "b", "name": "1"}], [("removed", "/0"), ("added", "/0")]),
    ],
)
def test_what_differs(before: Any, after: Any, expected: list[tuple[str, str]]) -> None:
    assert said(before, after) == expected


def test_a_line_put_into_a_long_list_is_one_difference() -> None:
    # difflib takes what is often in a long list for noise, unless told otherwise.
    lines = ["Synthetic line"] * 150 + [f"Synthetic {n}" for n in range(100)]
    assert said(lines, ["New", *lines]) == [("added", "/0")]


async def test_a_restored_revision_is_a_draft_like_any_other(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    for number in (1, 2):
        await publish(database, summary=f"Synthetic {number}.", risk_factors=[f"Synthetic {number}"])
    answer = await client.post(f"{REVISIONS}/1/restore", headers=admin)
    assert (answer.status_code, answer.headers["Location"]) == (201, draft_of())
    seen, match = await look(client, admin)
    assert (seen, match["If-Match"]) == (answer.json(), answer.headers["ETag"])
    assert (seen["state"], seen["version"], seen["document"]["summary"]) == ("draft", 1, "Synthetic 1.")
    assert (await client.get(f"/conditions/{SLUG}")).json()["summary"] == "Synthetic 2."
    assert (await done(client, admin, "publish"))["revision"] == 3
    digests = [item["digest"] for item in (await client.get(REVISIONS, headers=admin)).json()["items"]]
    assert digests[0] == digests[2] != digests[1]
    assert (await client.get(f"{REVISIONS}/1/compare/3", headers=admin)).json() == {"items": []}


async def test_a_draft_that_stands_is_not_overwritten(client: httpx.AsyncClient, database: Database) -> None:
    who = await editor(database)
    await publish(database)
    _, match = await look(client, who)
    await publish(database)
    stale = await client.post(f"{REVISIONS}/1/restore", headers=who | match)
    assert refusal(stale) == (412, "version-stale")
    _, match = await look(client, who)
    assert (await client.post(f"{REVISIONS}/1/restore", headers=who | match)).status_code == 201
    for headers in (who, who | match, who | {"If-Match": "*"}):
        again = await client.post(f"{REVISIONS}/1/restore", headers=headers)
        assert refusal(again) == (409, "draft-exists")
    assert await counts(database, ConditionDraft) == [1]


async def test_a_withdrawn_page_comes_back(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, summary="Synthetic withdrawn.")
    _, match = await look(client, admin)
    answer = await client.post(f"/conditions/{SLUG}/withdraw", headers=admin)
    assert answer.status_code == 200, answer.text
    stale = await client.post(f"{REVISIONS}/1/restore", headers=admin | match)
    assert refusal(stale) == (412, "version-stale")
    assert refusal(await client.get(draft_of(), headers=admin)) == (404, "draft-not-found")
    assert (await client.post(f"{REVISIONS}/1/restore", headers=admin)).status_code == 201
    assert (await done(client, admin, "publish"))["revision"] == 2
    assert (await client.get(f"/conditions/{SLUG}")).json()["summary"] == "Synthetic withdrawn."


async def test_what_was_renamed_since_has_its_present_name_in_what_is_restored(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    renames = (
        (f"/conditions/{SLUG}/rename", "synthetic-new"),
        ("/categories/synthetic-category/rename", "synthetic-group"),
        ("/treatment-options/synthetic-treatment/rename", "synthetic-therapy"),
    )
    for address, slug in renames:
        answer = await client.post(address, json={"slug": slug}, headers=admin)
        assert answer.status_code == 200, answer.text
    # Also in the published text that an edit begins with.
    begun, _ = await look(client, admin, "synthetic-new")
    answer = await client.post("/conditions/synthetic-new/revisions/1/restore", headers=admin)
    assert answer.status_code == 201, answer.text
    document = answer.json()["document"]
    assert begun["document"] == document
    assert (document["slug"], document["category"]["slug"]) == ("synthetic-new", "synthetic-group")
    assert [option["slug"] for option in document["treatment_options"]] == ["synthetic-therapy"]
    assert (await done(client, admin, "publish", slug="synthetic-new"))["revision"] == 2


async def test_a_draft_follows_its_condition_to_another_slug(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    await put(client, admin, summary="Synthetic next.")
    await begin(client, admin, locale="es")
    answer = await client.post(f"/conditions/{SLUG}/rename", json={"slug": "synthetic-new"}, headers=admin)
    assert answer.status_code == 200, answer.text
    for locale in ("en", "es"):
        seen, _ = await look(client, admin, "synthetic-new", locale)
        assert (seen["state"], seen["document"]["slug"]) == ("draft", "synthetic-new")
    assert (await done(client, admin, "publish", slug="synthetic-new"))["revision"] == 2


async def test_a_deleted_treatment_and_its_slug_are_not_mixed_up_in_what_is_restored(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    both = [treatment("synthetic-a"), treatment("synthetic-b")]
    await publish(database, treatment_options=both)
    await publish(database, treatment_options=both[:1])
    assert (await client.delete("/treatment-options/synthetic-b", headers=admin)).status_code == 200
    renamed = await client.post("/treatment-options/synthetic-a/rename", json={"slug": "synthetic-b"}, headers=admin)
    assert refusal(renamed) == (409, "slug-retired")
    assert (await client.post(f"{REVISIONS}/1/restore", headers=admin)).status_code == 201
    seen, _ = await look(client, admin)
    assert seen["document"]["treatment_options"] == both


async def test_whoever_restores_while_another_renames_is_sent_to_the_present_slug(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    await publish(database, summary="Synthetic next.")
    async with database.write() as session:
        await slugs.rename(session, Subject.CONDITION, SLUG, "synthetic-new", by="test")
        restoring = asyncio.create_task(client.post(f"{REVISIONS}/1/restore", headers=admin))
        # It waits for the turn.
        await asyncio.sleep(0.3)
        assert not restoring.done()
    answer = await restoring
    assert (answer.status_code, answer.headers.get("location")) == (
        308,
        "/conditions/synthetic-new/revisions/1/restore",
    )
    assert await counts(database, ConditionDraft) == [0]
