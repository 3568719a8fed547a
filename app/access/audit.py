"""The trail: every action is one row, in the transaction of the action itself."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.tables import AuditEntry
from app.core.ids import new_id


async def record(
    session: AsyncSession, *, by: str, action: str, subject: str, at: datetime, fields: Sequence[str] = ()
) -> None:
    """Write down who did what to which thing; `fields` are names of what was changed or read, never values."""
    await record_each(session, by=by, action=action, subjects=[subject], at=at, fields=fields)


async def record_each(
    session: AsyncSession, *, by: str, action: str, subjects: Sequence[str], at: datetime, fields: Sequence[str] = ()
) -> None:
    """The same action on several things: one row each, one statement."""
    rows = [
        {
            "id": new_id(),
            "at": at,
            "actor": by,
            "action": action,
            "subject": subject,
            "outcome": "done",
            "fields": list(fields),
        }
        for subject in subjects
    ]
    if rows:
        await session.exec(insert(AuditEntry), params=rows)
