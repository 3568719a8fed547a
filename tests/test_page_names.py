"""What pages are the first to name, their categories and treatments, is told in the feed like what editors make."""

import httpx
import pytest

from app.content import publishing, slugs
from app.content.document import ConditionDocument
from app.content.editorial_tables import ContentChange, Subject
from app.content.errors import SlugRetired
from app.content.tables import Category, CategoryName, RevisionSource, Treatment, TreatmentName
from app.core.db import Database
from app.delivery.tables import OutboxMessage
from tests.pages import page_content, publish, treatment
from tests.rows import everything
from tests.test_changes import follow


@pytest.mark.parametrize(
    ("subject", "place", "table"),
    [("category", "/categories", Category), ("treatment", "/treatment-options", Treatment)],
)
async def test_every_category_and_treatment_is_known_from_the_feed_alone(
    client: httpx.AsyncClient,
    database: Database,
    admin: dict[str, str],
    subject: str,
    place: str,
    table: type[Category | Treatment],
) -> None:
    options = [treatment("synthetic-a", "Synthetic A"), treatment("synthetic-b", "Synthetic B")]
    await publish(database, "synthetic-1", locale="es", treatment_options=options[:1])
    await publish(database, "synthetic-1", treatment_options=options)
    other = {"slug": "synthetic-other", "name": "Synthetic Other"}
    await publish(database, "synthetic-2", category=other, treatment_options=options)
    await publish(database, "synthetic-2", category=other, treatment_options=options[::-1])
    assert (await client.post(place, json={"slug": "synthetic-c", "name": "Synthetic C"}, headers=admin)).is_success
    assert (await client.post(f"{place}/synthetic-c/rename", json={"slug": "synthetic-d"}, headers=admin)).is_success
    items = [item for item in (await follow(client, "/changes"))[0] if item["subject"] == subject]
    known: dict[str, str] = {}
    for item in items:
        # Nothing is told of a thing that was not published before.
        assert (item["id"] in known) == (item["kind"] != "published")
        assert known.get(item["id"], "") == item.get("previous_slug", known.get(item["id"], ""))
        known[item["id"]] = item["slug"]
    assert known == {str(row["id"]): row["slug"] for row in await everything(database, table)}
    # Once for each name in another language, and no more often.
    first = "synthetic-category" if subject == "category" else "synthetic-a"
    told = [(item["kind"], item.get("locale"), item["sections"]) for item in items if item["slug"] == first]
    assert told == [("published", None, []), ("updated", "en", ["name"])]


async def test_a_publish_that_is_refused_names_nothing(database: Database) -> None:
    await publish(database)
    tables = (Category, CategoryName, Treatment, TreatmentName, ContentChange, OutboxMessage)
    async with database.write() as session:
        await slugs.rename(session, Subject.TREATMENT, "synthetic-treatment", "synthetic-present", by="test")
    before = [await everything(database, table) for table in tables]
    new = {"slug": "synthetic-new", "name": "Synthetic New"}
    options = [treatment("synthetic-newer"), treatment("synthetic-treatment")]
    document = ConditionDocument.model_validate(page_content("synthetic-2", category=new, treatment_options=options))
    async with database.write() as session:
        with pytest.raises(SlugRetired):
            await publishing.publish(session, document, source=RevisionSource.EDITOR, by="test")
        # Whoever goes on after a refusal, as seeding does, commits nothing of it.
    assert [await everything(database, table) for table in tables] == before
