"""Treatments, with the conditions that they are offered for."""

from sqlalchemy import ColumnElement, distinct, func
from sqlalchemy import select as core_select
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import locales
from app.content.errors import TreatmentOptionNotFound
from app.content.locales import Languages
from app.content.shapes import TreatmentOffer, TreatmentPublic, TreatmentSummary
from app.content.tables import Condition, ConditionPage, Treatment, TreatmentName, TreatmentOption
from app.core.db import rows
from app.core.shapes import DEFAULT_LOCALE, Named


async def list_published(
    session: AsyncSession,
    *,
    limit: int,
    after: tuple[int, str] | None = None,
    languages: Languages = locales.DEFAULT,
) -> list[tuple[TreatmentSummary, tuple[int, str]]]:
    """Therapies that a published page offers, in any language, in the hospital's order, each with its place in it."""
    count = func.count(distinct(col(ConditionPage.condition_id)))
    query = (
        select(Treatment.position, Treatment.slug, locales.treatment_words(TreatmentName.name, languages), count)
        .join(TreatmentOption, col(TreatmentOption.treatment_id) == Treatment.id)
        .join(ConditionPage, col(ConditionPage.id) == TreatmentOption.page_id)
        .group_by(col(Treatment.id), col(Treatment.position), col(Treatment.slug))
        .order_by(col(Treatment.position), col(Treatment.slug))
        .limit(limit)
    )
    if after is not None:
        position, slug = after
        later = (col(Treatment.position) == position) & (col(Treatment.slug) > slug)
        query = query.where((col(Treatment.position) > position) | later)
    found = await session.exec(query)
    return [
        (TreatmentSummary(slug=slug, name=name or slug, condition_count=count), (position, slug))
        for position, slug, name, count in found
    ]


async def get_published(
    session: AsyncSession, slug: str, *, languages: Languages = locales.DEFAULT
) -> tuple[TreatmentPublic, int, str]:
    """One therapy with every condition that offers it, in any language; its version, and the language of its name.

    Raises TreatmentOptionNotFound.
    """
    name, locale = (locales.treatment_words(column, languages) for column in (TreatmentName.name, TreatmentName.locale))
    query = (
        core_select(
            col(Treatment.version),
            name.label("name"),
            locale.label("locale"),
            col(Condition.slug).label("condition"),
            col(ConditionPage.name).label("condition_name"),
            col(TreatmentOption.name).label("offer"),
            col(TreatmentOption.description),
        )
        .select_from(TreatmentOption)
        .join(Treatment, col(Treatment.id) == TreatmentOption.treatment_id)
        .join(ConditionPage, col(ConditionPage.id) == TreatmentOption.page_id)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .where(col(Treatment.slug) == slug, _is_best(languages))
        .order_by(col(ConditionPage.sort_key), col(ConditionPage.condition_id))
    )
    found = await rows(session, query)
    if not found:
        raise TreatmentOptionNotFound
    offers = [
        TreatmentOffer(
            condition=Named(slug=row.condition, name=row.condition_name), name=row.offer, description=row.description
        )
        for row in found
    ]
    first = found[0]
    return (
        TreatmentPublic(slug=slug, name=first.name or slug, offered_for=offers),
        first.version,
        first.locale or DEFAULT_LOCALE,
    )


def _is_best(wanted: Languages) -> ColumnElement[bool]:
    """Whether, of the pages of its condition that offer the query's treatment, this is the one that a reader gets."""
    other, option = aliased(ConditionPage), aliased(TreatmentOption)
    best = (
        select(other.id)
        .join(option, col(option.page_id) == other.id)
        .where(other.condition_id == ConditionPage.condition_id, option.treatment_id == Treatment.id)
        .order_by(locales.place(other.locale, wanted), col(other.locale))
        .limit(1)
        .correlate(ConditionPage, Treatment)
    )
    return col(ConditionPage.id) == best.scalar_subquery()
