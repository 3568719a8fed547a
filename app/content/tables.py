"""Tables of what is published. None of them ever holds an unpublished word."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from app.core.db import BYTEWISE
from app.core.ids import new_id

_ENDS = text("unpublish_at IS NOT NULL")
_REVIEWED = text("next_review_on IS NOT NULL")


class CodeSystem(StrEnum):
    """A system of codes for diseases."""

    ICD_10 = "icd-10"
    MESH = "mesh"


class RevisionSource(StrEnum):
    """Who brought a revision in."""

    SEED = "seed"
    EDITOR = "editor"


class Urgency(StrEnum):
    """How soon to act on a sign, from at once to at the next visit."""

    EMERGENCY = "emergency"
    URGENT = "urgent"
    SOON = "soon"
    ROUTINE = "routine"


class Category(SQLModel, table=True):
    """One row is a group of conditions."""

    __tablename__ = "categories"
    __table_args__ = (UniqueConstraint("slug"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    slug: str = Field(sa_type=BYTEWISE)
    position: int
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class CategoryName(SQLModel, table=True):
    """One row is a category's name in one language."""

    __tablename__ = "category_names"
    category_id: UUID = Field(primary_key=True, foreign_key="categories.id", ondelete="CASCADE")
    locale: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    description: str | None = Field(default=None, sa_type=Text)


class Condition(SQLModel, table=True):
    """One row is a disease: what does not depend on language."""

    __tablename__ = "conditions"
    __table_args__ = (UniqueConstraint("slug"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    slug: str = Field(sa_type=BYTEWISE)
    category_id: UUID = Field(foreign_key="categories.id", index=True)


class ConditionCode(SQLModel, table=True):
    """One row is a condition's code in one outside system."""

    __tablename__ = "condition_codes"
    __table_args__ = (
        CheckConstraint("system IN ('icd-10', 'mesh')", name="system"),
        Index("ix_condition_codes_system_code", "system", "code"),
    )
    condition_id: UUID = Field(primary_key=True, foreign_key="conditions.id", ondelete="CASCADE")
    position: int = Field(primary_key=True)
    system: CodeSystem = Field(sa_type=Text)
    code: str = Field(sa_type=Text)


class ConditionPage(SQLModel, table=True):
    """One row is the published text of one condition in one language."""

    __tablename__ = "condition_pages"
    __table_args__ = (
        UniqueConstraint("condition_id", "locale"),
        Index("ix_condition_pages_locale_sort_key", "locale", "sort_key", "condition_id"),
        # Where each page is listed in the best language that it has.
        Index("ix_condition_pages_sort_key", "sort_key", "condition_id"),
        Index("ix_condition_pages_unpublish_at", "unpublish_at", postgresql_where=_ENDS, sqlite_where=_ENDS),
        Index(
            "ix_condition_pages_next_review_on", "next_review_on", postgresql_where=_REVIEWED, sqlite_where=_REVIEWED
        ),
        CheckConstraint("revision >= 1", name="revision"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    condition_id: UUID = Field(foreign_key="conditions.id", ondelete="CASCADE")
    locale: str = Field(sa_type=Text)
    revision: int
    name: str = Field(sa_type=Text)
    # The name without case and accents: lists are sorted and filtered by it.
    sort_key: str = Field(sa_type=BYTEWISE)
    summary: str = Field(sa_type=Text)
    overview: str = Field(sa_type=Text)
    when_to_consult: str = Field(sa_type=Text)
    what_to_bring: str = Field(sa_type=Text)
    consultation_heading: str = Field(sa_type=Text)
    consultation_text: str = Field(sa_type=Text)
    published_at: datetime
    updated_at: datetime
    last_reviewed_on: date | None = None
    next_review_on: date | None = None
    reviewed_by: str | None = Field(default=None, sa_type=Text)
    # The day for which it was told that a review is due.
    review_told_on: date | None = None
    # Of a translation: the revision of the default language's page that it says in another language.
    source_revision: int | None = None
    unpublish_at: datetime | None = None


class _PageLine(SQLModel):
    """A line of text at its place on a page."""

    page_id: UUID = Field(primary_key=True, foreign_key="condition_pages.id", ondelete="CASCADE")
    position: int = Field(primary_key=True)
    text: str = Field(sa_type=Text)


class AlternateName(_PageLine, table=True):
    """One row is another name of a condition."""

    __tablename__ = "alternate_names"


class RiskFactor(_PageLine, table=True):
    """One row is a risk factor, as the page words it."""

    __tablename__ = "risk_factors"


class Cause(_PageLine, table=True):
    """One row is a cause, as the page words it."""

    __tablename__ = "causes"


class ChecklistItem(_PageLine, table=True):
    """One row is one thing to bring to the consultation."""

    __tablename__ = "checklist_items"


class UrgencySign(SQLModel, table=True):
    """One row is a sign that asks for action, as the page words it."""

    __tablename__ = "urgency_signs"
    __table_args__ = (CheckConstraint("urgency IN ('emergency', 'urgent', 'soon', 'routine')", name="urgency"),)
    page_id: UUID = Field(primary_key=True, foreign_key="condition_pages.id", ondelete="CASCADE")
    position: int = Field(primary_key=True)
    sign: str = Field(sa_type=Text)
    urgency: Urgency = Field(sa_type=Text)
    action: str = Field(sa_type=Text)


class PageReference(SQLModel, table=True):
    """One row is a source that a section of a page rests on."""

    __tablename__ = "page_references"
    page_id: UUID = Field(primary_key=True, foreign_key="condition_pages.id", ondelete="CASCADE")
    position: int = Field(primary_key=True)
    section: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    url: str = Field(sa_type=Text)
    publisher: str | None = Field(default=None, sa_type=Text)


class Treatment(SQLModel, table=True):
    """One row is a therapy that the hospital offers: it ties together what several pages say of it."""

    __tablename__ = "treatments"
    __table_args__ = (UniqueConstraint("slug"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    slug: str = Field(sa_type=BYTEWISE)
    position: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class TreatmentName(SQLModel, table=True):
    """One row is a therapy's name in one language."""

    __tablename__ = "treatment_names"
    treatment_id: UUID = Field(primary_key=True, foreign_key="treatments.id", ondelete="CASCADE")
    locale: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)


class TreatmentOption(SQLModel, table=True):
    """One row is a therapy as one page words it."""

    __tablename__ = "treatment_options"
    __table_args__ = (UniqueConstraint("page_id", "treatment_id"),)
    page_id: UUID = Field(primary_key=True, foreign_key="condition_pages.id", ondelete="CASCADE")
    position: int = Field(primary_key=True)
    treatment_id: UUID = Field(foreign_key="treatments.id", index=True)
    name: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)


class ConditionRevision(SQLModel, table=True):
    """One row is one version of a page, for ever."""

    __tablename__ = "condition_revisions"
    __table_args__ = (
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("source IN ('seed', 'editor')", name="source"),
    )
    condition_id: UUID = Field(primary_key=True, foreign_key="conditions.id")
    locale: str = Field(primary_key=True, sa_type=Text)
    number: int = Field(primary_key=True)
    source: RevisionSource = Field(sa_type=Text)
    # SHA-256 of the document's canonical JSON, in hexadecimal digits.
    digest: str = Field(sa_type=Text)
    document: dict[str, Any] = Field(sa_type=JSON)
    published_by: str = Field(sa_type=Text)
    published_at: datetime
    # Absent for what no editor wrote.
    author: str | None = Field(default=None, sa_type=Text)
    approved_by: str | None = Field(default=None, sa_type=Text)


class ContentVersion(SQLModel, table=True):
    """The one row counts changes to what is published: a process that remembers pages looks at it."""

    __tablename__ = "content_version"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    number: int
