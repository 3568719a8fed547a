"""What is sent and read about who is consulted, and where."""

from typing import Annotated

from pydantic import MISSING, Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from app.consultations.public_holidays import HOLIDAYS_PATTERN
from app.core.shapes import (
    NOT_IN_EXAMPLE,
    Line,
    Named,
    RequestShape,
    ResponseShape,
    Slug,
    TimeZone,
    WholeNumber,
)

Minutes = Annotated[WholeNumber, Field(ge=0, le=60 * 24 * 365)]
Name = Annotated[str, Line(200)]
# A country, or a part of it (ISO 3166-1, ISO 3166-2).
HolidaysOf = Annotated[str, StringConstraints(pattern=HOLIDAYS_PATTERN)]


class ClinicianCreate(RequestShape):
    """A clinician to be known."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["dr-rivera"])
    name: Name = Field(description="Name for people.", examples=["Dr. Rivera"])


class ClinicianPublic(Named):
    """Somebody whom patients consult."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["dr-rivera"])
    name: str = Field(description="Name for people.", examples=["Dr. Rivera"])


class BookingPolicy(RequestShape):
    """How long before its start a consultation can be booked and changed; what is absent is the hospital's."""

    min_notice_minutes: Minutes | None = Field(default=None, description="Booked no later than this.", examples=[120])
    cancel_until_minutes: Minutes | None = Field(
        default=None, description="Cancelled by the patient no later than this.", examples=[1440]
    )
    reschedule_until_minutes: Minutes | None = Field(
        default=None, description="Rescheduled no later than this.", examples=[1440]
    )
    max_reschedules: WholeNumber | None = Field(
        default=None, ge=0, le=100, description="How often a booking can be rescheduled.", examples=[2]
    )


class BookingPolicyPublic(ResponseShape):
    """What a location says otherwise than the hospital's policy."""

    min_notice_minutes: int | MISSING = Field(default=MISSING, description="Booked no later than this.", examples=[120])
    cancel_until_minutes: int | MISSING = Field(
        default=MISSING, description="Cancelled by the patient no later than this.", examples=[1440]
    )
    reschedule_until_minutes: int | MISSING = Field(
        default=MISSING, description="Rescheduled no later than this.", examples=[1440]
    )
    max_reschedules: int | MISSING = Field(
        default=MISSING, description="How often a booking can be rescheduled.", examples=[2]
    )


class LocationCreate(RequestShape):
    """A location to be known."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["main-building"])
    name: Name = Field(description="Name for people.", examples=["Main Building"])
    time_zone: TimeZone = Field(description="IANA time zone.", examples=["Europe/Berlin"])
    policy: BookingPolicy | None = Field(
        default=None, description="What holds here instead of the hospital's policy.", json_schema_extra=NOT_IN_EXAMPLE
    )
    holidays: HolidaysOf | None = Field(
        default=None,
        description="Whose public holidays schedules leave out here: a country or part of it (ISO 3166).",
        examples=["DE-BE"],
    )


class LocationUpdate(RequestShape):
    """What is to change of a location; what is absent stays, and `null` takes away (RFC 7396)."""

    name: Name | None = Field(default=None, description="Name for people.", examples=["Main Building"])
    time_zone: TimeZone | None = Field(
        default=None,
        description="IANA time zone; it stays as it is once there are slots or schedules.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    policy: BookingPolicy | None = Field(
        default=None, description="What holds here instead of the hospital's policy.", json_schema_extra=NOT_IN_EXAMPLE
    )
    holidays: HolidaysOf | None = Field(
        default=None, description="Whose public holidays schedules leave out here (ISO 3166).", examples=["DE-BE"]
    )

    @field_validator("name", "time_zone")
    @classmethod
    def _there(cls, value: str | None) -> str | None:
        if value is None:
            raise PydanticCustomError("null", "cannot be taken away")
        return value


class RoomCreate(RequestShape):
    """A room to be known."""

    slug: Slug = Field(description="Stable name, unique at its location.", examples=["room-3"])
    name: Name = Field(description="Name for people.", examples=["Room 3"])


class RoomPublic(Named):
    """A room of a location: it holds one consultation at a time."""

    slug: Slug = Field(description="Stable name, unique at its location.", examples=["room-3"])
    name: str = Field(description="Name for people.", examples=["Room 3"])


class LocationPublic(Named):
    """A place where consultations happen."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["main-building"])
    name: str = Field(description="Name for people.", examples=["Main Building"])
    time_zone: str = Field(description="IANA time zone.", examples=["Europe/Berlin"])
    policy: BookingPolicyPublic | MISSING = Field(
        default=MISSING, description="What holds here instead of the hospital's policy."
    )
    holidays: str | MISSING = Field(
        default=MISSING,
        description="Whose public holidays schedules leave out here (ISO 3166); absent: none.",
        examples=["DE-BE"],
    )
    version: int = Field(description="Rises with each change by an admin.", examples=[1])
