"""What is sent and read about calendar feeds."""

from datetime import datetime
from uuid import UUID

from pydantic import MISSING, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from app.core.shapes import NOT_IN_EXAMPLE, Named, RequestShape, ResponseShape, Slug


class CalendarFeedCreate(RequestShape):
    """Whose consultations a calendar shall show."""

    clinician: Slug | None = Field(
        default=None, description="Slug of the clinician. Either this or `location`.", examples=["dr-rivera"]
    )
    location: Slug | None = Field(
        default=None,
        validate_default=True,
        description="Slug of the location. Either this or `clinician`.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )

    @field_validator("location")
    @classmethod
    def _whose(cls, location: str | None, info: ValidationInfo) -> str | None:
        if "clinician" in info.data and (location is None) == (info.data["clinician"] is None):
            raise PydanticCustomError("one_of_two", "or clinician must be there, and not both")
        return location


class CalendarFeedPublic(ResponseShape):
    """A calendar of somebody's consultations, without its address."""

    id: UUID = Field(description="The feed's id.", examples=["01993b2e-9d5a-7c32-8e4f-6b8d0a2c4e71"])
    clinician: Named | MISSING = Field(
        default=MISSING, description="Whose it is.", examples=[{"slug": "dr-rivera", "name": "Dr. Rivera"}]
    )
    location: Named | MISSING = Field(default=MISSING, description="Whose it is.", json_schema_extra=NOT_IN_EXAMPLE)
    created_by: str = Field(
        description="Who made it, as the audit trail names them.",
        examples=["api_key:01993b2e-1a2b-7c3d-8e4f-5a6b7c8d9e0f"],
    )
    created_at: datetime = Field(description="When it was made, UTC.", examples=["2026-11-24T09:00:00Z"])


class CalendarFeedCreated(CalendarFeedPublic):
    """A new calendar feed, with its address."""

    url: str = Field(
        description="Address of the calendar, relative to this API: it opens the calendar to whoever has it. It is "
        "shown here only.",
        examples=["/calendars/cp_feed_Zm9yLWlsbHVzdHJhdGlvbi1vbmx5LW5vdC1yZWFsISE.ics"],
    )
