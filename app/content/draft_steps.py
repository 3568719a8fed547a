"""A draft's row: how it is found, shown, guarded against lost edits, and changed a step at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import MISSING
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.content import changes
from app.content.document import ConditionDocument
from app.content.draft_shapes import ConditionDraftPublic, TextState
from app.content.editorial_tables import ConditionDraft
from app.content.errors import DraftNotFound
from app.core import clock
from app.core.errors import VersionStale
from app.core.etags import etag
from app.delivery import outbox

# The entity tags of which one must be that of the present text; None for whatever it is.
Tags = frozenset[str] | None


async def find(session: AsyncSession, slug: str, locale: str, *, lock: bool = False) -> ConditionDraft | None:
    """The draft of this page, if there is one."""
    query = select(ConditionDraft).where(ConditionDraft.slug == slug, ConditionDraft.locale == locale)
    found = await session.exec(query.with_for_update() if lock else query)
    return found.first()


async def take(session: AsyncSession, slug: str, locale: str, *, tags: Tags) -> ConditionDraft:
    """The draft, for whoever is about to change it; raises DraftNotFound, VersionStale."""
    await changes.take_turn(session)
    draft = await find(session, slug, locale, lock=True)
    if draft is None:
        raise DraftNotFound
    refuse_stale(show(draft), tags)
    return draft


async def write(
    session: AsyncSession,
    draft: ConditionDraft,
    what: str,
    *,
    by: str,
    at: datetime | None = None,
    fields: Sequence[str] = (),
    **values: Any,
) -> ConditionDraftPublic:
    """Change a draft: each step is a version, a line in the trail and a message of its own."""
    now = at or await clock.now_in(session)
    draft.sqlmodel_update(values | {"version": draft.version + 1, "changed_at": now})
    session.add(draft)
    await session.flush()
    await note(session, draft, what, version=draft.version, by=by, at=now, fields=fields)
    return show(draft)


async def note(
    session: AsyncSession,
    draft: ConditionDraft,
    what: str,
    *,
    version: int,
    by: str,
    at: datetime,
    fields: Sequence[str] = (),
) -> None:
    """Write down a step. Who is told of it gets the draft's id, never a word of it."""
    action = f"condition_draft.{what}"
    await audit.record(session, by=by, action=action, subject=str(draft.id), at=at, fields=fields)
    outbox.enqueue(session, topic=action, subject_id=draft.id, sequence=version, at=at)


def show(draft: ConditionDraft) -> ConditionDraftPublic:
    """A draft as editors see it."""
    return ConditionDraftPublic(
        slug=draft.slug,
        locale=draft.locale,
        state=TextState(draft.state),
        version=draft.version,
        author=draft.author,
        approved_by=MISSING if draft.approved_by is None else draft.approved_by,
        publish_at=MISSING if draft.publish_at is None else draft.publish_at,
        unpublish_at=MISSING if draft.unpublish_at is None else draft.unpublish_at,
        created_at=draft.created_at,
        changed_at=draft.changed_at,
        document=document_of(draft),
    )


def document_of(draft: ConditionDraft) -> ConditionDocument:
    """The draft's text, under the slug that its condition has now."""
    return ConditionDocument.model_validate(draft.document | {"slug": draft.slug})


def body_of(shown: ConditionDraftPublic) -> bytes:
    """The representation that its entity tag stands for."""
    return shown.model_dump_json(exclude_none=True).encode()


def refuse_stale(shown: ConditionDraftPublic, tags: Tags) -> None:
    """Raise VersionStale unless one of the tags is the text's; one without a digest stands for its version.

    The digest counts: versions begin anew with every draft, and a published text's is always 0.
    """
    if tags is not None and tags.isdisjoint({etag(shown.version, body_of(shown)), f'"{shown.version}"'}):
        raise VersionStale
