"""What an editor has renamed or withdrawn is not undone by a seed file that does not know it, nor does a start fail."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from app import planting
from app.content import category_changes, slugs, treatment_changes, withdrawals
from app.content.editorial_tables import Subject
from app.content.name_shapes import CategoryWords, TreatmentWords
from app.content.seeding import SeedOutdated
from app.content.tables import Category, Condition, ConditionPage, ConditionRevision
from app.core.db import Database
from app.core.settings import Settings
from tests.processes import environment_of, run
from tests.rows import everything
from tests.test_seed import on, write

SLUG, CATEGORY, TREATMENT = "synthetic-condition", "synthetic-category", "synthetic-treatment"
Change = Callable[[AsyncSession], Awaitable[Any]]


def edit(settings: Settings, change: Change) -> None:
    """Do this as an editor does, in a transaction of its own."""

    async def work(database: Database) -> None:
        async with database.write() as session:
            await change(session)

    on(settings, work)


def public(settings: Settings) -> list[Any]:
    """All that is published, and every revision."""
    tables = (Condition, ConditionPage, ConditionRevision)
    return [on(settings, partial(everything, table=table)) for table in tables]


async def rename(session: AsyncSession) -> None:
    await slugs.rename(session, Subject.CONDITION, SLUG, "synthetic-new", by="test")


async def withdraw(session: AsyncSession) -> None:
    await withdrawals.withdraw(session, SLUG, replacement=None, by="test")


async def name_category(session: AsyncSession) -> None:
    words = CategoryWords(name="Synthetic new name")
    await category_changes.name(session, CATEGORY, "en", words, by="test", versions=None)


async def rename_category(session: AsyncSession) -> None:
    await slugs.rename(session, Subject.CATEGORY, CATEGORY, "synthetic-new", by="test")


async def name_treatment(session: AsyncSession) -> None:
    words = TreatmentWords(name="Synthetic new name")
    await treatment_changes.name(session, TREATMENT, "en", words, by="test", versions=None)


async def rename_treatment(session: AsyncSession) -> None:
    await slugs.rename(session, Subject.TREATMENT, TREATMENT, "synthetic-new", by="test")


CHANGES: list[Change] = [rename, withdraw, name_category, rename_category, name_treatment, rename_treatment]


@pytest.mark.parametrize("change", CHANGES)
def test_an_unchanged_file_is_known(settings: Settings, tmp_path: Path, change: Change) -> None:
    write(tmp_path / "a.yaml")
    planting.seed(settings, tmp_path)
    edit(settings, change)
    before = public(settings)
    assert planting.seed(settings, tmp_path).unchanged == [SLUG]
    assert public(settings) == before


@pytest.mark.parametrize("change", [change for change in CHANGES if change is not name_treatment])
def test_a_changed_file_is_outdated(settings: Settings, tmp_path: Path, change: Change) -> None:
    write(tmp_path / "a.yaml")
    planting.seed(settings, tmp_path)
    edit(settings, change)
    before = public(settings)
    write(tmp_path / "a.yaml", overview="Synthetic words of the file.")
    with pytest.raises(SeedOutdated, match=r"a\.yaml: an editor has (renamed|withdrawn)"):
        planting.seed(settings, tmp_path)
    assert public(settings) == before


@pytest.mark.parametrize("change", [name_category, rename_category, rename_treatment])
def test_a_new_file_with_a_former_name_is_outdated(settings: Settings, tmp_path: Path, change: Change) -> None:
    write(tmp_path / "a.yaml")
    planting.seed(settings, tmp_path)
    edit(settings, change)
    before = public(settings)
    write(tmp_path / "b.yaml", slug="synthetic-b")
    with pytest.raises(SeedOutdated, match=r"b\.yaml: an editor has renamed"):
        planting.seed(settings, tmp_path)
    assert public(settings) == before


def test_a_treatment_that_has_another_name_is_what_it_is(settings: Settings, tmp_path: Path) -> None:
    """What a page calls a treatment is its own: no file is outdated by it."""
    write(tmp_path / "a.yaml")
    planting.seed(settings, tmp_path)
    edit(settings, name_treatment)
    write(tmp_path / "b.yaml", slug="synthetic-b")
    assert planting.seed(settings, tmp_path).published == ["synthetic-b"]


def test_the_command_goes_on_after_an_outdated_file_and_says_so_at_the_end(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "seed"
    folder.mkdir()
    write(folder / "b.yaml")
    planting.seed(settings, folder)
    edit(settings, rename_treatment)
    write(folder / "a.yaml", slug="synthetic-a", treatment_options=[])
    write(folder / "b.yaml", overview="Synthetic words of the file.")
    write(folder / "c.yaml", slug="synthetic-c", category={"slug": "synthetic-newer", "name": "Synthetic"})
    write(folder / "d.yaml", slug="synthetic-d", treatment_options=[])
    ended = run("seed", "seed", folder=tmp_path, environment=environment_of(settings))
    assert (ended.returncode, ended.stdout.splitlines()) == (
        1, ["published synthetic-a", "published synthetic-d", "2 published, 0 unchanged."],
    )  # fmt: skip
    why = "an editor has renamed or deleted a category or a treatment that it names"
    assert ended.stderr.splitlines() == ["carepath: 2 left out:", *(f"seed/{name}.yaml: {why}" for name in "bc")]
    assert [row["slug"] for row in public(settings)[0] if row["slug"] > "synthetic-a"] == [SLUG, "synthetic-d"]
    # What was left out has left nothing behind.
    assert [row["slug"] for row in on(settings, partial(everything, table=Category))] == [
        "hematologic-malignancies", CATEGORY,
    ]  # fmt: skip
    again = run("seed", "seed", folder=tmp_path, environment=environment_of(settings))
    assert (again.returncode, again.stdout) == (1, "0 published, 2 unchanged.\n")
