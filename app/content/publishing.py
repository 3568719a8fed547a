"""The one way in: whatever becomes visible to the public was given to `publish`."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.content.document import ConditionDocument
from app.content.errors import CategoryNamedDifferently
from app.content.tables import (
    AlternateName,
    Category,
    CategoryName,
    Cause,
    ChecklistItem,
    Condition,
    ConditionCode,
    ConditionPage,
    ConditionRevision,
    ContentVersion,
    RevisionSource,
    RiskFactor,
    Treatment,
    TreatmentName,
    TreatmentOption,
)
from app.core import clock
from app.core.ids import new_id


@dataclass(frozen=True, slots=True)
class PublishedRevision:
    """What `publish` did."""

    condition_id: UUID
    number: int


async def publish(
    session: AsyncSession, document: ConditionDocument, *, source: RevisionSource, by: str
) -> PublishedRevision:
    """Replace the published page by this document and append the revision.

    Publishing is serial: the version row is taken first, so that two publishers of one page cannot both make the same
    revision number, and who sees a version sees all that came before it. Raises CategoryNamedDifferently.
    """
    await session.exec(update(ContentVersion).values(number=ContentVersion.number + 1))
    now = await clock.now_in(session)
    category_id = await _category(session, document)
    condition_id = await _condition(session, document, category_id)
    page = (await session.exec(select(ConditionPage).where(_page_of(condition_id, document.locale)))).first()
    if page is None:
        page = ConditionPage(condition_id=condition_id, published_at=now, revision=1, **_texts(document, now))
    else:
        page.sqlmodel_update({"revision": page.revision + 1, **_texts(document, now)})
    session.add(page)
    await session.flush()
    await _write_lists(session, page.id, document)
    await session.exec(
        insert(ConditionRevision).values(
            condition_id=condition_id,
            locale=document.locale,
            number=page.revision,
            source=source,
            digest=document.digest(),
            document=document.model_dump(mode="json"),
            published_by=by,
            published_at=now,
        )
    )
    await audit.record(session, by=by, action="condition.published", subject=str(condition_id), at=now)
    return PublishedRevision(condition_id, page.revision)


def sort_key(name: str) -> str:
    """A name without case and accents."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _page_of(condition_id: UUID, locale: str) -> ColumnElement[bool]:
    return (col(ConditionPage.condition_id) == condition_id) & (col(ConditionPage.locale) == locale)


async def _category(session: AsyncSession, document: ConditionDocument) -> UUID:
    wish = document.category
    query = (
        select(Category.id, CategoryName.name)
        .join(CategoryName, col(CategoryName.category_id) == Category.id)
        .where(Category.slug == wish.slug, CategoryName.locale == document.locale)
    )
    found = (await session.exec(query)).first()
    if found is not None:
        if found[1] != wish.name:
            raise CategoryNamedDifferently
        return found[0]
    last = (await session.exec(select(func.max(Category.position)))).one()
    category = Category(slug=wish.slug, position=(last or 0) + 1)
    session.add(category)
    await session.flush()
    await session.exec(insert(CategoryName).values(category_id=category.id, locale=document.locale, name=wish.name))
    return category.id


async def _condition(session: AsyncSession, document: ConditionDocument, category_id: UUID) -> UUID:
    condition = (await session.exec(select(Condition).where(Condition.slug == document.slug))).first()
    if condition is None:
        condition = Condition(slug=document.slug, category_id=category_id)
    condition.category_id = category_id
    session.add(condition)
    await session.flush()
    await session.exec(delete(ConditionCode).where(col(ConditionCode.condition_id) == condition.id))
    if document.codes:
        rows = [
            {"condition_id": condition.id, "position": position, "system": code.system, "code": code.code}
            for position, code in enumerate(document.codes)
        ]
        await session.exec(insert(ConditionCode), params=rows)
    return condition.id


def _texts(document: ConditionDocument, now: datetime) -> dict[str, Any]:
    return {
        "locale": document.locale,
        "name": document.name,
        "sort_key": sort_key(document.name),
        "summary": document.summary,
        "overview": document.overview,
        "when_to_consult": document.when_to_consult,
        "what_to_bring": document.what_to_bring.text,
        "consultation_heading": document.consultation.heading,
        "consultation_text": document.consultation.text,
        "updated_at": now,
    }


async def _write_lists(session: AsyncSession, page_id: UUID, document: ConditionDocument) -> None:
    lines = (
        (AlternateName, document.alternate_names),
        (RiskFactor, document.risk_factors),
        (Cause, document.causes),
        (ChecklistItem, document.what_to_bring.items),
    )
    for table, texts in lines:
        await session.exec(delete(table).where(col(table.page_id) == page_id))
        if texts:
            rows = [{"page_id": page_id, "position": place, "text": text} for place, text in enumerate(texts)]
            await session.exec(insert(table), params=rows)
    await session.exec(delete(TreatmentOption).where(col(TreatmentOption.page_id) == page_id))
    if document.treatment_options:
        ids = await _treatments(session, document)
        options = [
            {
                "page_id": page_id,
                "position": place,
                "treatment_id": ids[option.slug],
                "name": option.name,
                "description": option.description,
            }
            for place, option in enumerate(document.treatment_options)
        ]
        await session.exec(insert(TreatmentOption), params=options)


async def _treatments(session: AsyncSession, document: ConditionDocument) -> dict[str, UUID]:
    """The ids of the document's treatments by slug; new ones are made and named as this page names them."""
    slugs = [option.slug for option in document.treatment_options]
    known: Sequence[tuple[str, UUID]] = (
        await session.exec(select(Treatment.slug, Treatment.id).where(col(Treatment.slug).in_(slugs)))
    ).all()
    ids = dict(known)
    new = [option for option in document.treatment_options if option.slug not in ids]
    if new:
        ids |= {option.slug: new_id() for option in new}
        await session.exec(insert(Treatment), params=[{"id": ids[o.slug], "slug": o.slug} for o in new])
        names = [{"treatment_id": ids[o.slug], "locale": document.locale, "name": o.name} for o in new]
        await session.exec(insert(TreatmentName), params=names)
    return ids
