"""The outbox."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.core.deferred import NewRow, defer
from app.core.ids import new_id
from app.delivery.tables import OutboxMessage

_COLUMNS: Final = ("id", "topic", "subject_id", "sequence", "dedupe_key", "not_before")
_MESSAGE: Final = NewRow(OutboxMessage.__table__, "message", _COLUMNS, (("attempts", "0"),))  # type: ignore[attr-defined]


def enqueue(session: AsyncSession, *, topic: str, subject_id: UUID, sequence: int, at: datetime) -> None:
    """Note an event to be told, once per subject, version and topic."""
    values = (new_id(), topic, subject_id, sequence, f"{subject_id}:{sequence}:{topic}", at)
    defer(session, _MESSAGE, dict(zip(_COLUMNS, values, strict=True)))
