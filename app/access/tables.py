"""Tables of who asked, what for, and what was done."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.core import db  # noqa: F401 - names constraints before the first table is made
from app.core.ids import new_id

_UNSEALED = text("seal IS NULL")


class ApiKey(SQLModel, table=True):
    """One row is a key of an admin, a partner or a program."""

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("secret_hash"), UniqueConstraint("name"))
    id: UUID = Field(default_factory=new_id, primary_key=True)
    name: str = Field(sa_type=Text)
    # SHA-256 of the key; the key itself is shown once and kept nowhere.
    secret_hash: bytes
    scopes: list[str] = Field(sa_type=JSON)
    created_at: datetime
    revoked_at: datetime | None = None


class IdempotencyRecord(SQLModel, table=True):
    """One row is a request that must not happen twice: it points at the one thing that it made.

    The pointers are checked at COMMIT, so a remembered answer cannot exist without what it tells of.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        CheckConstraint("(booking_id IS NULL) <> (slot_id IS NULL)", name="made_one_thing"),
        Index("ix_idempotency_keys_expires_at", "expires_at"),
    )
    caller: str = Field(primary_key=True, sa_type=Text)
    operation: str = Field(primary_key=True, sa_type=Text)
    key_hash: bytes = Field(primary_key=True)
    # HMAC of the request under a key derived from `key_id`: a repeat must ask for the same.
    fingerprint: bytes
    booking_id: UUID | None = Field(
        default=None,
        sa_column_args=[
            ForeignKey("consultation_bookings.id", deferrable=True, initially="DEFERRED", ondelete="CASCADE")
        ],
        index=True,
    )
    slot_id: UUID | None = Field(
        default=None,
        sa_column_args=[ForeignKey("consultation_slots.id", deferrable=True, initially="DEFERRED")],
        index=True,
    )
    # The answer, sealed: it may hold a booking's token.
    key_id: str = Field(sa_type=Text)
    wrapped_key: bytes = b""
    nonce: bytes = b""
    answer: bytes = b""
    expires_at: datetime


class AuditEntry(SQLModel, table=True):
    """One row is one thing that somebody did. It names changed fields, never their values. Append-only."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_subject", "subject", "at"),
        Index("ix_audit_entries_seal", "seal", "id"),
        Index("ix_audit_entries_unsealed", "id", postgresql_where=_UNSEALED, sqlite_where=_UNSEALED),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    at: datetime
    actor: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    outcome: str = Field(sa_type=Text)
    fields: list[Any] = Field(sa_type=JSON)
    # The number of the seal that covers this entry; set once, a few seconds after it was written.
    seal: int | None = None


class AuditSeal(SQLModel, table=True):
    """One row is a link of the chain that makes edits of the trail visible. Append-only."""

    __tablename__ = "audit_seals"
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    entries: int
    previous_hash: bytes
    # HMAC over the previous hash and this seal's entries, under a key derived from `key_id`'s.
    hash: bytes
    key_id: str = Field(sa_type=Text, index=True)
    sealed_at: datetime
