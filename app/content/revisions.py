"""Every published version of a page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import MISSING
from sqlalchemy import Row, func
from sqlalchemy import select as core_select
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import comparing
from app.content.document import ConditionDocument
from app.content.draft_shapes import ConditionRevisionPublic, ConditionRevisionSummary, RevisionDifference
from app.content.errors import ConditionNotFound, RevisionNotFound
from app.content.tables import Condition, ConditionRevision
from app.core.db import rows

_SHOWN = ("number", "locale", "source", "author", "approved_by", "published_by", "published_at", "digest")


async def find(
    session: AsyncSession, slug: str, locale: str, *, limit: int, before: int | None = None
) -> list[ConditionRevisionSummary]:
    """Revisions of a page, newest first, below a number; raises ConditionNotFound."""
    condition_id = (await session.exec(select(Condition.id).where(Condition.slug == slug))).first()
    if condition_id is None:
        raise ConditionNotFound
    query = (
        core_select(*(getattr(ConditionRevision, name) for name in _SHOWN))
        .where(col(ConditionRevision.condition_id) == condition_id, col(ConditionRevision.locale) == locale)
        .order_by(col(ConditionRevision.number).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(ConditionRevision.number) < before)
    return [ConditionRevisionSummary(**_said(row)) for row in await rows(session, query)]


async def newest(session: AsyncSession, slug: str, locale: str) -> int | None:
    """The number of a page's newest revision, of one that was taken down too; None where there is none."""
    query = (
        core_select(func.max(ConditionRevision.number))
        .join(Condition, col(Condition.id) == ConditionRevision.condition_id)
        .where(col(Condition.slug) == slug, col(ConditionRevision.locale) == locale)
    )
    ((number,),) = await rows(session, query)
    return None if number is None else int(number)


async def first_published_at(session: AsyncSession, condition_id: UUID, locale: str) -> datetime | None:
    """When a page was published for the first time, one that was taken down too; None where it never was."""
    query = select(ConditionRevision.published_at).where(
        ConditionRevision.condition_id == condition_id,
        ConditionRevision.locale == locale,
        ConditionRevision.number == 1,
    )
    return (await session.exec(query)).first()


async def get(session: AsyncSession, slug: str, locale: str, number: int) -> ConditionRevision:
    """One revision of a page; raises RevisionNotFound."""
    return (await _each(session, slug, locale, [number]))[number]


def show(revision: ConditionRevision) -> ConditionRevisionPublic:
    """A revision with its text."""
    return ConditionRevisionPublic(**_said(revision), document=ConditionDocument.model_validate(revision.document))


async def compare(session: AsyncSession, slug: str, locale: str, first: int, second: int) -> list[RevisionDifference]:
    """How the second revision differs from the first; raises RevisionNotFound."""
    found = await _each(session, slug, locale, [first, second])
    before, after = (
        ConditionDocument.model_validate(found[number].document).model_dump(mode="json", exclude_none=True)
        for number in (first, second)
    )
    return list(comparing.differences(before, after))


async def _each(session: AsyncSession, slug: str, locale: str, numbers: Sequence[int]) -> dict[int, ConditionRevision]:
    query = (
        select(ConditionRevision)
        .join(Condition, col(Condition.id) == ConditionRevision.condition_id)
        .where(Condition.slug == slug, ConditionRevision.locale == locale, col(ConditionRevision.number).in_(numbers))
    )
    found = {revision.number: revision for revision in await session.exec(query)}
    if found.keys() != set(numbers):
        raise RevisionNotFound
    return found


def _said(revision: ConditionRevision | Row[Any]) -> dict[str, Any]:
    said = {name: getattr(revision, name) for name in _SHOWN}
    return {name: MISSING if value is None else value for name, value in said.items()}
