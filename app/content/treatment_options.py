"""Treatments, with the conditions that they are offered for."""

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.errors import TreatmentOptionNotFound
from app.content.shapes import TreatmentOffer, TreatmentPublic, TreatmentSummary
from app.content.tables import Condition, ConditionPage, Treatment, TreatmentName, TreatmentOption
from app.core.shapes import DEFAULT_LOCALE, Named


async def list_published(session: AsyncSession, *, limit: int, after: str | None = None) -> list[TreatmentSummary]:
    """Therapies that a published page offers, by slug."""
    query = (
        select(Treatment.slug, TreatmentName.name, func.count())
        .join(TreatmentName, col(TreatmentName.treatment_id) == Treatment.id)
        .join(TreatmentOption, col(TreatmentOption.treatment_id) == Treatment.id)
        .join(ConditionPage, col(ConditionPage.id) == TreatmentOption.page_id)
        .where(TreatmentName.locale == DEFAULT_LOCALE, ConditionPage.locale == DEFAULT_LOCALE)
        .group_by(col(Treatment.slug), col(TreatmentName.name))
        .order_by(col(Treatment.slug))
        .limit(limit)
    )
    if after is not None:
        query = query.where(col(Treatment.slug) > after)
    rows = await session.exec(query)
    return [TreatmentSummary(slug=slug, name=name, condition_count=count) for slug, name, count in rows]


async def get_published(session: AsyncSession, slug: str) -> TreatmentPublic:
    """One therapy with every condition that offers it; raises TreatmentOptionNotFound."""
    query = (
        select(TreatmentName.name, Condition.slug, ConditionPage, TreatmentOption)
        .select_from(TreatmentOption)
        .join(Treatment, col(Treatment.id) == TreatmentOption.treatment_id)
        .join(TreatmentName, col(TreatmentName.treatment_id) == Treatment.id)
        .join(ConditionPage, col(ConditionPage.id) == TreatmentOption.page_id)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .where(Treatment.slug == slug, TreatmentName.locale == DEFAULT_LOCALE, ConditionPage.locale == DEFAULT_LOCALE)
        .order_by(col(ConditionPage.sort_key), col(ConditionPage.condition_id))
    )
    rows = (await session.exec(query)).all()
    if not rows:
        raise TreatmentOptionNotFound
    offers = [
        TreatmentOffer(
            condition=Named(slug=condition_slug, name=page.name), name=option.name, description=option.description
        )
        for _, condition_slug, page, option in rows
    ]
    return TreatmentPublic(slug=slug, name=rows[0][0], offered_for=offers)
