"""Pages as files: what is published can be written to a folder and published elsewhere, without a loss."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from app import databases
from app.content import content_files, page_yaml, seed_files, slugs, withdrawals
from app.content.document import ConditionDocument
from app.content.editorial_tables import Subject
from app.core.settings import Settings
from tests.page_documents import contents, document, folders
from tests.page_files import as_editor, bring_in, compare, edit, export, write

ALL = "conditions/acute-lymphoblastic-leukemia.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the files are, and nothing else."""
    return tmp_path / "pages"


@given(content=contents())
@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_says_what_the_document_says_and_the_same_document_makes_the_same_bytes(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    written = document("synthetic-condition", **content)
    (tmp_path / "a.yaml").write_bytes(page_yaml.write(written).encode())
    read = seed_files.read_document(tmp_path / "a.yaml")
    assert read == written
    assert page_yaml.write(read) == page_yaml.write(written)


@given(documents=folders())
@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_export_import_into_an_empty_database_and_export_give_identical_bytes(
    make_unseeded: Callable[[], Settings],
    tmp_path_factory: pytest.TempPathFactory,
    documents: list[ConditionDocument],
) -> None:
    folder = tmp_path_factory.mktemp("round-trip")
    databases = [make_unseeded(), make_unseeded()]
    write(folder / "0", *documents)
    exported = []
    for number, settings in enumerate(databases, 1):
        bring_in(settings, compare(settings, folder / str(number - 1)))
        exported.append(export(settings, folder / str(number)))
    assert exported[0] == exported[1]
    read = [page for _, page in seed_files.read_documents(folder / "2")]
    assert sorted(page.digest() for page in read) == sorted(page.digest() for page in documents)
    assert compare(databases[1], folder / "0").changed == []


def test_a_file_reads_well(settings: Settings, folder: Path) -> None:
    edit(
        settings,
        overview="Synthetic overview. " * 8 + "End.",
        summary="Synthetic one.\n\n  Synthetic two: # no comment\n",
        causes=["no", "Synthetic: cause", "Synthetic\u200bcause"],
        references=[{"section": "overview", "title": "4", "url": "https://example.org"}],
        review={"last_reviewed_on": "2026-01-01", "next_review_on": "2027-01-01", "reviewed_by": "Synthetic board"},
    )
    assert (
        export(settings, folder)["conditions/synthetic-condition.yaml"].decode()
        == """\
# yaml-language-server: $schema=../condition-page.schema.json
slug: synthetic-condition
locale: en
name: Synthetic synthetic-condition
alternate_names: []
summary: |
  Synthetic one.

    Synthetic two: # no comment
category:
  slug: synthetic-category
  name: Synthetic Category
overview: >-
  Synthetic overview. Synthetic overview. Synthetic overview. Synthetic overview. Synthetic
  overview. Synthetic overview. Synthetic overview. Synthetic overview. End.
when_to_consult: Synthetic time.
what_to_bring:
  text: Synthetic thing.
  items:
    - Synthetic thing
risk_factors:
  - Synthetic factor
causes:
  - "no"
  - "Synthetic: cause"
  - "Synthetic\\u200bcause"
treatment_options:
  - slug: synthetic-treatment
    name: Synthetic Treatment
    description: Synthetic words.
consultation:
  heading: Synthetic heading
  text: Synthetic call.
codes: []
review:
  last_reviewed_on: 2026-01-01
  next_review_on: 2027-01-01
  reviewed_by: Synthetic board
references:
  - section: overview
    title: "4"
    url: https://example.org
"""
    )


def test_each_language_has_a_file_and_a_second_export_writes_nothing(settings: Settings, folder: Path) -> None:
    edit(settings)
    edit(settings, locale="pt-BR")
    files = export(settings, folder)
    assert list(files) == [
        "condition-page.schema.json",
        ALL,
        "conditions/synthetic-condition.pt-BR.yaml",
        "conditions/synthetic-condition.yaml",
    ]
    pages = asyncio.run(databases.read(settings, content_files.read_published))
    done = content_files.write_files(folder, [page.document for page in pages], prune=False)
    assert (done.written, done.unchanged, done.left) == (0, 3, [])
    assert compare(settings, folder).changed == []


def test_a_file_has_the_present_slugs_and_names(settings: Settings, folder: Path) -> None:
    edit(settings)

    async def rename(session: Any) -> None:
        for subject in Subject:
            await slugs.rename(session, subject, f"synthetic-{subject}", f"synthetic-new-{subject}", by="test")

    as_editor(settings, rename)
    files = export(settings, folder)
    assert set(files) == {"condition-page.schema.json", ALL, "conditions/synthetic-new-condition.yaml"}
    renamed = seed_files.read_document(folder / "conditions" / "synthetic-new-condition.yaml")
    assert renamed.slug == "synthetic-new-condition"
    assert renamed.category.slug == "synthetic-new-category"
    assert [option.slug for option in renamed.treatment_options] == ["synthetic-new-treatment"]
    assert compare(settings, folder).changed == []


def test_only_files_that_an_export_wrote_are_pruned(settings: Settings, folder: Path) -> None:
    edit(settings)
    export(settings, folder)
    own = folder / "conditions" / "own.yaml"
    own.write_text("slug: synthetic-own\n")
    as_editor(settings, lambda session: withdrawals.withdraw(session, "synthetic-condition", replacement=None, by="a"))
    assert "conditions/synthetic-condition.yaml" in export(settings, folder)
    assert set(export(settings, folder, prune=True)) == {
        "condition-page.schema.json",
        ALL,
        "conditions/own.yaml",
    }
