"""Exporting: the published pages as files, one for each page and language."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select as core_select
from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import former_names, locales, page_yaml
from app.content.document import ConditionDocument
from app.content.editorial_tables import SlugRedirect, Subject
from app.content.page_schema import page_schema
from app.content.tables import (
    Category,
    CategoryName,
    Condition,
    ConditionPage,
    ConditionRevision,
    Treatment,
)
from app.core.db import rows
from app.core.shapes import DEFAULT_LOCALE

# Pages are read by so many, so that no statement takes long.
_AT_ONCE: Final = 500
_NAMES: Final[Any] = core_select(
    col(CategoryName.category_id).label("id"), col(CategoryName.locale), col(CategoryName.name)
)
_FORMER_TREATMENTS: Final[Any] = (
    select(col(SlugRedirect.slug).label("former"), col(Treatment.slug).label("present"))
    .join(Treatment, col(Treatment.id) == SlugRedirect.treatment_id)
    .where(SlugRedirect.kind == Subject.TREATMENT)
)
_PAGES: Final = (
    core_select(
        col(Condition.slug),
        col(ConditionPage.locale),
        col(ConditionPage.revision),
        col(ConditionPage.unpublish_at),
        col(Condition.category_id),
        col(Category.slug).label("category_slug"),
        col(ConditionRevision.document),
    )
    .select_from(ConditionPage)
    .join(Condition, col(Condition.id) == ConditionPage.condition_id)
    .join(Category, col(Category.id) == Condition.category_id)
    .join(
        ConditionRevision,
        (col(ConditionRevision.condition_id) == ConditionPage.condition_id)
        & (col(ConditionRevision.locale) == ConditionPage.locale)
        & (col(ConditionRevision.number) == ConditionPage.revision),
    )
    .order_by(col(Condition.slug), col(ConditionPage.locale))
    .limit(_AT_ONCE)
)


@dataclass(frozen=True, slots=True)
class PublishedDocument:
    """A published page as its file says it."""

    document: ConditionDocument
    revision: int
    unpublish_at: datetime | None


@dataclass(frozen=True, slots=True)
class Exported:
    """What exporting did."""

    written: int
    unchanged: int
    # Files of pages that are not published any more.
    left: list[Path]


async def read_published(session: AsyncSession) -> list[PublishedDocument]:
    """Every published page, by slug and language: its words as published, its slugs and category as they are now."""
    named = {(row.id, row.locale): row.name for row in await rows(session, _NAMES)}
    treatments = {row.former: row.present for row in await rows(session, _FORMER_TREATMENTS)}
    found: list[PublishedDocument] = []
    pages = await rows(session, _PAGES)
    while pages:
        for page in pages:
            names = (named.get((page.category_id, language)) for language in locales.of_page(page.locale))
            category = {"slug": page.category_slug, "name": next(filter(None, names), page.category_slug)}
            content = page.document | {"slug": page.slug}
            document = former_names.in_present_names(content, category=category, treatments=treatments)
            found.append(PublishedDocument(document, page.revision, page.unpublish_at))
        last = tuple_(pages[-1].slug, pages[-1].locale)
        pages = await rows(session, _PAGES.where(tuple_(col(Condition.slug), col(ConditionPage.locale)) > last))
    return found


def file_of(document: ConditionDocument) -> str:
    """The file's place in the folder: the default language's has the plain name."""
    language = "" if document.locale == DEFAULT_LOCALE else f".{document.locale}"
    return f"conditions/{document.slug}{language}.yaml"


def write_files(folder: Path, documents: Iterable[ConditionDocument], *, prune: bool) -> Exported:
    """Write these pages below a folder, and the schema beside them; with `prune` other pages' files are deleted."""
    (folder / "conditions").mkdir(parents=True, exist_ok=True)
    _write(folder / page_yaml.SCHEMA_FILE, page_schema())
    texts = ((folder / file_of(document), page_yaml.write(document)) for document in documents)
    is_written = {file: _write(file, text) for file, text in texts}
    # Only what an export has written: a person's own files are nobody else's to delete.
    others = sorted(set((folder / "conditions").glob("*.yaml")) - is_written.keys())
    left = [file for file in others if _is_ours(file)]
    if prune:
        for file in left:
            file.unlink()
    written = sum(is_written.values())
    return Exported(written, len(is_written) - written, left)


def _write(file: Path, text: str) -> bool:
    """Write a file unless it says this already; whether it was written."""
    content = text.encode()
    if file.is_file() and file.read_bytes() == content:
        return False
    # Whole or not at all, also when the disk is full.
    new = file.with_name(f".{file.name}.new")
    new.write_bytes(content)
    new.replace(file)
    return True


def _is_ours(file: Path) -> bool:
    return file.read_bytes().startswith(page_yaml.FIRST_LINE.encode())
