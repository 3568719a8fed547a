"""Published condition pages and their cards."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, tuple_
from sqlalchemy import select as core_select
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.errors import ConditionNotFound
from app.content.publishing import sort_key
from app.content.shapes import (
    ConditionSummary,
    WhatToBringPublic,
)
from app.content.tables import (
    Category,
    CategoryName,
    ChecklistItem,
    Condition,
    ConditionCode,
    ConditionPage,
    Treatment,
    TreatmentOption,
)
from app.core.db import rows
from app.core.shapes import DEFAULT_LOCALE, Named


@dataclass(frozen=True, slots=True)
class ConditionFilter:
    """Which conditions to list; every given part must hold."""

    category: str | None = None
    letter: str | None = None
    treatment: str | None = None
    code: tuple[str, str] | None = None


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
    session: AsyncSession, wanted: ConditionFilter, *, limit: int | None = None, after: tuple[str, UUID] | None = None
) -> list[tuple[ConditionSummary, tuple[str, UUID]]]:
    """Cards by name, each with its place in the order."""
    query = _filtered(_cards(), wanted)
    if after is not None:
        query = query.where(tuple_(col(ConditionPage.sort_key), col(ConditionPage.condition_id)) > tuple_(*after))
    found = await rows(session, query.limit(limit))
    return [(_card(row), (row.sort_key, row.condition_id)) for row in found]


async def refer(session: AsyncSession, slug: str) -> ConditionReference:
    """A published condition as a booking needs it; raises ConditionNotFound."""
    query = (
        select(Condition.id, Condition.category_id, ConditionPage)
        .join(ConditionPage, col(ConditionPage.condition_id) == Condition.id)
        .where(Condition.slug == slug, ConditionPage.locale == DEFAULT_LOCALE)
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


def _name_of_category(locale: str = DEFAULT_LOCALE) -> Any:
    return (col(CategoryName.category_id) == Category.id) & (col(CategoryName.locale) == locale)


@cache
def _cards() -> Select[*tuple[Any, ...]]:
    return (
        core_select(
            col(ConditionPage.condition_id),
            col(Condition.slug),
            col(ConditionPage.name),
            col(ConditionPage.sort_key),
            col(ConditionPage.summary),
            col(Category.slug).label("category_slug"),
            col(CategoryName.name).label("category_name"),
            col(ConditionPage.updated_at),
        )
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .join(Category, col(Category.id) == Condition.category_id)
        .join(CategoryName, _name_of_category())
        .where(col(ConditionPage.locale) == DEFAULT_LOCALE)
        .order_by(col(ConditionPage.sort_key), col(ConditionPage.condition_id))
    )


def _filtered(query: Select[*tuple[Any, ...]], wanted: ConditionFilter) -> Select[*tuple[Any, ...]]:
    if wanted.category is not None:
        query = query.where(col(Category.slug) == wanted.category)
    if wanted.letter is not None:
        letter = sort_key(wanted.letter)
        query = query.where(col(ConditionPage.sort_key) >= letter, col(ConditionPage.sort_key) < letter + "\U0010ffff")
    if wanted.treatment is not None:
        offering = select(TreatmentOption.page_id).join(Treatment).where(Treatment.slug == wanted.treatment)
        query = query.where(col(ConditionPage.id).in_(offering))
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
        category=Named(slug=row.category_slug, name=row.category_name),
        updated_at=row.updated_at,
    )
