"""The outbox."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.ids import new_id
from app.delivery.tables import OutboxMessage


async def enqueue(session: AsyncSession, *, topic: str, subject_id: UUID, sequence: int, at: datetime) -> None:
    """Note an event to be told, once per subject, version and topic."""
    await session.exec(
        insert(OutboxMessage).values(
            id=new_id(),
            topic=topic,
            subject_id=subject_id,
            sequence=sequence,
            dedupe_key=f"{subject_id}:{sequence}:{topic}",
            not_before=at,
            attempts=0,
        )
    )
