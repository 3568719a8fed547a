"""The one way in: whatever becomes visible to the public was given to `publish`."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.content import changes, page_lists, page_names, revisions
from app.content.coded_pages import canonical_code
from app.content.document import ConditionDocument
from app.content.editorial_tables import ChangeKind, ConditionWithdrawal, Subject
from app.content.tables import (
    CodeSystem,
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
    number. A page that was withdrawn is public again. Raises CategoryDiffers, CategoryNamedDifferently, SlugRetired,
    before anything is written.
    """
    await changes.take_turn(session)
    now = await clock.now_in(session)
    await page_names.refuse(session, document)
    category_id = await page_names.category(session, document, at=now)
    condition = await _condition(session, document, category_id)
    page = (await session.exec(select(ConditionPage).where(_page_of(condition.id, document.locale)))).first()
    before = await _last_revision(session, condition.id, document.locale)
    texts = _texts(document, now) | {"unpublish_at": unpublish_at}
    number = before.number + 1 if before else 1
    kind = ChangeKind.PUBLISHED if page is None else ChangeKind.UPDATED
    if page is None:
        first = await revisions.first_published_at(session, condition.id, document.locale)
        page = ConditionPage(condition_id=condition.id, published_at=first or now, revision=number, **texts)
    else:
        page.sqlmodel_update({"revision": number, **texts})
    session.add(page)
    await session.flush()
    async with page_names.lost_offers_told(session, col(ConditionPage.id) == page.id, at=now):
        treatments = await page_names.treatments(session, document, at=now)
        await page_lists.write_lists(session, page.id, document, treatments)
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


def codes_of(document: ConditionDocument) -> list[tuple[CodeSystem, str]]:
    """The codes as they are looked for, each once."""
    return list(dict.fromkeys((each.system, canonical_code(each.system, each.code)) for each in document.codes))


def _page_of(condition_id: UUID, locale: str) -> ColumnElement[bool]:
    return (col(ConditionPage.condition_id) == condition_id) & (col(ConditionPage.locale) == locale)


async def _last_revision(session: AsyncSession, condition_id: UUID, locale: str) -> ConditionRevision | None:
    query = select(ConditionRevision).where(
        ConditionRevision.condition_id == condition_id, ConditionRevision.locale == locale
    )
    return (await session.exec(query.order_by(col(ConditionRevision.number).desc()).limit(1))).first()


async def _condition(session: AsyncSession, document: ConditionDocument, category_id: UUID) -> Condition:
    """The document's condition, made where it is new; its category and codes are what the default language says."""
    condition = (await session.exec(select(Condition).where(Condition.slug == document.slug))).first()
    if condition is None:
        condition = Condition(slug=document.slug, category_id=category_id)
    elif document.locale != DEFAULT_LOCALE:
        return condition
    condition.category_id = category_id
    session.add(condition)
    await session.flush()
    await session.exec(delete(ConditionCode).where(col(ConditionCode.condition_id) == condition.id))
    codes = codes_of(document)
    if codes:
        rows = [
            {"condition_id": condition.id, "position": position, "system": system, "code": code}
            for position, (system, code) in enumerate(codes)
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
