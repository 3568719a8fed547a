"""Withdrawals: a condition's page is gone for good, and readers are told so, and where to go instead."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.content import changes, draft_mentions, draft_steps, page_names, slugs
from app.content.editorial_tables import ChangeKind, ConditionDraft, ConditionWithdrawal, Subject
from app.content.tables import Condition, ConditionPage
from app.core import clock
from app.core.db import rows
from app.core.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A condition whose page is gone."""

    slug: str
    withdrawn_at: datetime
    # Slug of a published condition.
    replacement: str | None


async def find(source: AsyncSession | AsyncConnection, condition_id: UUID) -> Withdrawal | None:
    """A condition's withdrawal; its replacement is named while that is published."""
    other = aliased(Condition)
    shown = select(col(ConditionPage.id)).where(col(ConditionPage.condition_id) == other.id).exists()
    query: Select[*tuple[Any, ...]] = (
        select(col(Condition.slug), col(ConditionWithdrawal.withdrawn_at), col(other.slug).label("replacement"))
        .join(ConditionWithdrawal, col(ConditionWithdrawal.condition_id) == Condition.id)
        .outerjoin(other, (col(other.id) == ConditionWithdrawal.replacement_id) & shown)
        .where(col(Condition.id) == condition_id)
    )
    found = await rows(source, query)
    return Withdrawal(*found[0]) if found else None


async def withdraw(
    session: AsyncSession, slug: str, *, replacement: str | None, by: str, versions: AbstractSet[int] | None = None
) -> Withdrawal:
    """Take a condition's page away in every language, and its drafts with it; slots and bookings stay.

    Again, it changes nothing but the replacement, where another one is named. Raises ConditionNotFound, VersionStale,
    and InvalidInput for a replacement that is not published. Publishing ends it: see `publishing.publish`.
    """
    await changes.take_turn(session)
    thing = await slugs.get(session, Subject.CONDITION, slug, versions=versions)
    before = await find(session, thing.id)
    instead = None if replacement is None else await _published(session, replacement)
    if instead is not None and instead.id == thing.id:
        raise InvalidInput.at("/replacement", "own_replacement", "must be another condition")
    if before is not None and (instead is None or instead.slug == before.replacement):
        return before
    now = await clock.now_in(session)
    if before is None:
        withdrawal = insert(ConditionWithdrawal)
        await session.exec(withdrawal.values(condition_id=thing.id, withdrawn_at=now))
        pages = col(ConditionPage.condition_id) == thing.id
        async with page_names.lost_offers_told(session, pages, at=now):
            await session.exec(delete(ConditionPage).where(pages))
        await _delete_drafts(session, thing, by=by, at=now)
    if instead is not None:
        # Whoever was sent here is sent on: one step, however long the story. What is published was not withdrawn, so
        # nothing is sent to itself.
        here = (col(ConditionWithdrawal.condition_id) == thing.id) | (
            col(ConditionWithdrawal.replacement_id) == thing.id
        )
        await session.exec(update(ConditionWithdrawal).where(here).values(replacement_id=instead.id))
    await changes.record(session, ChangeKind.WITHDRAWN, Subject.CONDITION, thing.id, slug=thing.slug, at=now)
    await audit.record(session, by=by, action="condition.withdrawn", subject=str(thing.id), at=now)
    done = await find(session, thing.id)
    assert done is not None
    return done


async def _delete_drafts(session: AsyncSession, thing: slugs.Thing, *, by: str, at: datetime) -> None:
    drafts = await draft_mentions.find_of_condition(session, thing.id, thing.slug)
    for draft in drafts:
        await draft_steps.note(session, draft, "deleted", version=draft.version + 1, by=by, at=at)
    await session.exec(delete(ConditionDraft).where(col(ConditionDraft.id).in_([draft.id for draft in drafts])))


async def _published(session: AsyncSession, slug: str) -> slugs.Thing:
    thing = await slugs.find(session, Subject.CONDITION, slug)
    pages = select(col(ConditionPage.id)).where(col(ConditionPage.condition_id) == (thing.id if thing else None))
    if thing is None or not await rows(session, pages.limit(1)):
        raise InvalidInput.at("/replacement", "unknown_reference", "names nothing that is published here")
    return thing
