"""One published page, whole."""

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import MISSING
from sqlalchemy import literal, union_all
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.document import Section
from app.content.errors import ConditionNotFound
from app.content.shapes import (
    ConditionCodePublic,
    ConditionPublic,
    ConsultationCallToAction,
    ReferencePublic,
    ReviewPublic,
    ReviewStatus,
    TranslationPublic,
    TreatmentOptionPublic,
    UrgencySignPublic,
    WhatToBringPublic,
)
from app.content.tables import (
    AlternateName,
    Category,
    CategoryName,
    Cause,
    ChecklistItem,
    Condition,
    ConditionCode,
    ConditionPage,
    PageReference,
    RiskFactor,
    Treatment,
    TreatmentOption,
    UrgencySign,
)
from app.core import clock
from app.core.db import rows
from app.core.shapes import DEFAULT_LOCALE, Named

# A review that is to come within these days is due.
_DUE_BEFORE: Final = timedelta(days=30)


async def get_published(session: AsyncSession, slug: str, locale: str = DEFAULT_LOCALE) -> ConditionPublic:
    """The whole page in one language; raises ConditionNotFound."""
    name_of_category = (col(CategoryName.category_id) == Category.id) & (col(CategoryName.locale) == locale)
    query = (
        select(ConditionPage, Condition.slug, Category.slug, CategoryName.name)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .join(Category, col(Category.id) == Condition.category_id)
        .outerjoin(CategoryName, name_of_category)
        .where(Condition.slug == slug, ConditionPage.locale == locale)
    )
    found = (await session.exec(query)).first()
    if found is None:
        raise ConditionNotFound
    page, slug, category_slug, category_name = found
    lines = await _lines(session, page.id)
    codes = await session.exec(
        select(ConditionCode.system, ConditionCode.code)
        .where(ConditionCode.condition_id == page.condition_id)
        .order_by(col(ConditionCode.position))
    )
    return ConditionPublic(
        slug=slug,
        name=page.name,
        alternate_names=lines["alternate_name"],
        summary=page.summary,
        category=Named(slug=category_slug, name=category_name or category_slug),
        overview=page.overview,
        when_to_consult=page.when_to_consult,
        what_to_bring=WhatToBringPublic(text=page.what_to_bring, items=lines["checklist_item"]),
        risk_factors=lines["risk_factor"],
        causes=lines["cause"],
        treatment_options=await _options(session, page.id),
        consultation=ConsultationCallToAction(
            heading=page.consultation_heading,
            text=page.consultation_text,
            slots_url=f"/consultation-slots?condition={slug}",
        ),
        codes=[ConditionCodePublic(system=system, code=code) for system, code in codes],
        urgency_signs=await _signs(session, page.id),
        references=await _references(session, page.id),
        review=review_of(page, today=(await clock.now_in(session)).date()),
        translations=await _translations(session, page),
        locale=page.locale,
        revision=page.revision,
        published_at=page.published_at,
        updated_at=page.updated_at,
    )


def review_of(page: ConditionPage, *, today: date) -> Any:
    """Who vouches for a page, and whether that still holds on this day; MISSING where nobody does."""
    if page.last_reviewed_on is None or page.next_review_on is None or page.reviewed_by is None:
        return MISSING
    left = page.next_review_on - today
    status = ReviewStatus.CURRENT if left > _DUE_BEFORE else ReviewStatus.DUE
    return ReviewPublic(
        last_reviewed_on=page.last_reviewed_on,
        next_review_on=page.next_review_on,
        reviewed_by=page.reviewed_by,
        status=ReviewStatus.OVERDUE if left < timedelta(0) else status,
    )


async def list_treatment_options(session: AsyncSession, slug: str) -> list[TreatmentOptionPublic]:
    """One page's treatment options in order; raises ConditionNotFound."""
    query = (
        select(ConditionPage.id)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .where(Condition.slug == slug, ConditionPage.locale == DEFAULT_LOCALE)
    )
    page_id = (await session.exec(query)).first()
    if page_id is None:
        raise ConditionNotFound
    return await _options(session, page_id)


async def _lines(session: AsyncSession, page_id: UUID) -> dict[str, list[str]]:
    tables = {
        "alternate_name": AlternateName,
        "checklist_item": ChecklistItem,
        "risk_factor": RiskFactor,
        "cause": Cause,
    }
    parts: list[Any] = [
        select(literal(kind).label("kind"), col(table.position).label("position"), col(table.text).label("text")).where(
            table.page_id == page_id
        )
        for kind, table in tables.items()
    ]
    lines: dict[str, list[str]] = {kind: [] for kind in tables}
    for kind, _, text in await rows(session, union_all(*parts).order_by("kind", "position")):
        lines[kind].append(text)
    return lines


async def _options(session: AsyncSession, page_id: UUID) -> list[TreatmentOptionPublic]:
    options = await session.exec(
        select(Treatment.slug, TreatmentOption.name, TreatmentOption.description)
        .join(Treatment, col(Treatment.id) == TreatmentOption.treatment_id)
        .where(TreatmentOption.page_id == page_id)
        .order_by(col(TreatmentOption.position))
    )
    return [TreatmentOptionPublic(slug=slug, name=name, description=text) for slug, name, text in options]


async def _signs(session: AsyncSession, page_id: UUID) -> list[UrgencySignPublic]:
    query = select(UrgencySign).where(UrgencySign.page_id == page_id).order_by(col(UrgencySign.position))
    return [UrgencySignPublic.model_validate(sign, from_attributes=True) for sign in await session.exec(query)]


async def _references(session: AsyncSession, page_id: UUID) -> list[ReferencePublic]:
    query = select(PageReference).where(PageReference.page_id == page_id).order_by(col(PageReference.position))
    return [
        ReferencePublic(
            section=Section(source.section),
            title=source.title,
            url=source.url,
            publisher=MISSING if source.publisher is None else source.publisher,
        )
        for source in await session.exec(query)
    ]


async def _translations(session: AsyncSession, page: ConditionPage) -> list[TranslationPublic]:
    """The page in other languages, and how far each of them is behind the default language's page."""
    query = select(ConditionPage.locale, ConditionPage.name, ConditionPage.revision, ConditionPage.source_revision)
    pages = (await session.exec(query.where(ConditionPage.condition_id == page.condition_id).order_by("locale"))).all()
    newest = next((revision for locale, _, revision, _ in pages if locale == DEFAULT_LOCALE), 0)
    return [
        TranslationPublic(
            locale=locale,
            name=name,
            revisions_behind=0 if locale == DEFAULT_LOCALE else max(0, newest - (source or 0)),
        )
        for locale, name, _, source in pages
        if locale != page.locale
    ]
