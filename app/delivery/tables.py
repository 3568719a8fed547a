"""The table of what waits to be carried out of the house."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.core import db  # noqa: F401 - names constraints before the first table is made
from app.core.ids import new_id

_WAITING = text("delivered_at IS NULL")
_TOLD = text("delivered_at IS NOT NULL")


class OutboxMessage(SQLModel, table=True):
    """One row is one event to tell. It holds ids, never a patient's words.

    It is written in the transaction of what it tells of, so that nothing is told that did not happen, and nothing
    that happened is left untold.
    """

    __tablename__ = "outbox_messages"
    __table_args__ = (
        UniqueConstraint("dedupe_key"),
        Index("ix_outbox_messages_delivered_at", "delivered_at", postgresql_where=_TOLD, sqlite_where=_TOLD),
        Index("ix_outbox_messages_waiting", "not_before", postgresql_where=_WAITING, sqlite_where=_WAITING),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    topic: str = Field(sa_type=Text)
    subject_id: UUID = Field(index=True)
    # The subject's version: a receiver drops what is not newer than what it has seen.
    sequence: int
    dedupe_key: str = Field(sa_type=Text)
    not_before: datetime
    attempts: int = 0
    claim_token: UUID | None = None
    claimed_until: datetime | None = None
    delivered_at: datetime | None = None
