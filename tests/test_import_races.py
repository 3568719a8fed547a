"""An import and an editor who publish the same page: one of them does, and nobody's words are lost."""

import multiprocessing
from functools import partial
from pathlib import Path

from sqlmodel import col

from app.content.editorial_tables import ConditionDraft
from app.content.tables import ConditionRevision
from app.core.settings import Settings
from tests import edit_races
from tests.editing import SLUG
from tests.page_documents import document
from tests.page_files import bring_in, compare, edit, on, write
from tests.rows import everything

ROUNDS = 8


def test_an_import_outdates_a_draft_that_lies_open(settings: Settings, tmp_path: Path) -> None:
    edit(settings)
    on(settings, partial(edit_races.begin_draft, slug=SLUG))
    before = on(settings, lambda database: everything(database, ConditionDraft))
    files = write(tmp_path / "pages", document(SLUG, overview="Synthetic file."), document("synthetic-new"))
    found = compare(settings, files)
    assert [(page.document.slug, page.has_draft) for page in found.changed] == [(SLUG, True), ("synthetic-new", False)]
    bring_in(settings, found)
    assert on(settings, lambda database: everything(database, ConditionDraft)) == before
    assert on(settings, lambda database: edit_races.publish_draft(database, SLUG)) == "draft-outdated"
    pages = on(settings, edit_races.seen_by_all)
    assert pages[SLUG] == (2, "Synthetic summary.")


def test_of_an_import_and_an_editor_in_two_processes_one_publishes_and_the_others_words_are_kept(
    settings: Settings, tmp_path: Path
) -> None:
    names = [f"synthetic-{number}" for number in range(ROUNDS)]
    files = []
    for name in names:
        edit(settings, name)
        on(settings, partial(edit_races.begin_draft, slug=name))
        files.append(write(tmp_path / name, document(name, summary="Synthetic file.")))
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(2), spawn.Queue()
    crew = [
        spawn.Process(target=edit_races.importing, args=(settings, files, start, results)),
        spawn.Process(target=edit_races.publishing, args=(settings, names, start, results)),
    ]
    for process in crew:
        process.start()
    outcomes = dict(results.get(timeout=60) for _ in crew)
    for process in crew:
        process.join()
    pages = on(settings, edit_races.seen_by_all)
    left = {row["slug"]: row for row in on(settings, lambda database: everything(database, ConditionDraft))}
    for name, brought_in, edited in zip(names, outcomes["importing"], outcomes["publishing"], strict=True):
        # Both had seen revision 1: one of them made the second one, the other was told.
        assert (brought_in, edited) in {("published", "draft-outdated"), ("outdated", "published")}
        if edited == "published":
            assert pages[name] == (2, "Synthetic draft.")
            assert name not in left
        else:
            assert pages[name] == (2, "Synthetic file.")
            assert left[name]["document"]["summary"] == "Synthetic draft."
    revisions = on(settings, lambda d: everything(d, ConditionRevision, col(ConditionRevision.number) > 2))
    assert revisions == []
