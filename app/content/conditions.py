"""Published condition pages and their cards."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, tuple_
from sqlalchemy import select as core_select
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import locales, review, slugs
from app.content.editorial_tables import Subject
from app.content.errors import ConditionNotFound
from app.content.locales import Languages
from app.content.publishing import sort_key
from app.content.shapes import (
    ConditionSummary,
    ReviewStatus,
    WhatToBringPublic,
)
from app.content.tables import (
    Category,
    CategoryName,
    ChecklistItem,
    Condition,
    ConditionCode,
    ConditionPage,
    TreatmentOption,
)
from app.core import clock
from app.core.db import rows
from app.core.shapes import Named


@dataclass(frozen=True, slots=True)
class ConditionFilter:
    """Which conditions to list; every given part must hold."""

    category: str | None = None
    letter: str | None = None
    treatment: str | None = None
    code: tuple[str, str] | None = None
    review_status: ReviewStatus | None = None
    modified_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConditionReference:
    """A condition as a booking needs it."""

    id: UUID
    category_id: UUID
    slug: str
    name: str
    what_to_bring: WhatToBringPublic
    revision: int


async def list_published(
    session: AsyncSession,
    wanted: ConditionFilter,
    *,
    limit: int | None = None,
    after: tuple[str, UUID] | None = None,
    languages: Languages = locales.DEFAULT,
) -> list[tuple[ConditionSummary, tuple[str, UUID]]]:
    """Cards by name, each with its place in the order and in the best of these languages that its page has."""
    query = await _chosen(session, wanted, languages)
    if after is not None:
        query = query.where(tuple_(col(ConditionPage.sort_key), col(ConditionPage.condition_id)) > tuple_(*after))
    found = await rows(session, query.limit(limit))
    return [(_card(row), (row.sort_key, row.condition_id)) for row in found]


async def list_ids(session: AsyncSession, wanted: ConditionFilter, *, languages: Languages) -> frozenset[UUID]:
    """The ids of all that the filter wants."""
    query = (await _chosen(session, wanted, languages)).with_only_columns(col(ConditionPage.condition_id))
    return frozenset(row.condition_id for row in await rows(session, query.order_by(None)))


async def refer(session: AsyncSession, slug: str) -> ConditionReference:
    """A published condition as a booking needs it, in the default language if it has it; raises ConditionNotFound."""
    query = (
        select(Condition.id, Condition.category_id, ConditionPage)
        .join(ConditionPage, col(ConditionPage.condition_id) == Condition.id)
        .where(Condition.slug == slug, locales.is_shown(locales.DEFAULT))
    )
    found = (await session.exec(query)).first()
    if found is None:
        raise ConditionNotFound
    condition_id, category_id, page = found
    items = await session.exec(
        select(ChecklistItem.text).where(ChecklistItem.page_id == page.id).order_by(col(ChecklistItem.position))
    )
    return ConditionReference(
        condition_id,
        category_id,
        slug,
        page.name,
        WhatToBringPublic(text=page.what_to_bring, items=list(items)),
        page.revision,
    )


@lru_cache(maxsize=64)
def _cards(languages: Languages) -> Select[*tuple[Any, ...]]:
    return (
        core_select(
            col(ConditionPage.condition_id),
            col(Condition.slug),
            col(ConditionPage.name),
            col(ConditionPage.sort_key),
            col(ConditionPage.summary),
            col(Category.slug).label("category_slug"),
            locales.category_words(CategoryName.name, languages).label("category_name"),
            col(ConditionPage.updated_at),
        )
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .join(Category, col(Category.id) == Condition.category_id)
        .where(locales.is_shown(languages))
        .order_by(col(ConditionPage.sort_key), col(ConditionPage.condition_id))
    )


async def _chosen(session: AsyncSession, wanted: ConditionFilter, languages: Languages) -> Select[*tuple[Any, ...]]:
    query = _filtered(_cards(languages), wanted)
    if wanted.review_status is not None:
        query = query.where(review.is_on((await clock.now_in(session)).date(), wanted.review_status))
    return query


def _filtered(query: Select[*tuple[Any, ...]], wanted: ConditionFilter) -> Select[*tuple[Any, ...]]:
    if wanted.category is not None:
        query = query.where(col(Condition.category_id) == slugs.id_of(Subject.CATEGORY, wanted.category))
    if wanted.letter is not None:
        letter = sort_key(wanted.letter)
        query = query.where(col(ConditionPage.sort_key) >= letter, col(ConditionPage.sort_key) < letter + "\U0010ffff")
    if wanted.treatment is not None:
        treatment_id = slugs.id_of(Subject.TREATMENT, wanted.treatment)
        # In whichever language: a translation need not say all of it.
        page = aliased(ConditionPage)
        offering = select(page.condition_id).join(TreatmentOption, col(TreatmentOption.page_id) == page.id)
        query = query.where(
            col(ConditionPage.condition_id).in_(offering.where(TreatmentOption.treatment_id == treatment_id))
        )
    if wanted.modified_since is not None:
        query = query.where(col(ConditionPage.updated_at) >= wanted.modified_since)
    if wanted.code is not None:
        system, code = wanted.code
        coded = select(ConditionCode.condition_id).where(ConditionCode.system == system, ConditionCode.code == code)
        query = query.where(col(ConditionPage.condition_id).in_(coded))
    return query


def _card(row: Row[Any]) -> ConditionSummary:
    return ConditionSummary(
        slug=row.slug,
        name=row.name,
        summary=row.summary,
        category=Named(slug=row.category_slug, name=row.category_name or row.category_slug),
        updated_at=row.updated_at,
    )
