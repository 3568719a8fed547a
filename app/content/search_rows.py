"""What search finds, as the database holds it: only what is public."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, bindparam
from sqlalchemy import select as core_select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.editorial_tables import ContentChange, Subject
from app.content.search_index import Card, Entry
from app.content.search_shapes import Place
from app.content.tables import (
    Category,
    CategoryName,
    Condition,
    ConditionCode,
    ConditionPage,
    ConditionRevision,
    ContentVersion,
    Treatment,
    TreatmentName,
    TreatmentOption,
)
from app.core.db import rows
from app.core.shapes import DEFAULT_LOCALE

_VERSION: Final = core_select(col(ContentVersion.number))


async def version(source: AsyncSession | AsyncConnection) -> int:
    """The number of the last change."""
    number: int = (await rows(source, _VERSION))[0].number
    return number


async def changed(session: AsyncSession, seen: int, newest: int) -> tuple[list[UUID], bool] | None:
    """The conditions that are others since, and whether treatments are; None where the feed does not tell all of it."""
    found = await rows(session, _changes(), {"seen": seen, "newest": newest})
    if len(found) != newest - seen:
        return None
    ids = list(dict.fromkeys(row.subject_id for row in found if row.subject == Subject.CONDITION))
    return ids, any(row.subject == Subject.TREATMENT for row in found)


async def conditions_after(session: AsyncSession, last: UUID, *, limit: int) -> list[UUID]:
    """The next conditions that have a page, by id."""
    return [row.condition_id for row in await rows(session, _ids(), {"last": last, "most": limit})]


async def conditions(session: AsyncSession, ids: Collection[UUID]) -> list[Entry]:
    """The published pages of these conditions."""
    codes: dict[UUID, list[str]] = defaultdict(list)
    for row in await rows(session, _codes(), {"ids": list(ids)}):
        codes[row.condition_id].append(row.code)
    pages: dict[UUID, list[Any]] = defaultdict(list)
    for row in await rows(session, _pages(), {"ids": list(ids)}):
        pages[row.condition_id].append(row)
    return [entry for key, found in pages.items() for entry in _entries(found, tuple(codes[key]))]


async def groups(session: AsyncSession, kinds: Collection[Subject]) -> dict[UUID, list[Entry]]:
    """Categories, or the treatments that a page offers, or both, by id."""
    found: dict[UUID, list[Entry]] = {}
    for kind in kinds:
        query = _categories() if kind is Subject.CATEGORY else _treatments()
        names: dict[UUID, list[Any]] = defaultdict(list)
        for row in await rows(session, query):
            names[row.id].append(row)
        found |= {key: _named(kind, in_languages) for key, in_languages in names.items()}
    return found


def _named(kind: Subject, found: Iterable[Any]) -> list[Entry]:
    """One category or treatment in each language that it has a name in; without any it is called by its slug."""
    by_locale = {row.locale or DEFAULT_LOCALE: row for row in found}
    entries = []
    for locale, row in by_locale.items():
        default = by_locale.get(DEFAULT_LOCALE, row)
        names = tuple(dict.fromkeys((row.name or row.slug, default.name or row.slug)))
        texts = [(Place.NAME, names[0]), *((Place.ALTERNATE_NAMES, name) for name in names[1:])]
        summary = getattr(row, "description", None) or None
        texts += [(Place.SUMMARY, summary)] if summary else []
        card = Card(kind, row.id, row.slug, locale, names[0], summary, None, None)
        entries.append(Entry(card, frozenset(by_locale), names, (), tuple(texts)))
    return entries


def _entries(found: Iterable[Any], codes: tuple[str, ...]) -> list[Entry]:
    """One condition in each of its languages."""
    pages = {row.locale: row for row in found}
    other_names = _names(pages[DEFAULT_LOCALE].document) if DEFAULT_LOCALE in pages else []
    entries = []
    for locale, row in pages.items():
        names = tuple(dict.fromkeys((*_names(row.document), *other_names)))
        slug, summary, category_id = row.slug, row.document["summary"], row.category_id
        card = Card(Subject.CONDITION, row.condition_id, slug, locale, names[0], summary, category_id, row.updated_at)
        texts = (
            (Place.NAME, names[0]),
            *((Place.ALTERNATE_NAMES, name) for name in names[1:]),
            *((Place.CODES, code) for code in codes),
            *_texts(row.document),
        )
        entries.append(Entry(card, frozenset(pages), names, codes, texts))
    return entries


def _names(document: Mapping[str, Any]) -> list[str]:
    return [document["name"], *document.get("alternate_names", ())]


def _texts(document: Mapping[str, Any]) -> Iterable[tuple[Place, str]]:
    for place in (Place.SUMMARY, Place.OVERVIEW, Place.WHEN_TO_CONSULT):
        yield place, document[place]
    # The items say the sentence again.
    yield Place.WHAT_TO_BRING, document["what_to_bring"]["text"]
    for sign in document.get("urgency_signs", ()):
        yield Place.URGENCY_SIGNS, f"{sign['sign']} {sign['action']}"
    for place in (Place.RISK_FACTORS, Place.CAUSES):
        for line in document[place]:
            yield place, line
    for option in document["treatment_options"]:
        yield Place.TREATMENT_OPTIONS, option["name"]
        yield Place.TREATMENT_OPTIONS, option["description"]


@cache
def _changes() -> Select[*tuple[Any, ...]]:
    number = col(ContentChange.number)
    return core_select(col(ContentChange.subject), col(ContentChange.subject_id)).where(
        number > bindparam("seen"), number <= bindparam("newest")
    )


@cache
def _ids() -> Select[*tuple[Any, ...]]:
    condition_id = col(ConditionPage.condition_id)
    after = condition_id > bindparam("last")
    return core_select(condition_id).where(after).distinct().order_by(condition_id).limit(bindparam("most"))


@cache
def _pages() -> Select[*tuple[Any, ...]]:
    # A published page's own revision says what its rows say, in one piece.
    page, revision = ConditionPage, ConditionRevision
    same = (
        (col(revision.condition_id) == page.condition_id)
        & (col(revision.locale) == page.locale)
        & (col(revision.number) == page.revision)
    )
    columns = (
        col(page.condition_id),
        col(Condition.slug),
        col(Condition.category_id),
        col(page.locale),
        col(page.updated_at),
        col(revision.document),
    )
    return (
        core_select(*columns)
        .join(Condition, col(Condition.id) == page.condition_id)
        .join(revision, same)
        .where(col(page.condition_id).in_(bindparam("ids", expanding=True)))
    )


@cache
def _codes() -> Select[*tuple[Any, ...]]:
    code = ConditionCode
    columns = (col(code.condition_id), col(code.code))
    wanted = col(code.condition_id).in_(bindparam("ids", expanding=True))
    return core_select(*columns).where(wanted).order_by(col(code.condition_id), col(code.position))


@cache
def _categories() -> Select[*tuple[Any, ...]]:
    names = CategoryName
    return core_select(
        col(Category.id), col(Category.slug), col(names.locale), col(names.name), col(names.description)
    ).outerjoin(names, col(names.category_id) == Category.id)


@cache
def _treatments() -> Select[*tuple[Any, ...]]:
    offered = (
        core_select(col(TreatmentOption.page_id))
        .where(col(TreatmentOption.treatment_id) == Treatment.id)
        .correlate(Treatment)
        .exists()
    )
    names = TreatmentName
    columns = (col(Treatment.id), col(Treatment.slug), col(names.locale), col(names.name))
    return core_select(*columns).outerjoin(names, col(names.treatment_id) == Treatment.id).where(offered)
