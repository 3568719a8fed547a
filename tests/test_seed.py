"""Seeding: files become pages, all of them or none, and never over what an editor has published since."""

import asyncio
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from app import planting
from app.content import seed_files
from app.content.document import ConditionDocument
from app.content.seed_files import SeedInvalid
from app.content.seeding import SeedOutdated
from app.content.tables import ConditionRevision
from app.core.db import Database
from app.core.settings import Settings
from tests.pages import page_content, publish
from tests.rows import everything

SLUG = "synthetic-condition"


def write(file: Path, **changes: Any) -> Path:
    """A seed file of a synthetic page."""
    content = StringIO()
    YAML().dump(page_content(**changes), content)
    file.write_text(content.getvalue(), encoding="utf-8")
    return file


def on(settings: Settings, work: Callable[[Database], Any]) -> Any:
    """Run this with the test's database; `planting.seed` has an event loop of its own, so these tests have none."""

    async def run() -> Any:
        database = Database(settings)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())


def revisions(settings: Settings) -> list[tuple[str, int, str]]:
    """Slug, number and source of every revision."""
    rows = on(settings, lambda database: everything(database, ConditionRevision))
    return sorted((row["document"]["slug"], row["number"], row["source"]) for row in rows)


def edit(settings: Settings, slug: str = SLUG, **changes: Any) -> None:
    """Publish as an editor."""
    on(settings, lambda database: publish(database, slug, **changes))


def test_seeding_again_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    assert planting.seed(settings, None).unchanged == ["acute-lymphoblastic-leukemia"]
    write(tmp_path / "a.yaml")
    assert planting.seed(settings, tmp_path).published == [SLUG]
    before = revisions(settings)
    for path in (tmp_path, tmp_path / "a.yaml"):
        done = planting.seed(settings, path)
        assert (done.published, done.unchanged) == ([], [SLUG])
    assert revisions(settings) == before


def test_words_that_moved_within_the_file_change_nothing(settings: Settings, tmp_path: Path) -> None:
    file = write(tmp_path / "a.yaml")
    planting.seed(settings, tmp_path)
    lines = "# A comment.\nlocale: en\n" + file.read_text().replace("Synthetic overview.", '"Synthetic overview."')
    file.write_text(lines)
    assert planting.seed(settings, tmp_path).unchanged == [SLUG]


def test_a_changed_file_is_the_next_revision(settings: Settings, tmp_path: Path) -> None:
    for overview in ("Synthetic 1.", "Synthetic 2.", "Synthetic 1."):
        write(tmp_path / "a.yaml", overview=overview)
        assert planting.seed(settings, tmp_path).published == [SLUG]
    assert [number for slug, number, _ in revisions(settings) if slug == SLUG] == [1, 2, 3]


def test_a_folder_is_read_with_its_conditions(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "conditions").mkdir()
    for slug in ("synthetic-a", "synthetic-b"):
        write(tmp_path / "conditions" / f"{slug}.yaml", slug=slug)
    assert planting.seed(settings, tmp_path).published == ["synthetic-a", "synthetic-b"]


def test_an_unchanged_file_leaves_alone_what_an_editor_published(settings: Settings, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml")
    planting.seed(settings, tmp_path)
    edit(settings, overview="Synthetic words of an editor.")
    before = revisions(settings)
    assert planting.seed(settings, tmp_path).unchanged == [SLUG]
    assert revisions(settings) == before
    assert before[-2:] == [(SLUG, 1, "seed"), (SLUG, 2, "editor")]


@pytest.mark.parametrize("is_seeded", [True, False])
def test_a_changed_file_never_undoes_what_an_editor_published(
    settings: Settings, tmp_path: Path, is_seeded: bool
) -> None:
    if is_seeded:
        write(tmp_path / "m.yaml")
        planting.seed(settings, tmp_path)
    edit(settings, overview="Synthetic words of an editor.")
    before = revisions(settings)
    write(tmp_path / "a.yaml", slug="synthetic-a")
    write(tmp_path / "m.yaml", overview="Synthetic words of the file.")
    write(tmp_path / "z.yaml", slug="synthetic-z")
    with pytest.raises(SeedOutdated, match=r"m\.yaml.*synthetic-condition") as told:
        planting.seed(settings, tmp_path)
    # The other files are none the worse for it.
    done = told.value.done
    assert (done.published, done.unchanged, len(done.outdated)) == (["synthetic-a", "synthetic-z"], [], 1)
    others = [("synthetic-a", 1, "seed"), ("synthetic-z", 1, "seed")]
    assert sorted(revisions(settings)) == sorted([*before, *others])


def test_another_name_for_a_category_names_the_file_and_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    before = revisions(settings)
    write(tmp_path / "a.yaml", slug="synthetic-a")
    write(tmp_path / "b.yaml", category={"slug": "synthetic-category", "name": "Other"})
    with pytest.raises(SeedInvalid, match=r"b\.yaml.*category\.name"):
        planting.seed(settings, tmp_path)
    assert revisions(settings) == before


LINE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(
    lambda line: any(character.isalnum() for character in line)
)
PROSE = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\r\n"), max_size=60).map(
    lambda text: f"{text}a"
)
DOCUMENTS = st.builds(
    page_content,
    name=LINE,
    alternate_names=st.lists(LINE, max_size=2),
    overview=PROSE,
    risk_factors=st.lists(LINE, max_size=3),
    what_to_bring=st.fixed_dictionaries({"text": PROSE, "items": st.lists(LINE, max_size=2)}),
    codes=st.sampled_from([[], [{"system": "mesh", "code": "D1"}]]),
)


@given(content=DOCUMENTS)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_page_says_the_same_after_a_journey_through_yaml_and_json(tmp_path: Path, content: dict[str, Any]) -> None:
    document = ConditionDocument.model_validate(content)
    from_yaml = seed_files.read_document(write(tmp_path / "a.yaml", **content))
    from_json = ConditionDocument.model_validate(json.loads(json.dumps(from_yaml.model_dump(mode="json"))))
    assert from_yaml == from_json == document
    assert {from_yaml.digest(), from_json.digest(), document.digest()} == {document.digest()}
    assert ConditionDocument.model_validate(content | {"summary": "Other."}).digest() != document.digest()
