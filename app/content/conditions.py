"""Published condition pages and their cards."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, literal, tuple_, union_all
from sqlalchemy import select as core_select
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.errors import ConditionNotFound
from app.content.publishing import sort_key
from app.content.shapes import (
    ConditionCodePublic,
    ConditionPublic,
    ConditionSummary,
    ConsultationCallToAction,
    TreatmentOptionPublic,
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
    RiskFactor,
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


async def get_published(session: AsyncSession, slug: str) -> ConditionPublic:
    """The whole page; raises ConditionNotFound."""
    query = (
        select(ConditionPage, Condition.slug, Category.slug, CategoryName.name)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .join(Category, col(Category.id) == Condition.category_id)
        .join(CategoryName, _name_of_category())
        .where(Condition.slug == slug, ConditionPage.locale == DEFAULT_LOCALE)
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
        category=Named(slug=category_slug, name=category_name),
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
        locale=page.locale,
        revision=page.revision,
        published_at=page.published_at,
        updated_at=page.updated_at,
    )


async def list_published(
    session: AsyncSession, wanted: ConditionFilter, *, limit: int | None = None, after: tuple[str, UUID] | None = None
) -> list[tuple[ConditionSummary, tuple[str, UUID]]]:
    """Cards by name, each with its place in the order."""
    query = _filtered(_cards(), wanted)
    if after is not None:
        query = query.where(tuple_(col(ConditionPage.sort_key), col(ConditionPage.condition_id)) > tuple_(*after))
    found = await rows(session, query.limit(limit))
    return [(_card(row), (row.sort_key, row.condition_id)) for row in found]


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


def _name_of_category() -> Any:
    return (col(CategoryName.category_id) == Category.id) & (col(CategoryName.locale) == DEFAULT_LOCALE)


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
