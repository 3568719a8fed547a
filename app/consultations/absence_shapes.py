"""What is sent and read about absences."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import MISSING, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from app.core.shapes import NOT_IN_EXAMPLE, Instant, Line, Named, RequestShape, ResponseShape, Slug

# Of what an absence touches, so many are named; all are counted.
MOST_NAMED: Final = 500
_ABSENCE_ID = "01993b2e-8c4f-7b21-8d3e-5a7c9f1b3d60"
_STARTS, _ENDS = "2027-03-01T00:00:00Z", "2027-03-06T00:00:00Z"


class AbsenceCreate(RequestShape):
    """A span of time in which a clinician is away, or a location closed."""

    clinician: Slug | None = Field(
        default=None, description="Slug of the clinician. Either this or `location`.", examples=["dr-rivera"]
    )
    location: Slug | None = Field(
        default=None,
        validate_default=True,
        description="Slug of the location. Either this or `clinician`.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    starts_at: Instant = Field(description="Begin, with an offset.", examples=[_STARTS])
    ends_at: Instant = Field(description="End, later than `starts_at`.", examples=[_ENDS])
    note: Annotated[str, Line(500)] | None = Field(
        default=None, description="For colleagues; patients do not see it.", examples=["Congress."]
    )

    @field_validator("location")
    @classmethod
    def _whose(cls, location: str | None, info: ValidationInfo) -> str | None:
        if "clinician" in info.data and (location is None) == (info.data["clinician"] is None):
            raise PydanticCustomError("one_of_two", "or clinician must be there, and not both")
        return location

    @field_validator("ends_at")
    @classmethod
    def _after_start(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        if "starts_at" in info.data and ends_at <= info.data["starts_at"]:
            raise PydanticCustomError("end_before_start", "must be later than starts_at")
        return ends_at


class AbsencePublic(ResponseShape):
    """A span of time in which a clinician is away, or a location closed: schedules post no slots there."""

    id: UUID = Field(description="The absence's id.", examples=[_ABSENCE_ID])
    clinician: Named | MISSING = Field(
        default=MISSING, description="Who is away.", examples=[{"slug": "dr-rivera", "name": "Dr. Rivera"}]
    )
    location: Named | MISSING = Field(default=MISSING, description="What is closed.", json_schema_extra=NOT_IN_EXAMPLE)
    starts_at: datetime = Field(description="Begin, UTC.", examples=[_STARTS])
    ends_at: datetime = Field(description="End, UTC.", examples=[_ENDS])
    note: str | MISSING = Field(default=MISSING, description="For colleagues.", examples=["Congress."])
    created_at: datetime = Field(description="When it was written down, UTC.", examples=["2026-12-01T09:00:00Z"])


class Affected(ResponseShape):
    """What stands in an absence already, and stays: to close or move it is somebody's decision."""

    slots: int = Field(description="Slots that are posted there, unless cancelled.", examples=[1])
    bookings: int = Field(description="Live bookings of them, holds included.", examples=[1])
    slot_ids: list[UUID] = Field(
        description=f"The slots, soonest first, {MOST_NAMED} at most.",
        examples=[["01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"]],
    )
    booking_references: list[str] = Field(
        description=f"The bookings, soonest first, {MOST_NAMED} at most.", examples=[["7K3M9-QRT2N"]]
    )


class AbsenceWithAffected(AbsencePublic):
    """An absence, with what stands in it."""

    affected: Affected = Field(description="What stands in it already; nothing of it was changed.")
