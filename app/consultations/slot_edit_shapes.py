"""What is sent and read where slots are changed, one or many."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import MISSING, BeforeValidator, Field

from app.consultations.slot_shapes import Overlap
from app.consultations.tables import MAX_SEATS, SlotMode
from app.core.faults import FieldProblem
from app.core.shapes import NOT_IN_EXAMPLE, Instant, Line, RequestShape, ResponseShape, Slug, TimeZone, whole

# In this order, so that the schema says the limits beside MISSING too.
_Seats = Annotated[int, Field(ge=1, le=MAX_SEATS), BeforeValidator(whole)]
_SLOT_ID = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"


class BatchMode(StrEnum):
    """What becomes of the others when some slots are refused."""

    ATOMIC = "atomic"
    PARTIAL = "partial"


class Outcome(StrEnum):
    """What happened to a row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class RowProblem(ResponseShape):
    """Why a row is refused, as RFC 9457 tells it."""

    type: str = Field(description="Stable address of the problem's page.", examples=["/problems/slot-overlaps"])
    title: str = Field(description="Short name of the problem.", examples=["Slot overlaps"])
    status: int = Field(description="HTTP status that it had alone.", examples=[409])
    detail: str = Field(description="What happened, for people.", examples=["The clinician has another slot."])
    code: str = Field(description="Stable name of the problem, for programs.", examples=["slot-overlaps"])
    errors: list[FieldProblem] | MISSING = Field(
        default=MISSING,
        description="Each thing wrong with the row; pointers into the row's slot.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )


class BatchResult(ResponseShape):
    """What became of one row."""

    row: int = Field(description="Which one: the first slot is 1, headers and blank lines do not count.", examples=[1])
    outcome: Outcome = Field(description="What happened, or would have.", examples=["created"])
    id: UUID | MISSING = Field(
        default=MISSING, description="The slot's id; not of one that was not made.", examples=[_SLOT_ID]
    )
    problem: RowProblem | MISSING = Field(
        default=MISSING, description="Why it is refused.", json_schema_extra=NOT_IN_EXAMPLE
    )


class ConsultationSlotBatch(ResponseShape):
    """What became of a batch of slots."""

    mode: BatchMode = Field(description="As it was asked for.", examples=["atomic"])
    dry_run: bool = Field(description="Nothing was written: this is what would have happened.", examples=[False])
    created: int = Field(description="How many slots were made.", examples=[1])
    updated: int = Field(description="How many slots were changed.", examples=[0])
    unchanged: int = Field(description="How many slots were so already.", examples=[0])
    refused: int = Field(description="How many rows were refused.", examples=[0])
    results: list[BatchResult] = Field(description="What became of each row, in their order.")


class ConsultationSlotUpdate(RequestShape):
    """What is to be otherwise about a slot: what is absent stays; null takes away what can be absent."""

    starts_at: Instant | MISSING = Field(
        default=MISSING, description="Begin; not of a slot with live bookings.", examples=["2027-01-12T10:00:00Z"]
    )
    ends_at: Instant | MISSING = Field(
        default=MISSING,
        description="End, later than the begin; not of a slot with live bookings.",
        examples=["2027-01-12T10:30:00Z"],
    )
    time_zone: TimeZone | MISSING = Field(
        default=MISSING,
        description="IANA zone that patients read the time in. Absent, with another location: that one's.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    mode: SlotMode | MISSING = Field(default=MISSING, description="How patient and clinician meet.", examples=["video"])
    capacity: _Seats | MISSING = Field(
        default=MISSING, description="Number of seats; those that are taken stay.", examples=[2]
    )
    clinician: Slug | MISSING | None = Field(
        default=MISSING, description="Slug of the clinician.", json_schema_extra=NOT_IN_EXAMPLE
    )
    location: Slug | MISSING | None = Field(
        default=MISSING,
        description="Slug of the location; a room is named anew with it.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    room: Slug | MISSING | None = Field(
        default=MISSING, description="Slug of the room at the location.", json_schema_extra=NOT_IN_EXAMPLE
    )
    category: Slug | MISSING | None = Field(
        default=MISSING, description="Offer it for this category only.", json_schema_extra=NOT_IN_EXAMPLE
    )
    condition: Slug | MISSING | None = Field(
        default=MISSING, description="Offer it for this condition only.", json_schema_extra=NOT_IN_EXAMPLE
    )
    external_id: Annotated[str, Line(100)] | MISSING | None = Field(
        default=MISSING, description="Your own name for it, unique in the hospital.", json_schema_extra=NOT_IN_EXAMPLE
    )
    allow_overlap: Overlap | MISSING | None = Field(
        default=MISSING,
        description="It may overlap with others, and they with it; null: not any more.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
