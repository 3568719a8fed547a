"""Tables of the editors' work: drafts, withdrawals, former slugs, and the feed of what changed.

Only `condition_drafts` ever holds an unpublished word.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.core.db import BYTEWISE
from app.core.ids import new_id

_SCHEDULED = text("state = 'scheduled'")
_ONE_TARGET = """
(kind = 'condition' AND condition_id IS NOT NULL AND category_id IS NULL AND treatment_id IS NULL)
 OR (kind = 'category' AND condition_id IS NULL AND treatment_id IS NULL)
 OR (kind = 'treatment' AND condition_id IS NULL AND category_id IS NULL)
""".strip().replace("\n", "")


class DraftState(StrEnum):
    """Where an unpublished text stands."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    SCHEDULED = "scheduled"


class Subject(StrEnum):
    """What has a slug."""

    CONDITION = "condition"
    CATEGORY = "category"
    TREATMENT = "treatment"


class ChangeKind(StrEnum):
    """What happened to something that is, or was, public."""

    PUBLISHED = "published"
    UPDATED = "updated"
    RENAMED = "renamed"
    # The whole condition, for good.
    WITHDRAWN = "withdrawn"
    # One language's page, whose time was over; a treatment that no page offers any more.
    UNPUBLISHED = "unpublished"
    DELETED = "deleted"


class ConditionDraft(SQLModel, table=True):
    """One row is the next text of a condition in one language, until it is published."""

    __tablename__ = "condition_drafts"
    __table_args__ = (
        UniqueConstraint("slug", "locale"),
        CheckConstraint("state IN ('draft', 'submitted', 'approved', 'scheduled')", name="state"),
        CheckConstraint("(state = 'scheduled') = (publish_at IS NOT NULL)", name="publish_at"),
        CheckConstraint("base_revision >= 1", name="base_revision"),
        Index("ix_condition_drafts_publish_at", "publish_at", postgresql_where=_SCHEDULED, sqlite_where=_SCHEDULED),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    # Absent until the condition is published for the first time.
    condition_id: UUID | None = Field(default=None, foreign_key="conditions.id", index=True)
    slug: str = Field(sa_type=BYTEWISE)
    locale: str = Field(sa_type=Text)
    state: DraftState = Field(sa_type=Text)
    version: int
    # The newest revision when it was begun, or brought up to date; absent while there was none.
    base_revision: int | None = None
    document: dict[str, Any] = Field(sa_type=JSON)
    # Who wrote it last: somebody else has to approve it.
    author: str = Field(sa_type=Text)
    approved_by: str | None = Field(default=None, sa_type=Text)
    publish_at: datetime | None = None
    unpublish_at: datetime | None = None
    created_at: datetime
    changed_at: datetime


class ConditionWithdrawal(SQLModel, table=True):
    """One row is a condition whose page is gone for good, and the one that took its place."""

    __tablename__ = "condition_withdrawals"
    __table_args__ = (CheckConstraint("replacement_id <> condition_id", name="replacement"),)
    condition_id: UUID = Field(primary_key=True, foreign_key="conditions.id")
    replacement_id: UUID | None = Field(default=None, foreign_key="conditions.id")
    withdrawn_at: datetime


class SlugRedirect(SQLModel, table=True):
    """One row is a slug of former times. It leads to the thing itself, not to another slug: there are no loops.

    Those of a category or a treatment that was deleted lead nowhere; nothing else gets them.
    """

    __tablename__ = "slug_redirects"
    __table_args__ = (CheckConstraint(_ONE_TARGET, name="target"),)
    kind: Subject = Field(primary_key=True, sa_type=Text)
    slug: str = Field(primary_key=True, sa_type=BYTEWISE)
    condition_id: UUID | None = Field(default=None, foreign_key="conditions.id", index=True)
    category_id: UUID | None = Field(default=None, foreign_key="categories.id", index=True, ondelete="SET NULL")
    treatment_id: UUID | None = Field(default=None, foreign_key="treatments.id", index=True, ondelete="SET NULL")
    renamed_at: datetime


class ContentChange(SQLModel, table=True):
    """One row is one change of what is public, numbered without a gap in the order in which they were committed."""

    __tablename__ = "content_changes"
    __table_args__ = (
        CheckConstraint("subject IN ('condition', 'category', 'treatment')", name="subject"),
        CheckConstraint(
            "kind IN ('published', 'updated', 'renamed', 'withdrawn', 'unpublished', 'deleted')", name="kind"
        ),
    )
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime
    kind: ChangeKind = Field(sa_type=Text)
    subject: Subject = Field(sa_type=Text)
    subject_id: UUID = Field(index=True)
    slug: str = Field(sa_type=Text)
    locale: str | None = Field(default=None, sa_type=Text)
    revision: int | None = None
    # Names of the page's fields that differ from the revision before.
    sections: list[str] = Field(sa_type=JSON)
    previous_slug: str | None = Field(default=None, sa_type=Text)
