"""The feed of changes: what happened to what is public, in the order in which it was committed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, insert, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.editorial_tables import ChangeKind, ContentChange, Subject
from app.content.tables import ContentVersion, TreatmentOption
from app.core.db import PUBLISHES, rows
from app.delivery import outbox

_NEWEST: Final = select(ContentVersion.number)
_AFTER: Final = (
    select(*ContentChange.__table__.columns)  # type: ignore[attr-defined]
    .where(col(ContentChange.number) > bindparam("after"))
    .order_by(col(ContentChange.number))
    .limit(bindparam("limit"))
)


@dataclass(frozen=True, slots=True)
class Feed:
    """A part of the feed, oldest first."""

    # Rows with the columns of ContentChange.
    entries: Sequence[Any]
    # The number of the newest change that was committed when this was read.
    newest: int


async def take_turn(session: AsyncSession) -> None:
    """Wait until nobody else changes what is public: from here to the end of the transaction nobody does.

    The feed's numbers are therefore the order of the commits: who has read up to a number has missed nothing before it.
    """
    await session.exec(select(ContentVersion.number).with_for_update())


async def record(
    session: AsyncSession,
    kind: ChangeKind,
    subject: Subject,
    subject_id: UUID,
    *,
    slug: str,
    at: datetime,
    locale: str | None = None,
    revision: int | None = None,
    sections: Sequence[str] = (),
    previous_slug: str | None = None,
) -> int:
    """Note a change in the feed and for the outbox, and tell every process that what is public is another now.

    Call `take_turn` before anything else is locked. Returns the change's number.
    """
    said: dict[str, Any] = {
        "locale": locale,
        "revision": revision,
        "sections": sections,
        "previous_slug": previous_slug,
    }
    return await record_each(session, kind, subject, [(subject_id, slug)], at=at, **said)


async def record_each(
    session: AsyncSession,
    kind: ChangeKind,
    subject: Subject,
    things: Sequence[tuple[UUID, str]],
    *,
    at: datetime,
    sections: Sequence[str] = (),
    **said: Any,
) -> int:
    """The same change of several things, each by id and slug, numbered in this order. Returns the last one's number."""
    session.info[PUBLISHES] = True
    made = await session.exec(
        update(ContentVersion).values(number=ContentVersion.number + len(things)).returning(col(ContentVersion.number))
    )
    last: int = made.scalar_one()
    common = {"at": at, "kind": kind, "subject": subject, "sections": list(sections), **said}
    entries = [
        {"number": number, "subject_id": subject_id, "slug": slug, **common}
        for number, (subject_id, slug) in enumerate(things, last - len(things) + 1)
    ]
    await session.exec(insert(ContentChange), params=entries)
    for entry in entries:
        outbox.enqueue(
            session, topic=f"{subject}.{kind}", subject_id=entry["subject_id"], sequence=entry["number"], at=at
        )
    return last


async def offered(session: AsyncSession, entries: Sequence[Any]) -> set[UUID]:
    """Of the treatments that these entries tell of, those that a published page offers."""
    treatments = {entry.subject_id for entry in entries if entry.subject == Subject.TREATMENT}
    if not treatments:
        return set()
    treatment_id = col(TreatmentOption.treatment_id)
    return set(await session.exec(select(treatment_id).where(treatment_id.in_(treatments)).distinct()))


async def read(session: AsyncSession, *, after: int, limit: int) -> Feed:
    """The changes after this number, from one snapshot."""
    ((newest,),) = await rows(session, _NEWEST)
    return Feed(await rows(session, _AFTER, {"after": after, "limit": limit}), newest)
