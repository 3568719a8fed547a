"""From a draft to a public page: submit, approve, return, publish now or at a time."""

from datetime import datetime
from typing import Any

from pydantic import MISSING
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import draft_steps, drafts
from app.content.draft_shapes import ConditionDraftPublic, ConditionPublication, DraftPublication, TextState
from app.content.draft_steps import Tags
from app.content.editorial_tables import ConditionDraft, DraftState
from app.content.errors import DraftNotApproved, DraftNotSubmitted, DraftSubmitted, OwnDraft
from app.content.tables import ConditionRevision
from app.core import clock
from app.core.errors import InvalidInput


async def submit(session: AsyncSession, slug: str, locale: str, *, tags: Tags, by: str) -> ConditionDraftPublic:
    """Hand a draft to those who approve. Raises DraftNotFound, VersionStale, DraftSubmitted."""
    draft = await draft_steps.take(session, slug, locale, tags=tags)
    if draft.state != DraftState.DRAFT:
        raise DraftSubmitted
    return await draft_steps.write(session, draft, "submitted", by=by, state=DraftState.SUBMITTED)


async def approve(session: AsyncSession, slug: str, locale: str, *, tags: Tags, by: str) -> ConditionDraftPublic:
    """Vouch for what somebody else has written. Raises DraftNotFound, VersionStale, DraftNotSubmitted, OwnDraft."""
    draft = await draft_steps.take(session, slug, locale, tags=tags)
    if draft.state != DraftState.SUBMITTED:
        raise DraftNotSubmitted
    if draft.author == by:
        raise OwnDraft
    return await draft_steps.write(session, draft, "approved", by=by, state=DraftState.APPROVED, approved_by=by)


async def give_back(session: AsyncSession, slug: str, locale: str, *, tags: Tags, by: str) -> ConditionDraftPublic:
    """Return a draft to its author; a schedule is over. Raises DraftNotFound, VersionStale, DraftNotSubmitted."""
    draft = await draft_steps.take(session, slug, locale, tags=tags)
    if draft.state == DraftState.DRAFT:
        raise DraftNotSubmitted
    return await draft_steps.write(session, draft, "returned", by=by, **drafts.AFRESH)


async def publish(
    session: AsyncSession,
    slug: str,
    locale: str,
    wish: DraftPublication,
    *,
    needs_approval: bool,
    tags: Tags,
    by: str,
) -> ConditionPublication:
    """Make a draft public, now or at its time; a scheduled one can be given another time.

    Raises DraftNotFound, VersionStale, DraftNotApproved, InvalidInput for times that are no future, and what
    `drafts.publish_draft` does.
    """
    draft = await draft_steps.take(session, slug, locale, tags=tags)
    if needs_approval and draft.approved_by is None:
        raise DraftNotApproved
    _refuse_past(wish, await clock.now_in(session))
    if wish.publish_at is not None:
        await draft_steps.refuse_outdated(session, draft)
        values: dict[str, Any] = {"state": DraftState.SCHEDULED, **wish.model_dump()}
        await draft_steps.write(session, draft, "scheduled", by=by, **values)
        return _publication(draft, TextState.SCHEDULED, publish_at=wish.publish_at)
    draft.unpublish_at = wish.unpublish_at
    made = await drafts.publish_draft(session, draft, by=by)
    revision = await session.get_one(ConditionRevision, (made.condition_id, locale, made.number))
    return _publication(draft, TextState.PUBLISHED, revision=made.number, published_at=revision.published_at)


def _refuse_past(wish: DraftPublication, now: datetime) -> None:
    if wish.publish_at is not None and wish.publish_at <= now:
        raise InvalidInput.at("/publish_at", "in_the_past", "must be in the future; leave it out to publish now")
    if wish.unpublish_at is not None and wish.unpublish_at <= (wish.publish_at or now):
        raise InvalidInput.at("/unpublish_at", "end_before_start", "must be later than the publication")


def _publication(
    draft: ConditionDraft,
    state: TextState,
    *,
    revision: int | MISSING = MISSING,
    published_at: datetime | MISSING = MISSING,
    publish_at: datetime | MISSING = MISSING,
) -> ConditionPublication:
    return ConditionPublication(
        slug=draft.slug,
        locale=draft.locale,
        state=state,
        revision=revision,
        published_at=published_at,
        publish_at=publish_at,
        unpublish_at=MISSING if draft.unpublish_at is None else draft.unpublish_at,
    )
