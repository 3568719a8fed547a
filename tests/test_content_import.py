"""Importing files: what they say otherwise is shown and published, all of it or none, and nobody's words are undone."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from app import databases, planting
from app.content import content_files, content_import, publishing, schedule, slugs, withdrawals
from app.content.content_import import ImportOutdated
from app.content.editorial_tables import ContentChange, Subject
from app.content.seed_files import SeedInvalid
from app.content.tables import ConditionPage, ConditionRevision, RevisionSource
from app.core import clock
from app.core.db import Database
from app.core.settings import Settings
from tests.page_documents import document
from tests.page_files import as_editor, bring_in, compare, edit, export, on, write
from tests.pages import treatment
from tests.rows import everything, run
from tests.schedules import within


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files are, and nothing else."""
    return tmp_path / "pages"


def test_what_a_file_says_otherwise_is_shown_and_published_and_the_rest_left_alone(
    settings: Settings, folder: Path
) -> None:
    edit(settings)
    edit(settings, "synthetic-other")
    export(settings, folder)
    write(
        folder,
        document("synthetic-condition", overview="Synthetic other.", causes=[]),
        document("synthetic-new"),
    )
    found = compare(settings, folder)
    changed, added = found.changed
    assert (changed.document.slug, changed.fields(), found.unchanged) == (
        "synthetic-condition", ["causes", "overview"], 2,
    )  # fmt: skip
    assert list(changed.difference()) == [
        "--- overview (revision 1)",
        "+++ overview (file)",
        "@@ -1 +1 @@",
        "-overview: Synthetic overview.",
        "+overview: Synthetic other.",
        "--- causes (revision 1)",
        "+++ causes (file)",
        "@@ -1,2 +1 @@",
        "-causes:",
        "-  - Synthetic cause",
        "+causes: []",
    ]
    assert (added.document.slug, added.before, list(added.difference())) == ("synthetic-new", None, [])
    before = on(settings, lambda database: everything(database, ConditionRevision))
    bring_in(settings, found)
    after = on(settings, lambda database: everything(database, ConditionRevision))
    made = [row for row in after if row not in before]
    assert sorted((row["document"]["slug"], row["number"], row["source"], row["published_by"]) for row in made) == [
        ("synthetic-condition", 2, "editor", "command_line"),
        ("synthetic-new", 1, "editor", "command_line"),
    ]
    assert compare(settings, folder).changed == []


def test_a_page_keeps_the_end_of_its_time(settings: Settings, folder: Path) -> None:
    end = clock.now().replace(year=2099, microsecond=0)
    page = document("synthetic-condition")
    as_editor(
        settings,
        lambda session: publishing.publish(session, page, source=RevisionSource.EDITOR, by="test", unpublish_at=end),
    )
    bring_in(settings, compare(settings, write(folder, document("synthetic-condition", overview="Synthetic other."))))
    (row,) = [row for row in on(settings, lambda d: everything(d, ConditionPage)) if row["revision"] == 2]
    assert row["unpublish_at"] == end


def refusal(settings: Settings, folder: Path) -> list[str]:
    """What is said of files that cannot be imported, without the folder; nothing is published then."""
    before = on(settings, lambda database: everything(database, ContentChange))
    with pytest.raises(SeedInvalid) as caught:
        compare(settings, folder)
    assert on(settings, lambda database: everything(database, ContentChange)) == before
    return str(caught.value).replace(f"{folder}/conditions/", "").splitlines()


def test_faults_of_all_files_are_told_at_once(settings: Settings, folder: Path) -> None:
    write(folder, document("synthetic-a"), document("synthetic-b"), document("synthetic-c"))
    for name, field in (("a", "causes"), ("c", "overview")):
        file = folder / "conditions" / f"synthetic-{name}.yaml"
        file.write_text(file.read_text().replace(f"{field}:", "other:"))
    told = [line.split(": ")[:2] for line in refusal(settings, folder)]
    assert told == [
        ["synthetic-a.yaml:1", "causes"],
        ["synthetic-a.yaml:18", "other"],
        ["synthetic-c.yaml:1", "overview"],
        ["synthetic-c.yaml:10", "other"],
    ]


def test_what_publishing_would_refuse_is_told_with_file_line_and_field(settings: Settings, folder: Path) -> None:
    for slug in ("synthetic-old", "synthetic-gone", "synthetic-known"):
        edit(settings, slug)

    async def change(session: Any) -> None:
        await slugs.rename(session, Subject.CONDITION, "synthetic-old", "synthetic-present", by="test")
        await slugs.rename(session, Subject.TREATMENT, "synthetic-treatment", "synthetic-present", by="test")
        await withdrawals.withdraw(session, "synthetic-gone", replacement=None, by="test")

    as_editor(settings, change)
    other = {"slug": "synthetic-category", "name": "Synthetic Other"}
    new, newer = ({"slug": "synthetic-new", "name": name} for name in ("Synthetic", "Synthetic Newer"))
    write(
        folder,
        document("synthetic-old", treatment_options=[]),
        document("synthetic-gone", treatment_options=[]),
        document("synthetic-a", category=other, treatment_options=[]),
        document("synthetic-b", category=new, treatment_options=[treatment("a"), treatment("synthetic-treatment")]),
        document("synthetic-c", category=newer, treatment_options=[]),
        document("synthetic-known", "es", category=new, treatment_options=[]),
    )
    told = [line.split(": ")[:2] for line in refusal(settings, folder)]
    assert sorted(told) == [
        ["synthetic-a.yaml:9", "category.name"],
        ["synthetic-b.yaml:24", "treatment_options.1.slug"],
        ["synthetic-c.yaml:9", "category.name"],
        ["synthetic-gone.yaml:2", "slug"],
        ["synthetic-known.es.yaml:8", "category.slug"],
        ["synthetic-old.yaml:2", "slug"],
    ]


def test_a_page_whose_time_was_over_is_not_brought_back_by_its_file(settings: Settings, folder: Path) -> None:
    edit(settings)
    edit(settings, locale="es")
    export(settings, folder)

    async def take_down(database: Database) -> None:
        spanish = update(ConditionPage).where(col(ConditionPage.locale) == "es")
        await run(database, spanish.values(unpublish_at=within(-1)))
        await schedule.publish_due(database)

    on(settings, take_down)
    assert [line.split(": ")[:2] for line in refusal(settings, folder)] == [["synthetic-condition.es.yaml:2", "slug"]]
    (folder / "conditions" / "synthetic-condition.es.yaml").unlink()
    assert compare(settings, folder).changed == []


def test_who_publishes_between_comparing_and_importing_is_not_undone(settings: Settings, folder: Path) -> None:
    edit(settings)
    write(folder, document("synthetic-a"), document("synthetic-condition", overview="Synthetic words of the file."))
    found = compare(settings, folder)
    edit(settings, overview="Synthetic words of an editor.")
    before = on(settings, lambda database: everything(database, ConditionPage))
    with pytest.raises(ImportOutdated, match=r"synthetic-condition\.yaml: .* 0 pages were published before"):
        bring_in(settings, found)
    assert on(settings, lambda database: everything(database, ConditionPage)) == before


def test_more_pages_than_one_transaction_takes_are_published_lot_by_lot(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_import, "AT_ONCE", 2)
    edit(settings, "synthetic-z")
    slugs_of_files = [f"synthetic-{letter}" for letter in "abcyz"]
    write(folder, *(document(slug, overview="Synthetic words of the file.") for slug in slugs_of_files))
    found = compare(settings, folder)
    edit(settings, "synthetic-z", overview="Synthetic words of an editor.")
    with pytest.raises(ImportOutdated, match="4 pages were published before"):
        bring_in(settings, found)
    pages = asyncio.run(databases.read(settings, content_files.read_published))
    assert {page.document.slug: page.revision for page in pages if page.document.slug in slugs_of_files} == {
        "synthetic-a": 1, "synthetic-b": 1, "synthetic-c": 1, "synthetic-y": 1, "synthetic-z": 2,
    }  # fmt: skip


def test_a_translation_comes_after_the_page_that_it_translates(settings: Settings, folder: Path) -> None:
    write(folder, document("synthetic-condition", "de"), document("synthetic-condition"))
    bring_in(settings, compare(settings, folder))
    changes = on(settings, lambda database: everything(database, ContentChange, ContentChange.revision == 1))
    changes.sort(key=lambda change: change["number"])
    assert [change["locale"] for change in changes[-2:]] == ["en", "de"]


def test_the_seed_may_have_translations_too(settings: Settings, folder: Path) -> None:
    write(folder, document("synthetic-condition"), document("synthetic-condition", "es"))
    assert planting.seed(settings, folder).published == ["synthetic-condition"] * 2
    assert planting.seed(settings, folder).unchanged == ["synthetic-condition"] * 2
