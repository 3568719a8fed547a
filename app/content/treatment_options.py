"""Treatments, with the conditions that they are offered for."""

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import locales
from app.content.errors import TreatmentOptionNotFound
from app.content.locales import Languages
from app.content.shapes import TreatmentOffer, TreatmentPublic, TreatmentSummary
from app.content.tables import Condition, ConditionPage, Treatment, TreatmentOption
from app.core.shapes import Named


async def list_published(
    session: AsyncSession,
    *,
    limit: int,
    after: tuple[int, str] | None = None,
    languages: Languages = locales.DEFAULT,
) -> list[tuple[TreatmentSummary, tuple[int, str]]]:
    """Therapies that a published page offers, in the hospital's order, each with its place in it."""
    query = (
        select(Treatment.position, Treatment.slug, locales.treatment_name(languages), func.count())
        .join(TreatmentOption, col(TreatmentOption.treatment_id) == Treatment.id)
        .join(ConditionPage, col(ConditionPage.id) == TreatmentOption.page_id)
        .where(locales.is_shown(languages))
        .group_by(col(Treatment.id), col(Treatment.position), col(Treatment.slug))
        .order_by(col(Treatment.position), col(Treatment.slug))
        .limit(limit)
    )
    if after is not None:
        position, slug = after
        later = (col(Treatment.position) == position) & (col(Treatment.slug) > slug)
        query = query.where((col(Treatment.position) > position) | later)
    rows = await session.exec(query)
    return [
        (TreatmentSummary(slug=slug, name=name or slug, condition_count=count), (position, slug))
        for position, slug, name, count in rows
    ]


async def get_published(session: AsyncSession, slug: str, *, languages: Languages = locales.DEFAULT) -> TreatmentPublic:
    """One therapy with every condition that offers it; raises TreatmentOptionNotFound."""
    query = (
        select(locales.treatment_name(languages), Condition.slug, ConditionPage, TreatmentOption)
        .select_from(TreatmentOption)
        .join(Treatment, col(Treatment.id) == TreatmentOption.treatment_id)
        .join(ConditionPage, col(ConditionPage.id) == TreatmentOption.page_id)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .where(Treatment.slug == slug, locales.is_shown(languages))
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
    return TreatmentPublic(slug=slug, name=rows[0][0] or slug, offered_for=offers)
