"""Categories, with what is published in them."""

from functools import lru_cache
from typing import Any

from pydantic import MISSING
from sqlalchemy import Row, Select, distinct, func
from sqlalchemy import select as core_select
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import conditions, locales
from app.content.errors import CategoryNotFound
from app.content.locales import Languages
from app.content.shapes import CategoryPublic, CategorySummary
from app.content.tables import Category, CategoryName, Condition, ConditionPage
from app.core.db import rows
from app.core.shapes import DEFAULT_LOCALE


async def list_published(
    session: AsyncSession,
    *,
    limit: int,
    after: tuple[int, str] | None = None,
    languages: Languages = locales.DEFAULT,
) -> list[tuple[CategorySummary, tuple[int, str]]]:
    """Categories in the hospital's order, each with its place in it."""
    query = _summaries(languages).order_by(col(Category.position), col(Category.slug)).limit(limit)
    if after is not None:
        position, slug = after
        later = (col(Category.position) == position) & (col(Category.slug) > slug)
        query = query.where((col(Category.position) > position) | later)
    return [(_summary(row), (row.position, row.slug)) for row in await rows(session, query)]


async def get_published(
    session: AsyncSession, slug: str, *, languages: Languages = locales.DEFAULT
) -> tuple[CategoryPublic, int, str]:
    """One category with its conditions; its version, and the language of its name. Raises CategoryNotFound."""
    found = await rows(session, _summaries(languages).where(col(Category.slug) == slug))
    if not found:
        raise CategoryNotFound
    wanted = conditions.ConditionFilter(category=slug)
    cards = await conditions.list_published(session, wanted, languages=languages)
    category = CategoryPublic(**dict(_summary(found[0])), conditions=[card for card, _ in cards])
    return category, found[0].version, found[0].language or DEFAULT_LOCALE


@lru_cache(maxsize=64)
def _summaries(languages: Languages) -> Select[*tuple[Any, ...]]:
    published = (
        select(func.count(distinct(col(ConditionPage.condition_id))))
        .select_from(ConditionPage)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .where(Condition.category_id == Category.id)
        .correlate(Category)
        .scalar_subquery()
    )
    return core_select(
        col(Category.slug),
        col(Category.position),
        col(Category.version),
        locales.category_words(CategoryName.name, languages).label("name"),
        locales.category_words(CategoryName.description, languages).label("description"),
        locales.category_words(CategoryName.locale, languages).label("language"),
        published.label("condition_count"),
    )


def _summary(row: Row[Any]) -> CategorySummary:
    return CategorySummary(
        slug=row.slug,
        name=row.name or row.slug,
        description=MISSING if row.description is None else row.description,
        condition_count=row.condition_count,
    )
