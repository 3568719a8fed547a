"""The one way in: every publish makes the page, its next revision and a line in the trail, or nothing at all."""

import asyncio

import httpx
import pytest
from sqlalchemy import delete, update
from sqlmodel import col

from app.access.tables import AuditEntry
from app.content import publishing, withdrawals
from app.content.document import ConditionDocument
from app.content.errors import CategoryNamedDifferently
from app.content.tables import (
    Category,
    CategoryName,
    Condition,
    ConditionPage,
    ConditionRevision,
    ContentVersion,
    RevisionSource,
    Treatment,
)
from app.core.db import Database
from app.core.settings import Settings
from tests.editing import SLUG, begin, draft_of
from tests.pages import page_content, publish, treatment
from tests.rows import counts, everything, refused_by

ADDRESS = "/conditions/synthetic-condition"


async def test_revisions_are_numbered_from_1_and_kept(client: httpx.AsyncClient, database: Database) -> None:
    made = [await publish(database, summary=f"Synthetic {number}.") for number in (1, 2, 3)]
    assert [revision.number for revision in made] == [1, 2, 3]
    kept = await everything(database, ConditionRevision, col(ConditionRevision.condition_id) == made[0].condition_id)
    kept.sort(key=lambda revision: revision["number"])
    assert [(row["number"], row["document"]["summary"]) for row in kept] == [
        (1, "Synthetic 1."),
        (2, "Synthetic 2."),
        (3, "Synthetic 3."),
    ]
    assert {(row["source"], row["published_by"]) for row in kept} == {("editor", "test")}
    assert (await client.get(ADDRESS)).json()["revision"] == 3


async def test_a_revision_says_again_what_was_published(database: Database) -> None:
    changes = {"name": "Sýnthetic 🦥", "overview": "One.\n\n\tTwo: \"quoted\" \\ and 'so'.\r\nThree.\u2028Four."}
    made = await publish(database, **changes)
    (kept,) = await everything(database, ConditionRevision, col(ConditionRevision.condition_id) == made.condition_id)
    document = ConditionDocument.model_validate(kept["document"])
    assert document == ConditionDocument.model_validate(page_content(**changes))
    assert document.digest() == kept["digest"]


async def test_a_published_revision_cannot_be_changed_by_hand(database: Database) -> None:
    await publish(database)
    before = await everything(database, ConditionRevision)
    for statement in (update(ConditionRevision).values(digest="other"), delete(ConditionRevision)):
        assert await refused_by(database, statement) == "ck_condition_revisions_immutable"
    assert await everything(database, ConditionRevision) == before


async def test_the_first_publication_is_remembered(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database)
    first = (await client.get(ADDRESS)).json()
    await publish(database)
    (page,) = await everything(database, ConditionPage, col(ConditionPage.revision) == 2)
    assert first["published_at"] == first["updated_at"]
    assert page["published_at"].isoformat().replace("+00:00", "Z") == first["published_at"]
    assert page["updated_at"] > page["published_at"]
    # Also of a page that was taken down, in its preview and when it is back.
    async with database.write() as session:
        await withdrawals.withdraw(session, SLUG, replacement=None, by="test")
    await begin(client, admin)
    preview = (await client.post(f"{draft_of()}/preview", headers=admin)).json()["url"]
    await publish(database)
    for address in (preview, ADDRESS):
        assert (await client.get(address)).json()["published_at"] == first["published_at"]


async def test_lists_are_replaced_whole(client: httpx.AsyncClient, database: Database) -> None:
    codes = [{"system": "mesh", "code": "D1"}, {"system": "icd-10", "code": "Z1"}]
    options = [treatment("synthetic-a"), treatment("synthetic-b")]
    await publish(database, risk_factors=["a", "b", "c"], alternate_names=["S"], codes=codes, treatment_options=options)
    await publish(
        database,
        risk_factors=["c", "a"],
        causes=[],
        what_to_bring={"text": "Nothing.", "items": []},
        codes=codes[::-1],
        treatment_options=options[::-1],
    )
    page = (await client.get(ADDRESS)).json()
    assert page["risk_factors"] == ["c", "a"]
    assert (page["causes"], page["alternate_names"], page["what_to_bring"]["items"]) == ([], [], [])
    assert page["codes"] == codes[::-1]
    assert page["treatment_options"] == options[::-1]


async def test_another_name_for_a_category_is_refused_and_nothing_is_written(database: Database) -> None:
    await publish(database)
    tables = (
        Category,
        CategoryName,
        Condition,
        ConditionPage,
        ConditionRevision,
        Treatment,
        AuditEntry,
        ContentVersion,
    )
    before = [await everything(database, table) for table in tables]
    for slug in ("synthetic-condition", "synthetic-other"):
        with pytest.raises(CategoryNamedDifferently):
            await publish(database, slug, category={"slug": "synthetic-category", "name": "Synthetic category"})
    assert [await everything(database, table) for table in tables] == before


async def test_a_treatment_keeps_the_name_it_had_first(client: httpx.AsyncClient, database: Database) -> None:
    await publish(database, treatment_options=[treatment("synthetic-treatment", name="First")])
    await publish(database, "synthetic-b", treatment_options=[treatment("synthetic-treatment", name="Second")])
    shown = (await client.get("/treatment-options/synthetic-treatment")).json()
    assert shown["name"] == "First"
    assert [offer["name"] for offer in shown["offered_for"]] == ["Second", "First"]


async def test_each_publish_is_one_line_in_the_trail(database: Database) -> None:
    made = [await publish(database), await publish(database)]
    trail = await everything(database, AuditEntry, col(AuditEntry.actor) == "test")
    assert [(line["action"], line["subject"], line["outcome"]) for line in trail] == [
        ("condition.published", str(revision.condition_id), "done") for revision in made
    ]


@pytest.mark.parametrize("is_known", [False, True])
async def test_two_publishers_of_one_page_both_succeed(settings: Settings, database: Database, is_known: bool) -> None:
    """They race for the next number; the second one waits until the first has committed."""
    if is_known:
        await publish(database)
    other = Database(settings)
    try:
        document = ConditionDocument.model_validate(page_content(summary="Synthetic first."))
        async with database.write() as session:
            first = await publishing.publish(session, document, source=RevisionSource.EDITOR, by="test")
            second = asyncio.create_task(publish(other, summary="Synthetic second."))
            await asyncio.sleep(0.2)
            assert not second.done()
        assert ((await second).number, first.number) == (first.number + 1, 2 if is_known else 1)
    finally:
        await other.close()
    (page,) = await everything(database, ConditionPage, col(ConditionPage.condition_id) == first.condition_id)
    assert (page["revision"], page["summary"]) == (first.number + 1, "Synthetic second.")
    assert (await counts(database, Condition))[0] == 2
