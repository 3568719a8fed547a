"""What editors send and see: drafts, revisions, and how two revisions differ."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import MISSING, Field, WithJsonSchema

from app.content.document import ConditionDocument
from app.content.tables import RevisionSource
from app.core.shapes import NOT_IN_EXAMPLE, Instant, ListShape, RequestShape, ResponseShape, Slug

_SLUG = "acute-lymphoblastic-leukemia"
_AUTHOR = "api_key:01993b2e-6a01-7c3e-9d54-0b7f2a8c1e66"
_APPROVER = "api_key:01993b2e-7b13-7d22-8e65-1c803b9d2f77"


class TextState(StrEnum):
    """Where a text stands; `published`: there is no draft, this is what the public reads."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"


class ConditionDraftPublic(ResponseShape):
    """The next text of a condition's page in one language; where there is none, the published one to begin with."""

    slug: Slug = Field(description="The condition's stable name in URLs.", examples=[_SLUG])
    locale: str = Field(description="Language of the texts (BCP 47).", examples=["en"])
    state: TextState = Field(description="Where it stands.", examples=["draft"])
    version: int = Field(
        description="Rises with every edit and every step; 0 while there is no draft.", examples=[1], ge=0
    )
    base_revision: int | MISSING = Field(
        default=MISSING,
        description="The newest revision when it was begun, or brought up to date: it is published while that is still "
        "the newest one. Absent where nothing was published.",
        examples=[1],
    )
    author: str = Field(description="Who wrote it last: somebody else has to approve it.", examples=[_AUTHOR])
    approved_by: str | MISSING = Field(
        default=MISSING, description="Who approved it.", examples=[_APPROVER], json_schema_extra=NOT_IN_EXAMPLE
    )
    publish_at: datetime | MISSING = Field(
        default=MISSING,
        description="When it will be published, UTC.",
        examples=["2027-01-15T09:00:00Z"],
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    unpublish_at: datetime | MISSING = Field(
        default=MISSING,
        description="When the page will be taken down, UTC.",
        examples=["2027-07-15T09:00:00Z"],
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    created_at: datetime = Field(description="When it was begun, UTC.", examples=["2026-11-23T09:00:00Z"])
    changed_at: datetime = Field(description="When its version rose last, UTC.", examples=["2026-11-23T09:00:00Z"])
    document: ConditionDocument = Field(description="The text, whole.")


class DraftPublication(RequestShape):
    """When a text is to be public."""

    publish_at: Instant | None = Field(
        default=None, description="When to publish it, in the future; absent: now.", examples=["2030-01-15T09:00:00Z"]
    )
    unpublish_at: Instant | None = Field(
        default=None, description="When to take the page down; absent: never.", examples=["2030-07-15T09:00:00Z"]
    )


class ConditionPublication(ResponseShape):
    """What became of a draft: a revision that is public, or one that will be."""

    slug: Slug = Field(description="The condition's stable name in URLs.", examples=[_SLUG])
    locale: str = Field(description="Language of the texts (BCP 47).", examples=["en"])
    state: TextState = Field(description="`published`, or `scheduled` for `publish_at`.", examples=["published"])
    revision: int | MISSING = Field(
        default=MISSING, description="Number of the public revision; absent while it is scheduled.", examples=[2]
    )
    published_at: datetime | MISSING = Field(
        default=MISSING,
        description="When that revision was published, UTC; absent while it is scheduled.",
        examples=["2026-11-23T09:00:00Z"],
    )
    publish_at: datetime | MISSING = Field(
        default=MISSING,
        description="When it will be published, UTC; absent once it is.",
        examples=["2030-01-15T09:00:00Z"],
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    unpublish_at: datetime | MISSING = Field(
        default=MISSING,
        description="When the page will be taken down, UTC.",
        examples=["2030-07-15T09:00:00Z"],
        json_schema_extra=NOT_IN_EXAMPLE,
    )


class ConditionRevisionSummary(ResponseShape):
    """One published version of a page."""

    number: int = Field(description="Its number, from 1.", examples=[2])
    locale: str = Field(description="Language of the texts (BCP 47).", examples=["en"])
    source: RevisionSource = Field(description="Who brought it in.", examples=["editor"])
    author: str | MISSING = Field(
        default=MISSING, description="Who wrote it; absent for what no editor wrote.", examples=[_AUTHOR]
    )
    approved_by: str | MISSING = Field(
        default=MISSING, description="Who approved it; absent where nobody had to.", examples=[_APPROVER]
    )
    published_by: str = Field(
        description="Who published it; `schedule` for what was published at its time.", examples=[_APPROVER]
    )
    published_at: datetime = Field(description="When, UTC.", examples=["2026-11-23T09:00:00Z"])
    digest: str = Field(
        description="SHA-256 of the document: two revisions with the same one say the same.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )


class ConditionRevisionPublic(ConditionRevisionSummary):
    """One published version of a page, with its text."""

    document: ConditionDocument = Field(description="The text as it was published, whole.")


class ConditionRevisionList(ListShape):
    """One page of a list of revisions."""

    items: list[ConditionRevisionSummary] = Field(description="Revisions, newest first.")


class DifferenceKind(StrEnum):
    """What happened to a part of a document."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


# A text, a revision's number, or an item of a list with its own parts.
_Part = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "integer"},
                {"type": "object", "additionalProperties": {"type": "string"}},
            ]
        }
    ),
]


class RevisionDifference(ResponseShape):
    """One part in which two revisions differ."""

    pointer: str = Field(
        description="JSON pointer (RFC 6901) into the second document; of what was removed, into the first.",
        examples=["/risk_factors/1"],
    )
    op: DifferenceKind = Field(description="What happened to it.", examples=["changed"])
    before: _Part | MISSING = Field(
        default=MISSING, description="What the first one says there; absent for `added`.", examples=["Family history"]
    )
    after: _Part | MISSING = Field(
        default=MISSING,
        description="What the second one says there; absent for `removed`.",
        examples=["Synthetic factor"],
    )


class RevisionComparison(ResponseShape):
    """How two revisions of a page differ, field by field and line by line."""

    items: list[RevisionDifference] = Field(
        description="All differences, in the order of the page; empty where both say the same."
    )
