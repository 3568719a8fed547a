"""One published page, whole."""

from datetime import date
from typing import Any
from uuid import UUID

from pydantic import MISSING
from sqlalchemy import literal, union_all
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import locales, review
from app.content.document import DocumentReview, Section
from app.content.errors import ConditionNotFound
from app.content.locales import Languages
from app.content.shapes import (
    ConditionCodePublic,
    ConditionPublic,
    ConsultationCallToAction,
    ReferencePublic,
    ReviewPublic,
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


async def get_published(session: AsyncSession, slug: str, locale: str = DEFAULT_LOCALE) -> ConditionPublic:
    """The whole page in one language; raises ConditionNotFound."""
    category_name = locales.category_words(CategoryName.name, locales.of_page(locale))
    query = (
        select(ConditionPage, Condition.slug, Category.slug, category_name)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .join(Category, col(Category.id) == Condition.category_id)
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
        translations=await translations_of(session, page.condition_id, page.locale, page.revision),
        locale=page.locale,
        revision=page.revision,
        published_at=page.published_at,
        updated_at=page.updated_at,
    )


def review_of(page: ConditionPage | DocumentReview, *, today: date) -> Any:
    """Who vouches for a page, and whether that still holds on this day; MISSING where nobody does."""
    if page.last_reviewed_on is None or page.next_review_on is None or page.reviewed_by is None:
        return MISSING
    return ReviewPublic(
        last_reviewed_on=page.last_reviewed_on,
        next_review_on=page.next_review_on,
        reviewed_by=page.reviewed_by,
        status=review.status_on(today, page.next_review_on),
    )


async def language_for(session: AsyncSession, slug: str, wanted: Languages) -> str:
    """The language in which this reader gets a condition's page; raises ConditionNotFound."""
    query = select(ConditionPage.locale).join(Condition, col(Condition.id) == ConditionPage.condition_id)
    available = (await session.exec(query.where(Condition.slug == slug))).all()
    if not available:
        raise ConditionNotFound
    return locales.best(wanted, available)


async def list_treatment_options(
    session: AsyncSession, slug: str, locale: str = DEFAULT_LOCALE
) -> list[TreatmentOptionPublic]:
    """One page's treatment options in order; raises ConditionNotFound."""
    query = (
        select(ConditionPage.id)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .where(Condition.slug == slug, ConditionPage.locale == locale)
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


async def translations_of(
    session: AsyncSession, condition_id: UUID, own_locale: str, own_revision: int
) -> list[TranslationPublic]:
    """The page in other languages, and how far each of them is behind the default language's page."""
    query = select(ConditionPage.locale, ConditionPage.name, ConditionPage.revision, ConditionPage.source_revision)
    others = query.where(ConditionPage.condition_id == condition_id, ConditionPage.locale != own_locale)
    pages = (await session.exec(others.order_by(col(ConditionPage.locale)))).all()
    newest = next((revision for locale, _, revision, _ in pages if locale == DEFAULT_LOCALE), 0)
    if own_locale == DEFAULT_LOCALE:
        newest = own_revision
    return [
        TranslationPublic(
            locale=locale,
            name=name,
            revisions_behind=0 if locale == DEFAULT_LOCALE else max(0, newest - (source or 0)),
        )
        for locale, name, _, source in pages
    ]
