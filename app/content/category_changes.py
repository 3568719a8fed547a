"""Categories are made, named, renamed and deleted. Each change is public at once."""

from collections.abc import Set as AbstractSet
from typing import Any, Final
from uuid import UUID

from pydantic import MISSING
from sqlalchemy import Uuid, column, func, select, table
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import changes, draft_mentions, named, slugs
from app.content.editorial_tables import Subject
from app.content.errors import CategoryInUse
from app.content.name_shapes import CategoryCreate, CategoryNamePublic, CategoryNames, CategoryWords
from app.content.tables import Category, Condition, ConditionPage
from app.core.db import rows
from app.core.shapes import DEFAULT_LOCALE

# The two rooms do not import each other: see `consultations/neighbours.py`.
_OFFERED_FOR_IT: Final = {
    kind: table(f"{kind}s", column("id", Uuid), column("category_id", Uuid))
    for kind in ("consultation_slot", "slot_schedule")
}


async def create(session: AsyncSession, wish: CategoryCreate, *, by: str) -> CategoryNames:
    """Make a category, the last in order; raises SlugInUse, SlugRetired."""
    await named.create(session, Subject.CATEGORY, wish.slug, _words(wish), by=by)
    return await get(session, wish.slug)


async def name(
    session: AsyncSession, slug: str, locale: str, wish: CategoryWords, *, by: str, versions: AbstractSet[int] | None
) -> CategoryNames:
    """Say what a category is called in one language; raises CategoryNotFound, VersionStale."""
    await named.name(session, Subject.CATEGORY, slug, locale, _words(wish), by=by, versions=versions)
    return await get(session, slug)


async def rename(
    session: AsyncSession, slug: str, new: str, *, by: str, versions: AbstractSet[int] | None
) -> CategoryNames:
    """Give a category another slug; raises CategoryNotFound, VersionStale, SlugInUse, SlugRetired."""
    await slugs.rename(session, Subject.CATEGORY, slug, new, by=by, versions=versions)
    return await get(session, new)


async def delete(session: AsyncSession, slug: str, *, by: str, versions: AbstractSet[int] | None) -> CategoryNames:
    """Delete a category that nothing uses; raises CategoryNotFound, VersionStale, CategoryInUse."""
    await changes.take_turn(session)
    thing = await slugs.get(session, Subject.CATEGORY, slug, versions=versions)
    # Whoever posts a slot for it, or makes a schedule, has its key locked at this moment: wait for that, then look.
    await rows(session, select(col(Category.id)).where(col(Category.id) == thing.id).with_for_update())
    used_by = await _used_by(session, thing.id, thing.slug)
    if used_by:
        raise CategoryInUse(used_by=used_by)
    deleted = await get(session, thing.slug)
    await named.delete_thing(session, Subject.CATEGORY, thing, by=by)
    return deleted


async def get(session: AsyncSession, slug: str) -> CategoryNames:
    """A category with all that it is called; raises CategoryNotFound."""
    found = await named.get(session, Subject.CATEGORY, slug)
    names = [
        CategoryNamePublic(
            locale=row.locale, name=row.name, description=MISSING if row.description is None else row.description
        )
        for row in found.names
    ]
    return CategoryNames(
        slug=found.slug,
        version=found.version,
        position=found.position,
        former_slugs=found.former_slugs,
        names=names,
    )


def _words(wish: CategoryWords) -> dict[str, Any]:
    return {"name": wish.name, "description": wish.description}


async def _used_by(session: AsyncSession, category_id: UUID, slug: str) -> list[dict[str, str]]:
    page = (col(ConditionPage.condition_id) == Condition.id) & (col(ConditionPage.locale) == DEFAULT_LOCALE)
    conditions = (
        select(col(Condition.slug), func.coalesce(col(ConditionPage.name), col(Condition.slug)).label("name"))
        .outerjoin(ConditionPage, page)
        .where(col(Condition.category_id) == category_id)
        .order_by(col(Condition.slug))
    )
    offered = {
        kind: select(found.c.id).where(found.c.category_id == category_id).order_by(found.c.id)
        for kind, found in _OFFERED_FOR_IT.items()
    }
    return [
        *(
            {"kind": "condition", "slug": row.slug, "name": row.name}
            for row in await rows(session, conditions.limit(draft_mentions.MOST_NAMED))
        ),
        *draft_mentions.as_users(await draft_mentions.find(session, Subject.CATEGORY, slug)),
        *[
            {"kind": kind, "id": str(row.id)}
            for kind, query in offered.items()
            for row in await rows(session, query.limit(draft_mentions.MOST_NAMED))
        ],
    ]
