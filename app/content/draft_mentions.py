"""Where drafts mention what has been renamed: they say its new name, so that they can still be published.

Whoever calls holds the turn (`changes.take_turn`).
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import draft_steps
from app.content.editorial_tables import ConditionDraft, Subject
from app.content.errors import SlugInUse

# How many users of each kind are named where something cannot be deleted.
MOST_NAMED: Final = 20


async def find_of_condition(session: AsyncSession, condition_id: UUID, slug: str) -> list[ConditionDraft]:
    """The drafts of this condition."""
    # One in another language may have been begun before the condition was published for the first time.
    return await _find(session, (col(ConditionDraft.condition_id) == condition_id) | (col(ConditionDraft.slug) == slug))


async def rename_condition(
    session: AsyncSession, condition_id: UUID, *, old: str, new: str, by: str, at: datetime
) -> None:
    """Give the drafts of a condition its new slug."""
    for draft in await find_of_condition(session, condition_id, old):
        draft.slug = new
        await _change(session, draft, {"slug": new}, by=by, at=at)
    await session.flush()


async def rename_category(
    session: AsyncSession,
    old: str,
    *,
    by: str,
    at: datetime,
    slug: str | None = None,
    name: tuple[str, str] | None = None,
) -> None:
    """Let drafts that name this category by its slug name it by another, or by another name in one language."""
    for draft in await find(session, Subject.CATEGORY, old):
        category = draft.document["category"] | ({"slug": slug} if slug else {})
        if name is not None and draft.locale == name[0]:
            category["name"] = name[1]
        await _change(session, draft, {"category": category}, by=by, at=at)
    await session.flush()


async def rename_treatment(session: AsyncSession, old: str, *, slug: str, by: str, at: datetime) -> None:
    """Let drafts that offer this treatment say its new slug; what they call it is the page's own.

    Raises SlugInUse where one offers another treatment by that slug, one that is to be made when it is published.
    """
    for draft in await find(session, Subject.TREATMENT, old):
        if slug in _mentioned(draft.document, Subject.TREATMENT):
            raise SlugInUse
        options = [
            option | ({"slug": slug} if option["slug"] == old else {}) for option in draft.document["treatment_options"]
        ]
        await _change(session, draft, {"treatment_options": options}, by=by, at=at)
    await session.flush()


async def find(session: AsyncSession, subject: Subject, slug: str) -> list[ConditionDraft]:
    """Drafts that name this category, or offer this treatment."""
    said = cast(col(ConditionDraft.document), Text).contains(f'"{slug}"', autoescape=True)
    return [draft for draft in await _find(session, said) if slug in _mentioned(draft.document, subject)]


def as_users(drafts: list[ConditionDraft]) -> list[dict[str, str]]:
    """Drafts as a refusal names them."""
    return [{"kind": "draft", "slug": draft.slug, "name": draft.document["name"]} for draft in drafts[:MOST_NAMED]]


async def _find(session: AsyncSession, where: ColumnElement[bool]) -> list[ConditionDraft]:
    return list(await session.exec(select(ConditionDraft).where(where).order_by(col(ConditionDraft.id))))


def _mentioned(document: dict[str, Any], subject: Subject) -> set[str]:
    if subject is Subject.CATEGORY:
        return {document["category"]["slug"]}
    return {option["slug"] for option in document["treatment_options"]}


async def _change(session: AsyncSession, draft: ConditionDraft, said: dict[str, Any], *, by: str, at: datetime) -> None:
    document = draft.document | said
    if draft.document == document:
        return
    draft.document = document
    # Whoever has read it before must not write the old slug back. Who has approved it has approved the same words.
    draft.version += 1
    draft.changed_at = at
    session.add(draft)
    await draft_steps.note(session, draft, "renamed", version=draft.version, by=by, at=at, fields=list(said))
