"""A draft's row: how it is found, shown, guarded against lost edits, and changed a step at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import MISSING, ValidationError
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.content import changes, revisions
from app.content.document import ConditionDocument
from app.content.draft_shapes import ConditionDraftPublic, TextState
from app.content.editorial_tables import ConditionDraft
from app.content.errors import DraftInvalid, DraftNotFound, DraftOutdated
from app.core import clock
from app.core.errors import VersionStale
from app.core.etags import etag
from app.delivery import outbox

# The entity tags of which one must be that of the present text; None for whatever it is.
Tags = frozenset[str] | None


async def find(session: AsyncSession, slug: str, locale: str) -> ConditionDraft | None:
    """The draft of this page, if there is one."""
    query = select(ConditionDraft).where(ConditionDraft.slug == slug, ConditionDraft.locale == locale)
    return (await session.exec(query)).first()


async def take(session: AsyncSession, slug: str, locale: str, *, tags: Tags) -> ConditionDraft:
    """The draft, for whoever is about to change it; raises DraftNotFound, VersionStale."""
    await changes.take_turn(session)
    draft = await find(session, slug, locale)
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
        base_revision=MISSING if draft.base_revision is None else draft.base_revision,
        author=draft.author,
        approved_by=MISSING if draft.approved_by is None else draft.approved_by,
        publish_at=MISSING if draft.publish_at is None else draft.publish_at,
        unpublish_at=MISSING if draft.unpublish_at is None else draft.unpublish_at,
        created_at=draft.created_at,
        changed_at=draft.changed_at,
        document=_readable(draft),
    )


def document_of(draft: ConditionDraft) -> ConditionDocument:
    """The draft's text, under the slug that its condition has now; raises DraftInvalid."""
    try:
        return ConditionDocument.model_validate(_content(draft))
    except ValidationError:
        raise DraftInvalid from None


def body_of(shown: ConditionDraftPublic) -> bytes:
    """The representation that its entity tag stands for."""
    # Without warnings: see `_readable`.
    return shown.model_dump_json(exclude_none=True, warnings=False).encode()


def refuse_stale(shown: ConditionDraftPublic, tags: Tags) -> None:
    """Raise VersionStale unless one of the tags is the text's.

    The whole tag: versions begin anew with every draft, and a published text's is always 0.
    """
    if tags is not None and etag(shown.version, body_of(shown)) not in tags:
        raise VersionStale


async def refuse_outdated(session: AsyncSession, draft: ConditionDraft) -> None:
    """Raise DraftOutdated where the page was published since the draft was begun, or brought up to date.

    Hold the turn: whoever publishes meanwhile, an editor, an import or the schedule, waits.
    """
    current = await revisions.newest(session, draft.slug, draft.locale)
    if draft.base_revision != current:
        raise outdated(draft.base_revision, current)


def outdated(base: int | None, current: int | None) -> DraftOutdated:
    """What is said of a draft that was made from another revision than the current one."""
    revisions_named = {"base_revision": base, "current_revision": current}
    return DraftOutdated(**{name: number for name, number in revisions_named.items() if number is not None})


def _readable(draft: ConditionDraft) -> ConditionDocument:
    """The text for editors: also where it breaks a rule, so that they can mend it, or delete it."""
    try:
        return document_of(draft)
    except DraftInvalid:
        return ConditionDocument.model_construct(**_content(draft))


def _content(draft: ConditionDraft) -> dict[str, Any]:
    return draft.document | {"slug": draft.slug}
