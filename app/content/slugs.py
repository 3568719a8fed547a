"""Slugs: what a condition, a category or a treatment is called in URLs, now and formerly.

A former slug leads to the thing itself, not to another slug: however often the thing was renamed, its present slug is
one step away from each of its former ones, and there are no loops.
"""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, update
from sqlalchemy import select as core_select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.content import changes, draft_mentions, locales
from app.content.editorial_tables import ChangeKind, ConditionDraft, SlugRedirect, Subject
from app.content.errors import CategoryNotFound, ConditionNotFound, SlugInUse, SlugRetired, TreatmentOptionNotFound
from app.content.tables import Category, Condition, ConditionPage, Treatment
from app.core import clock
from app.core.db import rows
from app.core.errors import Refusal, VersionStale

_TABLES: Final[dict[Subject, type[Condition | Category | Treatment]]] = {
    Subject.CONDITION: Condition,
    Subject.CATEGORY: Category,
    Subject.TREATMENT: Treatment,
}
_NOT_FOUND: Final[dict[Subject, type[Refusal]]] = {
    Subject.CONDITION: ConditionNotFound,
    Subject.CATEGORY: CategoryNotFound,
    Subject.TREATMENT: TreatmentOptionNotFound,
}


@dataclass(frozen=True, slots=True)
class Thing:
    """What a slug, present or former, leads to."""

    id: UUID
    # Its present one.
    slug: str
    # A condition's is the revision of the page that whoever asks for no language gets, 0 while there is none.
    version: int


def id_of(subject: Subject, slug: str) -> ColumnElement[Any]:
    """The id of what has this slug, or had it once, as part of a query."""
    table = _TABLES[subject]
    present = core_select(col(table.id)).where(col(table.slug) == slug)
    former = core_select(_target(subject)).where(*_redirect(subject, slug))
    return func.coalesce(present.scalar_subquery(), former.scalar_subquery())


async def find(source: AsyncSession | AsyncConnection, subject: Subject, slug: str) -> Thing | None:
    """What has this slug, or had it once."""
    table = _TABLES[subject]
    query = core_select(col(table.id), col(table.slug), _version(subject)).where(col(table.id) == id_of(subject, slug))
    found = await rows(source, query)
    return Thing(*found[0]) if found else None


async def get(session: AsyncSession, subject: Subject, slug: str, *, versions: AbstractSet[int] | None = None) -> Thing:
    """What has this slug, or had it once; raises its NotFound, and VersionStale if it has none of these versions."""
    thing = await find(session, subject, slug)
    if thing is None:
        raise _NOT_FOUND[subject]
    if versions is not None and thing.version not in versions:
        raise VersionStale
    return thing


async def present(session: AsyncSession, subject: str, formers: Collection[str]) -> dict[str, str]:
    """The present slugs of what had these once, by those; `subject` is a Subject's word."""
    table = _TABLES[Subject(subject)]
    query = (
        core_select(col(SlugRedirect.slug), col(table.slug))
        .join_from(SlugRedirect, table, _target(Subject(subject)) == col(table.id))
        .where(col(SlugRedirect.kind) == subject, col(SlugRedirect.slug).in_(sorted(formers)))
    )
    return {row[0]: row[1] for row in await rows(session, query)}


async def former(session: AsyncSession, subject: Subject, thing_id: UUID) -> list[str]:
    """The slugs that a thing had once."""
    query = core_select(col(SlugRedirect.slug)).where(_target(subject) == thing_id).order_by(col(SlugRedirect.slug))
    return [row.slug for row in await rows(session, query)]


async def refuse_unless_free(session: AsyncSession, subject: Subject, slug: str, *, owner: UUID | None = None) -> None:
    """Raise SlugInUse or SlugRetired where a slug is, or once was, that of another thing than `owner`.

    Hold the turn: see `changes.take_turn`.
    """
    thing = await find(session, subject, slug)
    if thing is None and await rows(session, core_select(col(SlugRedirect.slug)).where(*_redirect(subject, slug))):
        # That thing was deleted.
        raise SlugRetired
    if thing is not None and thing.id != owner:
        raise SlugInUse if thing.slug == slug else SlugRetired
    if subject is Subject.CONDITION:
        condition = col(ConditionDraft.condition_id)
        another = condition.is_(None) if owner is None else condition.is_distinct_from(owner)
        if await rows(session, core_select(col(ConditionDraft.id)).where(col(ConditionDraft.slug) == slug, another)):
            raise SlugInUse


async def rename(
    session: AsyncSession, subject: Subject, slug: str, new: str, *, by: str, versions: AbstractSet[int] | None = None
) -> None:
    """Give a thing another slug; the present one leads there from now on.

    Its own former slugs may be taken again. Two who ask for one slug wait for each other's turn, and the unique slugs
    of the schema decide. Raises what has no such thing, VersionStale, SlugInUse, SlugRetired.
    """
    await changes.take_turn(session)
    thing = await get(session, subject, slug, versions=versions)
    if thing.slug == new:
        return
    await refuse_unless_free(session, subject, new, owner=thing.id)
    now = await clock.now_in(session)
    await session.exec(delete(SlugRedirect).where(*_redirect(subject, new)))
    target = _target(subject).key
    redirect = {"kind": subject, "slug": thing.slug, target: thing.id, "renamed_at": now}
    await session.exec(insert(SlugRedirect).values(redirect))
    await _give(session, subject, thing, new, by=by, at=now)
    # A condition without a page is not public, and neither is its slug.
    if subject is not Subject.CONDITION or thing.version:
        await changes.record(session, ChangeKind.RENAMED, subject, thing.id, slug=new, at=now, previous_slug=thing.slug)
    await audit.record(session, by=by, action=f"{subject}.renamed", subject=str(thing.id), at=now, fields=["slug"])


async def _give(session: AsyncSession, subject: Subject, thing: Thing, new: str, *, by: str, at: datetime) -> None:
    """The new slug, wherever it stands; published revisions stay as they were published."""
    if subject is Subject.CONDITION:
        await session.exec(update(Condition).where(col(Condition.id) == thing.id).values(slug=new))
        await draft_mentions.rename_condition(session, thing.id, old=thing.slug, new=new, by=by, at=at)
    elif subject is Subject.CATEGORY:
        category = update(Category).where(col(Category.id) == thing.id)
        await session.exec(category.values(slug=new, version=Category.version + 1))
        await draft_mentions.rename_category(session, thing.slug, slug=new, by=by, at=at)
    else:
        treatment = update(Treatment).where(col(Treatment.id) == thing.id)
        await session.exec(treatment.values(slug=new, version=Treatment.version + 1))
        await draft_mentions.rename_treatment(session, thing.slug, slug=new, by=by, at=at)


def _target(subject: Subject) -> ColumnElement[Any]:
    column: ColumnElement[Any] = getattr(SlugRedirect, f"{subject}_id")
    return column


def _redirect(subject: Subject, slug: str) -> tuple[ColumnElement[bool], ...]:
    return col(SlugRedirect.kind) == subject, col(SlugRedirect.slug) == slug


def _version(subject: Subject) -> Any:
    if subject is Subject.CATEGORY:
        return col(Category.version)
    if subject is Subject.TREATMENT:
        return col(Treatment.version)
    locale = col(ConditionPage.locale)
    page = (
        core_select(col(ConditionPage.revision))
        .where(col(ConditionPage.condition_id) == Condition.id)
        .order_by(locales.place(locale, locales.DEFAULT), locale)
        .limit(1)
    )
    return func.coalesce(page.correlate(Condition).scalar_subquery(), 0)
