"""What is sent and read about who is consulted, and where."""

from typing import Annotated

from pydantic import MISSING, Field

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
