"""Treatments are made, named, renamed and deleted. Each change is public at once."""

from collections.abc import Set as AbstractSet
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import changes, draft_mentions, named, slugs
from app.content.editorial_tables import Subject
from app.content.errors import TreatmentInUse
from app.content.name_shapes import TreatmentCreate, TreatmentNamePublic, TreatmentNames, TreatmentWords
from app.content.tables import Condition, ConditionPage, TreatmentOption
from app.core.db import rows


async def create(session: AsyncSession, wish: TreatmentCreate, *, by: str) -> TreatmentNames:
    """Make a treatment, the last in order; it is listed once a page offers it. Raises SlugInUse, SlugRetired."""
    await named.create(session, Subject.TREATMENT, wish.slug, {"name": wish.name}, by=by)
    return await get(session, wish.slug)


async def name(
    session: AsyncSession, slug: str, locale: str, wish: TreatmentWords, *, by: str, versions: AbstractSet[int] | None
) -> TreatmentNames:
    """Say what a treatment is called in one language; raises TreatmentOptionNotFound, VersionStale."""
    await named.name(session, Subject.TREATMENT, slug, locale, {"name": wish.name}, by=by, versions=versions)
    return await get(session, slug)


async def rename(
    session: AsyncSession, slug: str, new: str, *, by: str, versions: AbstractSet[int] | None
) -> TreatmentNames:
    """Give a treatment another slug; raises TreatmentOptionNotFound, VersionStale, SlugInUse, SlugRetired."""
    await slugs.rename(session, Subject.TREATMENT, slug, new, by=by, versions=versions)
    return await get(session, new)


async def delete(session: AsyncSession, slug: str, *, by: str, versions: AbstractSet[int] | None) -> TreatmentNames:
    """Delete a treatment that no page and no draft offers; TreatmentOptionNotFound, VersionStale, TreatmentInUse."""
    await changes.take_turn(session)
    thing = await slugs.get(session, Subject.TREATMENT, slug, versions=versions)
    used_by = await _used_by(session, thing.id, thing.slug)
    if used_by:
        raise TreatmentInUse(used_by=used_by)
    deleted = await get(session, thing.slug)
    await named.delete_thing(session, Subject.TREATMENT, thing, by=by)
    return deleted


async def get(session: AsyncSession, slug: str) -> TreatmentNames:
    """A treatment with all that it is called; raises TreatmentOptionNotFound."""
    found = await named.get(session, Subject.TREATMENT, slug)
    return TreatmentNames(
        slug=found.slug,
        version=found.version,
        position=found.position,
        former_slugs=found.former_slugs,
        names=[TreatmentNamePublic(locale=row.locale, name=row.name) for row in found.names],
    )


async def _used_by(session: AsyncSession, treatment_id: UUID, slug: str) -> list[dict[str, str]]:
    pages = (
        select(col(Condition.slug), col(ConditionPage.name))
        .join(ConditionPage, col(ConditionPage.condition_id) == Condition.id)
        .join(TreatmentOption, col(TreatmentOption.page_id) == ConditionPage.id)
        .where(col(TreatmentOption.treatment_id) == treatment_id)
        .order_by(col(Condition.slug), col(ConditionPage.locale))
        .limit(draft_mentions.MOST_NAMED)
    )
    return [
        *({"kind": "condition", "slug": row.slug, "name": row.name} for row in await rows(session, pages)),
        *draft_mentions.as_users(await draft_mentions.find(session, Subject.TREATMENT, slug)),
    ]
