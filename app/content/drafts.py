"""Drafts: the next text of a page, until it is published.

              PUT: every edit sends it back here, without approval and schedule
    (new) ──> draft ──submit──> submitted ──approve──> approved ──publish──> public, and the draft is gone
                ^                   │                     │ publish_at           ^
                └──────return───────┴─────────────────────┴──> scheduled ────────┘ at its time

Whoever changes a draft has the turn of those who publish (`changes.take_turn`): nothing happens to it, or to its page,
between a look and what is done after it. Editors are few.
"""

from typing import Any, Final
from uuid import UUID

from pydantic import MISSING
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import changes, draft_steps, former_names, publishing, revisions, slugs
from app.content.document import ConditionDocument
from app.content.draft_shapes import ConditionDraftPublic, TextState
from app.content.draft_steps import Tags
from app.content.editorial_tables import ConditionDraft, DraftState, Subject
from app.content.errors import ConditionExists, DraftExists, DraftNotFound, SlugRetired
from app.content.publishing import PublishedRevision
from app.content.tables import Condition, ConditionPage, ConditionRevision, RevisionSource
from app.core import clock
from app.core.errors import InvalidInput, VersionStale

# What an edit does to where a draft stands.
AFRESH: Final[dict[str, Any]] = {
    "state": DraftState.DRAFT,
    "approved_by": None,
    "publish_at": None,
    "unpublish_at": None,
}


async def publish_draft(session: AsyncSession, draft: ConditionDraft, *, by: str) -> PublishedRevision:
    """Publish a draft, and take it away; whoever calls has the turn, and has looked whether it may be published.

    Raises DraftOutdated, DraftInvalid, and what `publishing.publish` does.
    """
    await draft_steps.refuse_outdated(session, draft)
    await session.delete(draft)
    return await publishing.publish(
        session,
        draft_steps.document_of(draft),
        source=RevisionSource.EDITOR,
        by=by,
        author=draft.author,
        approved_by=draft.approved_by,
        unpublish_at=draft.unpublish_at,
    )


async def get(session: AsyncSession, slug: str, locale: str) -> ConditionDraftPublic:
    """The draft or, where there is none, the published text as version 0; raises DraftNotFound."""
    draft = await draft_steps.find(session, slug, locale)
    return draft_steps.show(draft) if draft else await _published(session, slug, locale)


async def create(session: AsyncSession, document: ConditionDocument, *, by: str) -> ConditionDraftPublic:
    """Begin the text of a new condition, or of a condition's page in another language.

    Raises ConditionExists, DraftExists, SlugRetired.
    """
    await changes.take_turn(session)
    condition = await slugs.find(session, Subject.CONDITION, document.slug)
    if condition is not None and condition.slug != document.slug:
        raise SlugRetired
    if await draft_steps.find(session, document.slug, document.locale) is not None:
        raise DraftExists
    if await _page(session, document.slug, document.locale) is not None:
        raise ConditionExists
    return await _begin(session, document, condition.id if condition else None, "created", by=by)


async def replace(
    session: AsyncSession, slug: str, document: ConditionDocument, *, tags: Tags, by: str, base: int | None = None
) -> ConditionDraftPublic:
    """Put this in the place of the draft, or begin one of a published page.

    With the current revision as `base`, a draft is brought up to date; without one, its base stays. Raises InvalidInput
    for another slug than the draft's, DraftNotFound, VersionStale, DraftOutdated for a base that is neither.
    """
    if document.slug != slug:
        raise InvalidInput.at("/slug", "slug_differs", "must be the slug in the address")
    await changes.take_turn(session)
    draft = await draft_steps.find(session, slug, document.locale)
    shown = draft_steps.show(draft) if draft else await _published(session, slug, document.locale)
    draft_steps.refuse_stale(shown, tags)
    current = await revisions.newest(session, slug, document.locale)
    if base not in (None, current, shown.base_revision):
        raise draft_steps.outdated(base, current)
    if draft is None:
        condition = await slugs.get(session, Subject.CONDITION, slug)
        return await _begin(session, document, condition.id, "created", by=by)
    content = document.content()
    fields = publishing.changed_sections(draft.document, content)
    values = AFRESH | {"author": by, "document": content}
    if base not in (None, draft.base_revision):
        fields, values = [*fields, "base_revision"], values | {"base_revision": base}
    return await draft_steps.write(session, draft, "edited", by=by, fields=fields, **values)


async def drop(session: AsyncSession, slug: str, locale: str, *, tags: Tags, by: str) -> ConditionDraftPublic:
    """Forget a draft; what is published stays. Returns what it was. Raises DraftNotFound, VersionStale."""
    draft = await draft_steps.take(session, slug, locale, tags=tags)
    await session.delete(draft)
    now = await clock.now_in(session)
    await draft_steps.note(session, draft, "deleted", version=draft.version + 1, by=by, at=now)
    return draft_steps.show(draft)


async def restore(
    session: AsyncSession, slug: str, locale: str, number: int, *, tags: Tags, by: str
) -> ConditionDraftPublic:
    """Begin a draft that says what this revision did, in the names that things have now.

    Raises RevisionNotFound, DraftExists, VersionStale.
    """
    await changes.take_turn(session)
    # Not before: somebody may have renamed the condition while this one waited for the turn.
    revision = await revisions.get(session, slug, locale, number)
    if await draft_steps.find(session, slug, locale) is not None:
        raise DraftExists
    if tags is not None:
        try:
            draft_steps.refuse_stale(await _published(session, slug, locale), tags)
        except DraftNotFound:
            # What was read is not there any more (RFC 9110, section 13.1.1).
            raise VersionStale from None
    document = await former_names.present(session, revision.document | {"slug": slug})
    return await _begin(session, document, revision.condition_id, "restored", by=by)


async def _begin(
    session: AsyncSession, document: ConditionDocument, condition_id: UUID | None, what: str, *, by: str
) -> ConditionDraftPublic:
    now = await clock.now_in(session)
    draft = ConditionDraft(
        condition_id=condition_id,
        slug=document.slug,
        locale=document.locale,
        state=DraftState.DRAFT,
        version=0,
        base_revision=await revisions.newest(session, document.slug, document.locale),
        document=document.content(),
        author=by,
        created_at=now,
        changed_at=now,
    )
    return await draft_steps.write(session, draft, what, by=by, at=now)


async def _page(session: AsyncSession, slug: str, locale: str) -> tuple[ConditionPage, ConditionRevision] | None:
    """A published page and its revision."""
    query = (
        select(ConditionPage, ConditionRevision)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .join(
            ConditionRevision,
            (col(ConditionRevision.condition_id) == ConditionPage.condition_id)
            & (col(ConditionRevision.locale) == ConditionPage.locale)
            & (col(ConditionRevision.number) == ConditionPage.revision),
        )
        .where(Condition.slug == slug, ConditionPage.locale == locale)
    )
    return (await session.exec(query)).first()


async def _published(session: AsyncSession, slug: str, locale: str) -> ConditionDraftPublic:
    found = await _page(session, slug, locale)
    if found is None:
        raise DraftNotFound
    page, revision = found
    return ConditionDraftPublic(
        slug=slug,
        locale=locale,
        state=TextState.PUBLISHED,
        version=0,
        base_revision=page.revision,
        author=revision.author or revision.published_by,
        approved_by=MISSING if revision.approved_by is None else revision.approved_by,
        publish_at=MISSING,
        unpublish_at=MISSING if page.unpublish_at is None else page.unpublish_at,
        created_at=revision.published_at,
        changed_at=revision.published_at,
        document=await former_names.present(session, revision.document | {"slug": slug}),
    )
