"""Where drafts mention what has been renamed: they say its new name, so that they can still be published."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.editorial_tables import ConditionDraft, Subject

_Document = dict[str, Any]
# How many users of each kind are named where something cannot be deleted.
MOST_NAMED: Final = 20


def of_condition(condition_id: UUID, slug: str) -> ColumnElement[bool]:
    """Whether a draft is one of this condition."""
    # One in another language may have been begun before the condition was published for the first time.
    return (col(ConditionDraft.condition_id) == condition_id) | (col(ConditionDraft.slug) == slug)


async def rename_condition(session: AsyncSession, condition_id: UUID, *, old: str, new: str, at: datetime) -> None:
    """Give the drafts of a condition its new slug."""
    for draft in await _locked(session, of_condition(condition_id, old)):
        draft.slug = new
        _change(draft, {**draft.document, "slug": new}, at)
        session.add(draft)
    await session.flush()


async def rename_category(
    session: AsyncSession, old: str, *, at: datetime, slug: str | None = None, name: tuple[str, str] | None = None
) -> None:
    """Let drafts that name this category by its slug name it by another, or by another name in one language."""

    def changed(document: _Document) -> _Document:
        category = document["category"] | ({"slug": slug} if slug else {})
        if name is not None and document["locale"] == name[0]:
            category["name"] = name[1]
        return document | {"category": category}

    await _reword(session, Subject.CATEGORY, old, changed, at)


async def rename_treatment(session: AsyncSession, old: str, *, slug: str, at: datetime) -> None:
    """Let drafts that offer this treatment say its new slug; what they call it is the page's own."""

    def changed(document: _Document) -> _Document:
        options = [
            option | ({"slug": slug} if option["slug"] == old else {}) for option in document["treatment_options"]
        ]
        return document | {"treatment_options": options}

    await _reword(session, Subject.TREATMENT, old, changed, at)


async def find(session: AsyncSession, subject: Subject, slug: str) -> list[ConditionDraft]:
    """Drafts that name this category, or offer this treatment; nobody changes them until the transaction ends."""
    said = cast(col(ConditionDraft.document), Text).contains(f'"{slug}"', autoescape=True)
    return [draft for draft in await _locked(session, said) if slug in _mentioned(draft.document, subject)]


def as_users(drafts: list[ConditionDraft]) -> list[dict[str, str]]:
    """Drafts as a refusal names them."""
    return [{"kind": "draft", "slug": draft.slug, "name": draft.document["name"]} for draft in drafts[:MOST_NAMED]]


async def _locked(session: AsyncSession, where: ColumnElement[bool]) -> list[ConditionDraft]:
    query = select(ConditionDraft).where(where).order_by(col(ConditionDraft.id)).with_for_update()
    return list(await session.exec(query))


async def _reword(
    session: AsyncSession, subject: Subject, slug: str, changed: Callable[[_Document], _Document], at: datetime
) -> None:
    for draft in await find(session, subject, slug):
        _change(draft, changed(draft.document), at)
        session.add(draft)
    await session.flush()


def _mentioned(document: _Document, subject: Subject) -> set[str]:
    if subject is Subject.CATEGORY:
        return {document["category"]["slug"]}
    return {option["slug"] for option in document["treatment_options"]}


def _change(draft: ConditionDraft, document: _Document, at: datetime) -> None:
    if draft.document != document:
        draft.document = document
        # Whoever has read it before must not write the old slug back.
        draft.version += 1
        draft.changed_at = at
