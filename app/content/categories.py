"""Categories, with what is published in them."""

from typing import Any

from pydantic import MISSING
from sqlalchemy import Row, Select, func
from sqlalchemy import select as core_select
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import conditions
from app.content.errors import CategoryNotFound
from app.content.shapes import CategoryPublic, CategorySummary
from app.content.tables import Category, CategoryName, Condition, ConditionPage
from app.core.db import rows
from app.core.shapes import DEFAULT_LOCALE


async def list_published(
    session: AsyncSession, *, limit: int, after: tuple[int, str] | None = None
) -> list[tuple[CategorySummary, tuple[int, str]]]:
    """Categories in the hospital's order, each with its place in it."""
    query = _summaries().order_by(col(Category.position), col(Category.slug)).limit(limit)
    if after is not None:
        position, slug = after
        later = (col(Category.position) == position) & (col(Category.slug) > slug)
        query = query.where((col(Category.position) > position) | later)
    return [(_summary(row), (row.position, row.slug)) for row in await rows(session, query)]


async def get_published(session: AsyncSession, slug: str) -> CategoryPublic:
    """One category with its conditions; raises CategoryNotFound."""
    found = await rows(session, _summaries().where(col(Category.slug) == slug))
    if not found:
        raise CategoryNotFound
    cards = await conditions.list_published(session, conditions.ConditionFilter(category=slug))
    return CategoryPublic(**dict(_summary(found[0])), conditions=[card for card, _ in cards])


def _summaries() -> Select[*tuple[Any, ...]]:
    published = (
        select(func.count())
        .select_from(ConditionPage)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .where(Condition.category_id == Category.id, ConditionPage.locale == DEFAULT_LOCALE)
        .correlate(Category)
        .scalar_subquery()
    )
    return (
        core_select(
            col(Category.slug),
            col(Category.position),
            col(CategoryName.name),
            col(CategoryName.description),
            published.label("condition_count"),
        )
        .join(CategoryName, col(CategoryName.category_id) == Category.id)
        .where(col(CategoryName.locale) == DEFAULT_LOCALE)
    )


def _summary(row: Row[Any]) -> CategorySummary:
    return CategorySummary(
        slug=row.slug,
        name=row.name,
        description=MISSING if row.description is None else row.description,
        condition_count=row.condition_count,
    )
