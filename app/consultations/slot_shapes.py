"""What is sent and read about slots."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import MISSING, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from app.consultations.reasons import CancellationReason
from app.consultations.tables import MAX_SEATS, SlotMode, SlotStatus
from app.core.shapes import (
    NOT_IN_EXAMPLE,
    Instant,
    Line,
    Named,
    RequestShape,
    ResponseShape,
    Slug,
    TimeZone,
    WholeNumber,
)

_STARTS, _ENDS = "2027-01-12T09:00:00Z", "2027-01-12T09:30:00Z"
_SLOT_ID = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"


class Overlap(RequestShape):
    """Why a slot may overlap with others."""

    reason: Annotated[str, Line(500)] = Field(
        description="Why, for the record; patients do not see it.", examples=["Two families at once."]
    )


class OverlapPublic(ResponseShape):
    """Why a slot may overlap with others."""

    reason: str = Field(description="Why, for the record.", examples=["Two families at once."])


class ConsultationSlotCreate(RequestShape):
    """A span of time to be offered."""

    starts_at: Instant = Field(
        description="Begin, with an offset; the offset need not be the zone's.", examples=[_STARTS]
    )
    ends_at: Instant = Field(description="End, later than `starts_at`.", examples=[_ENDS])
    time_zone: TimeZone | None = Field(
        default=None,
        description="IANA zone that patients read the time in. Absent: the location's. With both, they must agree.",
        examples=["Europe/Berlin"],
    )
    mode: SlotMode = Field(description="How patient and clinician meet.", examples=["video"])
    capacity: WholeNumber = Field(ge=1, le=MAX_SEATS, description="Number of seats.", examples=[1])
    clinician: Slug | None = Field(default=None, description="Slug of the clinician.", json_schema_extra=NOT_IN_EXAMPLE)
    location: Slug | None = Field(default=None, description="Slug of the location.", json_schema_extra=NOT_IN_EXAMPLE)
    room: Slug | None = Field(
        default=None,
        description="Slug of the room at this location; a room holds one consultation at a time.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    category: Slug | None = Field(
        default=None,
        description="Offer it for this category only. Not together with `condition`.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    condition: Slug | None = Field(
        default=None,
        description="Offer it for this condition only. With neither, it is offered for anything.",
        examples=["acute-lymphoblastic-leukemia"],
    )
    external_id: Annotated[str, Line(100)] | None = Field(
        default=None,
        description="Your own name for the slot, unique in the hospital.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    allow_overlap: Overlap | None = Field(
        default=None,
        description="It may overlap with other slots of its clinician and its room, and they with it.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )

    @property
    def overlap_reason(self) -> str | None:
        """Why it may overlap; None where it may not."""
        return self.allow_overlap.reason if self.allow_overlap else None

    @field_validator("ends_at")
    @classmethod
    def _after_start(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        if "starts_at" in info.data and ends_at <= info.data["starts_at"]:
            raise PydanticCustomError("end_before_start", "must be later than starts_at")
        return ends_at

    @field_validator("condition")
    @classmethod
    def _one_topic(cls, condition: str | None, info: ValidationInfo) -> str | None:
        if condition is not None and info.data.get("category") is not None:
            raise PydanticCustomError("one_topic", "cannot stand together with category")
        return condition

    @field_validator("room")
    @classmethod
    def _at_location(cls, room: str | None, info: ValidationInfo) -> str | None:
        if room is not None and info.data.get("location") is None:
            raise PydanticCustomError("location_missing", "needs a location beside it")
        return room


class BookedSlot(ResponseShape):
    """When and how a booked consultation takes place."""

    id: UUID = Field(description="The slot's id.", examples=[_SLOT_ID])
    starts_at: datetime = Field(description="Begin, UTC.", examples=[_STARTS])
    ends_at: datetime = Field(description="End, UTC.", examples=[_ENDS])
    time_zone: str = Field(description="IANA zone to show the time in.", examples=["Europe/Berlin"])
    mode: SlotMode = Field(description="How patient and clinician meet.", examples=["video"])
    capacity: int = Field(description="Number of seats.", examples=[1])
    status: SlotStatus = Field(description="Whether it takes bookings.", examples=["open"])
    version: int = Field(description="Rises with what admins change, not with bookings.", examples=[1])
    clinician: Named | MISSING = Field(
        default=MISSING, description="Who is consulted.", examples=[{"slug": "dr-rivera", "name": "Dr. Rivera"}]
    )
    location: Named | MISSING = Field(
        default=MISSING, description="Where.", examples=[{"slug": "main-building", "name": "Main Building"}]
    )
    room: Named | MISSING = Field(
        default=MISSING, description="In which room there.", examples=[{"slug": "room-3", "name": "Room 3"}]
    )
    category: Named | MISSING = Field(
        default=MISSING, description="Offered for this category only.", json_schema_extra=NOT_IN_EXAMPLE
    )
    condition: Named | MISSING = Field(
        default=MISSING,
        description="Offered for this condition only.",
        examples=[{"slug": "acute-lymphoblastic-leukemia", "name": "Acute Lymphoblastic Leukemia"}],
    )


class ConsultationSlotPublic(BookedSlot):
    """A posted span of time."""

    seats_free: int = Field(description="Seats that can be booked now.", examples=[1])
    external_id: str | MISSING = Field(
        default=MISSING, description="Your own name for it; only admins read it.", json_schema_extra=NOT_IN_EXAMPLE
    )
    allow_overlap: OverlapPublic | MISSING = Field(
        default=MISSING, description="Why it may overlap; only admins read it.", json_schema_extra=NOT_IN_EXAMPLE
    )


class SlotCancellation(RequestShape):
    """Why a slot is cancelled."""

    reason: CancellationReason = Field(
        default=CancellationReason.PROVIDER,
        description="Why, as a code of FHIR's appointment-cancellation-reason; its bookings are cancelled with it.",
        examples=["prov-hosp"],
    )
