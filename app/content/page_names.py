"""What a page names beside itself, its category and its treatments: made, and named, where it is the first to do so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Table, func, insert
from sqlalchemy import select as core_select
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import changes
from app.content.document import ConditionDocument
from app.content.editorial_tables import ChangeKind, SlugRedirect, Subject
from app.content.errors import CategoryDiffers, CategoryNamedDifferently, SlugRetired
from app.content.tables import (
    Category,
    CategoryName,
    Condition,
    ConditionPage,
    Treatment,
    TreatmentName,
    TreatmentOption,
)
from app.core.db import rows
from app.core.ids import new_id
from app.core.shapes import DEFAULT_LOCALE

_TABLES: Final[dict[Subject, tuple[Table, Table, str]]] = {
    Subject.CATEGORY: (Category.__table__, CategoryName.__table__, "category_id"),  # type: ignore[attr-defined]
    Subject.TREATMENT: (Treatment.__table__, TreatmentName.__table__, "treatment_id"),  # type: ignore[attr-defined]
}
_IS_OFFERED: Final = select(TreatmentOption.page_id).where(TreatmentOption.treatment_id == Treatment.id).exists()


async def refuse(session: AsyncSession, document: ConditionDocument) -> None:
    """Raise SlugRetired for a slug of former times, CategoryNamedDifferently where the category has another name.

    And CategoryDiffers, where it is not the category of a condition that the document says in another language.
    """
    kind, former = col(SlugRedirect.kind), col(SlugRedirect.slug)
    treatments = [option.slug for option in document.treatment_options]
    named_formerly = (
        ((kind == Subject.CONDITION) & (former == document.slug))
        | ((kind == Subject.CATEGORY) & (former == document.category.slug))
        | ((kind == Subject.TREATMENT) & former.in_(treatments))
    )
    if (await session.exec(select(SlugRedirect).where(named_formerly))).first() is not None:
        raise SlugRetired
    if document.locale != DEFAULT_LOCALE:
        own = select(Category.slug).join(Condition, col(Condition.category_id) == Category.id)
        known = (await session.exec(own.where(Condition.slug == document.slug))).first()
        if known not in (None, document.category.slug):
            raise CategoryDiffers
    query = (
        select(CategoryName.name)
        .join(Category, col(Category.id) == CategoryName.category_id)
        .where(Category.slug == document.category.slug, CategoryName.locale == document.locale)
    )
    name = (await session.exec(query)).first()
    if name and name != document.category.name:
        raise CategoryNamedDifferently


async def category(session: AsyncSession, document: ConditionDocument, *, at: datetime) -> UUID:
    """The document's category, made where it is new; who names it first in a language has named it."""
    named = {document.category.slug: document.category.name}
    return (await _named(session, Subject.CATEGORY, named, document.locale, at=at))[document.category.slug]


async def treatments(session: AsyncSession, document: ConditionDocument, *, at: datetime) -> dict[str, UUID]:
    """The ids of the document's treatments by slug; new ones are made and named as this page names them."""
    named = {option.slug: option.name for option in document.treatment_options}
    if not named:
        return {}
    # Made by an editor, or offered by no page any more: it could not be read until now.
    waiting = select(Treatment.id, Treatment.slug).where(col(Treatment.slug).in_(named), ~_IS_OFFERED)
    found = [(row[0], row[1]) for row in await session.exec(waiting)]
    ids = await _named(session, Subject.TREATMENT, named, document.locale, at=at)
    if found:
        sections = ["offered_for"]
        await changes.record_each(session, ChangeKind.UPDATED, Subject.TREATMENT, found, at=at, sections=sections)
    return ids


@asynccontextmanager
async def lost_offers_told(session: AsyncSession, pages: ColumnElement[bool], *, at: datetime) -> AsyncIterator[None]:
    """Tell in the feed which of these pages' treatments no page offers any more after the block: nobody reads them."""
    offers = select(TreatmentOption.treatment_id).join(ConditionPage).where(pages).distinct()
    before = list(await session.exec(offers))
    yield
    lost = select(Treatment.id, Treatment.slug).where(col(Treatment.id).in_(before), ~_IS_OFFERED)
    found = [(row[0], row[1]) for row in await session.exec(lost.order_by(Treatment.slug))] if before else []
    if found:
        await changes.record_each(session, ChangeKind.UNPUBLISHED, Subject.TREATMENT, found, at=at)


async def _named(
    session: AsyncSession, subject: Subject, wanted: dict[str, str], locale: str, *, at: datetime
) -> dict[str, UUID]:
    """The ids of these by slug; what is new, or is named in this language for the first time, is told in the feed."""
    things, names, key = _TABLES[subject]
    named = (names.c[key] == things.c.id) & (names.c.locale == locale)
    query = core_select(things.c.slug, things.c.id, names.c.name).outerjoin_from(things, names, named)
    known = await rows(session, query.where(things.c.slug.in_(wanted)))
    ids: dict[str, UUID] = {row.slug: row.id for row in known}
    new = [slug for slug in wanted if slug not in ids]
    if new:
        ((last,),) = await rows(session, core_select(func.max(things.c.position)))
        ids |= {slug: new_id() for slug in new}
        made = [
            {"id": ids[slug], "slug": slug, "position": (last or 0) + n, "version": 1} for n, slug in enumerate(new, 1)
        ]
        await session.exec(insert(things), params=made)
    unnamed = [row.slug for row in known if not row.name]
    if new or unnamed:
        said = [{key: ids[slug], "locale": locale, "name": wanted[slug]} for slug in [*new, *unnamed]]
        await session.exec(insert(names), params=said)
    if new:
        await changes.record_each(session, ChangeKind.PUBLISHED, subject, [(ids[slug], slug) for slug in new], at=at)
    if unnamed:
        renamed = [(ids[slug], slug) for slug in unnamed]
        await changes.record_each(
            session, ChangeKind.UPDATED, subject, renamed, at=at, locale=locale, sections=["name"]
        )
    return ids
