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
from app.content.tables import ContentVersion
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
    session.info[PUBLISHES] = True
    made = await session.exec(
        update(ContentVersion).values(number=ContentVersion.number + 1).returning(col(ContentVersion.number))
    )
    number: int = made.scalar_one()
    await session.exec(
        insert(ContentChange).values(
            number=number,
            at=at,
            kind=kind,
            subject=subject,
            subject_id=subject_id,
            slug=slug,
            locale=locale,
            revision=revision,
            sections=list(sections),
            previous_slug=previous_slug,
        )
    )
    outbox.enqueue(session, topic=f"{subject}.{kind}", subject_id=subject_id, sequence=number, at=at)
    return number


async def read(session: AsyncSession, *, after: int, limit: int) -> Feed:
    """The changes after this number, from one snapshot."""
    ((newest,),) = await rows(session, _NEWEST)
    return Feed(await rows(session, _AFTER, {"after": after, "limit": limit}), newest)
