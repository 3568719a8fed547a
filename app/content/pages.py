"""One published page, whole."""

from datetime import date
from typing import Any
from uuid import UUID

from pydantic import MISSING
from sqlalchemy import Row, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import locales, page_queries, review
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
from app.content.tables import ConditionPage
from app.core import clock
from app.core.db import rows
from app.core.shapes import DEFAULT_LOCALE, Named


async def is_any_published(source: AsyncSession | AsyncConnection) -> bool:
    """Whether there is a page at all."""
    return bool((await rows(source, select(exists(select(col(ConditionPage.id))))))[0][0])


async def get_published(session: AsyncSession, slug: str, locale: str = DEFAULT_LOCALE) -> ConditionPublic:
    """The whole page in one language; raises ConditionNotFound."""
    found = await rows(session, page_queries.page(locale), {"slug": slug})
    if not found:
        raise ConditionNotFound
    (page,) = found
    lines = await _lines(session, page.id)
    codes = await rows(session, page_queries.codes(), {"condition_id": page.condition_id})
    return ConditionPublic(
        slug=page.slug,
        name=page.name,
        alternate_names=lines["alternate_name"],
        summary=page.summary,
        category=Named(slug=page.category_slug, name=page.category_name or page.category_slug),
        overview=page.overview,
        when_to_consult=page.when_to_consult,
        what_to_bring=WhatToBringPublic(text=page.what_to_bring, items=lines["checklist_item"]),
        risk_factors=lines["risk_factor"],
        causes=lines["cause"],
        treatment_options=await _options(session, page.id),
        consultation=ConsultationCallToAction(
            heading=page.consultation_heading,
            text=page.consultation_text,
            slots_url=f"/consultation-slots?condition={page.slug}",
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


def review_of(page: DocumentReview | Row[Any], *, today: date) -> Any:
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
    available = [page.locale for page in await rows(session, page_queries.languages(), {"slug": slug})]
    if not available:
        raise ConditionNotFound
    return locales.best(wanted, available)


async def list_treatment_options(
    session: AsyncSession, slug: str, locale: str = DEFAULT_LOCALE
) -> list[TreatmentOptionPublic]:
    """One page's treatment options in order; raises ConditionNotFound."""
    found = await rows(session, page_queries.page_id(), {"slug": slug, "locale": locale})
    if not found:
        raise ConditionNotFound
    return await _options(session, found[0].id)


async def _lines(session: AsyncSession, page_id: UUID) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {kind: [] for kind in page_queries.LINES}
    for kind, _, text in await rows(session, page_queries.lines(), {"page_id": page_id}):
        lines[kind].append(text)
    return lines


async def _options(session: AsyncSession, page_id: UUID) -> list[TreatmentOptionPublic]:
    found = await rows(session, page_queries.treatments(), {"page_id": page_id})
    return [TreatmentOptionPublic(slug=slug, name=name, description=text) for slug, name, text in found]


async def _signs(session: AsyncSession, page_id: UUID) -> list[UrgencySignPublic]:
    found = await rows(session, page_queries.signs(), {"page_id": page_id})
    return [UrgencySignPublic.model_validate(sign, from_attributes=True) for sign in found]


async def _references(session: AsyncSession, page_id: UUID) -> list[ReferencePublic]:
    return [
        ReferencePublic(
            section=Section(source.section),
            title=source.title,
            url=source.url,
            publisher=MISSING if source.publisher is None else source.publisher,
        )
        for source in await rows(session, page_queries.references(), {"page_id": page_id})
    ]


async def translations_of(
    session: AsyncSession, condition_id: UUID, own_locale: str, own_revision: int
) -> list[TranslationPublic]:
    """The page in other languages, and how far each of them is behind the default language's page."""
    pages = await rows(session, page_queries.others(), {"condition_id": condition_id, "locale": own_locale})
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
