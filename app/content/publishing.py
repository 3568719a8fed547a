"""The one way in: whatever becomes visible to the public was given to `publish`."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.content import changes, page_lists
from app.content.document import ConditionDocument
from app.content.editorial_tables import ChangeKind, ConditionWithdrawal, SlugRedirect, Subject
from app.content.errors import CategoryNamedDifferently, SlugRetired
from app.content.tables import (
    Category,
    CategoryName,
    Condition,
    ConditionCode,
    ConditionPage,
    ConditionRevision,
    RevisionSource,
)
from app.core import clock
from app.core.shapes import DEFAULT_LOCALE


@dataclass(frozen=True, slots=True)
class PublishedRevision:
    """What `publish` did."""

    condition_id: UUID
    number: int


async def publish(
    session: AsyncSession,
    document: ConditionDocument,
    *,
    source: RevisionSource,
    by: str,
    author: str | None = None,
    approved_by: str | None = None,
    unpublish_at: datetime | None = None,
) -> PublishedRevision:
    """Replace the published page by this document and append the revision.

    Publishing is serial: see `changes.take_turn`. So two publishers of one page cannot both make the same revision
    number. A page that was withdrawn is public again. Raises CategoryNamedDifferently, SlugRetired.
    """
    await changes.take_turn(session)
    now = await clock.now_in(session)
    condition = await _condition(session, document)
    page = (await session.exec(select(ConditionPage).where(_page_of(condition.id, document.locale)))).first()
    before = await _last_revision(session, condition.id, document.locale)
    texts = _texts(document, now) | {"unpublish_at": unpublish_at}
    number = before.number + 1 if before else 1
    kind = ChangeKind.PUBLISHED if page is None else ChangeKind.UPDATED
    if page is None:
        first = before.published_at if before else now
        page = ConditionPage(condition_id=condition.id, published_at=first, revision=number, **texts)
    else:
        page.sqlmodel_update({"revision": number, **texts})
    session.add(page)
    await session.flush()
    await page_lists.write_lists(session, page.id, document)
    content = document.content()
    await session.exec(
        insert(ConditionRevision).values(
            condition_id=condition.id,
            locale=document.locale,
            number=number,
            source=source,
            digest=document.digest(),
            document=content,
            published_by=by,
            published_at=now,
            author=author,
            approved_by=approved_by,
        )
    )
    await session.exec(delete(ConditionWithdrawal).where(col(ConditionWithdrawal.condition_id) == condition.id))
    await changes.record(
        session,
        kind,
        Subject.CONDITION,
        condition.id,
        slug=document.slug,
        at=now,
        locale=document.locale,
        revision=number,
        sections=changed_sections(before.document if before else {}, content),
    )
    await audit.record(session, by=by, action="condition.published", subject=str(condition.id), at=now)
    return PublishedRevision(condition.id, number)


def changed_sections(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of the fields of two documents that differ."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def sort_key(name: str) -> str:
    """A name without case and accents."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _page_of(condition_id: UUID, locale: str) -> ColumnElement[bool]:
    return (col(ConditionPage.condition_id) == condition_id) & (col(ConditionPage.locale) == locale)


async def _category(session: AsyncSession, document: ConditionDocument) -> UUID:
    """The document's category, made where it is new; who names it first in a language has named it."""
    wish = document.category
    named = (col(CategoryName.category_id) == Category.id) & (col(CategoryName.locale) == document.locale)
    query = select(Category.id, CategoryName.name).outerjoin(CategoryName, named).where(Category.slug == wish.slug)
    found = (await session.exec(query)).first()
    category_id, name = found or (await _new_category(session, wish.slug), None)
    if not name:
        await session.exec(insert(CategoryName).values(category_id=category_id, locale=document.locale, name=wish.name))
    elif name != wish.name:
        raise CategoryNamedDifferently
    return category_id


async def _new_category(session: AsyncSession, slug: str) -> UUID:
    former = select(SlugRedirect).where(SlugRedirect.kind == Subject.CATEGORY, SlugRedirect.slug == slug)
    if (await session.exec(former)).first() is not None:
        raise SlugRetired
    last = (await session.exec(select(func.max(Category.position)))).one()
    category = Category(slug=slug, position=(last or 0) + 1)
    session.add(category)
    await session.flush()
    return category.id


async def _last_revision(session: AsyncSession, condition_id: UUID, locale: str) -> ConditionRevision | None:
    query = select(ConditionRevision).where(
        ConditionRevision.condition_id == condition_id, ConditionRevision.locale == locale
    )
    return (await session.exec(query.order_by(col(ConditionRevision.number).desc()).limit(1))).first()


async def _condition(session: AsyncSession, document: ConditionDocument) -> Condition:
    """The document's condition, made where it is new; its category and codes are what the default language says."""
    condition = (await session.exec(select(Condition).where(Condition.slug == document.slug))).first()
    if condition is None:
        former = select(SlugRedirect).where(SlugRedirect.kind == Subject.CONDITION, SlugRedirect.slug == document.slug)
        if (await session.exec(former)).first() is not None:
            raise SlugRetired
    category_id = await _category(session, document)
    if condition is None:
        condition = Condition(slug=document.slug, category_id=category_id)
    elif document.locale != DEFAULT_LOCALE:
        return condition
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
    return condition


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
        "last_reviewed_on": document.review.last_reviewed_on if document.review else None,
        "next_review_on": document.review.next_review_on if document.review else None,
        "reviewed_by": document.review.reviewed_by if document.review else None,
        "source_revision": document.source_revision,
    }
