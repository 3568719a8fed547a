"""What is sent and read about consultations."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    MISSING,
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.consultations.reasons import CancellationReason
from app.consultations.tables import MAX_SEATS, SlotMode, SlotStatus
from app.core.shapes import NOT_IN_EXAMPLE, Instant, Line, Named, RequestShape, ResponseShape, Slug, Text, TimeZone

_STARTS, _ENDS = "2027-01-12T09:00:00Z", "2027-01-12T09:30:00Z"
_SLOT_ID = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"


def _email(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        # The library's own sentence repeats parts of the address.
        raise PydanticCustomError("email", "is not an e-mail address") from None


def _whole(value: Any) -> Any:
    # JSON has one kind of number: 1.0 is as whole as 1. A text or a truth value is none.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("int_type", "must be a whole number")
    return value


def _uuid_as_text(value: Any) -> Any:
    # One way to write it: Pydantic would take it in braces, as a URN and without hyphens too.
    if isinstance(value, str) and len(value) != len(_SLOT_ID):
        raise PydanticCustomError("uuid_parsing", "is not a UUID")
    return value


Minutes = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=60 * 24 * 365)]
Name = Annotated[str, Line(200)]
OverrideReason = Annotated[str, Line(500)]
Email = Annotated[
    str,
    StringConstraints(max_length=254),
    AfterValidator(_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254}),
]
Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]


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
    max_reschedules: Annotated[int, BeforeValidator(_whole)] | None = Field(
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


class LocationPublic(Named):
    """A place where consultations happen."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["main-building"])
    name: str = Field(description="Name for people.", examples=["Main Building"])
    time_zone: str = Field(description="IANA time zone.", examples=["Europe/Berlin"])
    policy: BookingPolicyPublic | MISSING = Field(
        default=MISSING, description="What holds here instead of the hospital's policy."
    )


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
    capacity: Annotated[int, BeforeValidator(_whole)] = Field(
        ge=1, le=MAX_SEATS, description="Number of seats.", examples=[1]
    )
    clinician: Slug | None = Field(default=None, description="Slug of the clinician.", json_schema_extra=NOT_IN_EXAMPLE)
    location: Slug | None = Field(default=None, description="Slug of the location.", json_schema_extra=NOT_IN_EXAMPLE)
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


class SlotCancellation(RequestShape):
    """Why a slot is cancelled."""

    reason: CancellationReason = Field(
        default=CancellationReason.PROVIDER,
        description="Why, as a code of FHIR's appointment-cancellation-reason; its bookings are cancelled with it.",
        examples=["prov-hosp"],
    )


class PatientCreate(RequestShape):
    """The patient, with at least one way to be reached."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [way], "properties": {way: {"type": "string"}}} for way in ("email", "phone")]
        }
    )

    name: Name = Field(description="Name, up to 200 characters.", examples=["Sam Sample"])
    email: Email | None = Field(default=None, description="E-mail address.", examples=["sam.sample@example.com"])
    phone: Phone | None = Field(default=None, description="Phone number (E.164).", examples=["+4930901820"])

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.email is None and self.phone is None:
            raise PydanticCustomError("contact_missing", "needs an email or a phone")
        return self


class ConsentCreate(RequestShape):
    """What the patient agreed to."""

    text_version: Annotated[str, Line(50)] = Field(
        description="Version of the text that was shown.", examples=["2026-11"]
    )


class ConfirmationCreate(RequestShape):
    """Who comes, and what the patient agreed to."""

    patient: PatientCreate = Field(description="Who comes.")
    reason: Annotated[str, Text(2_000)] | None = Field(
        default=None, description="In the patient's words, up to 2,000 characters.", examples=["Second opinion."]
    )
    consent: ConsentCreate = Field(description="What the patient agreed to.")


class ConsultationBookingCreate(RequestShape):
    """A seat to be booked for a patient, or, without `patient`, to be held for some minutes."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {
                    "title": "Booked at once",
                    "required": ["patient", "consent"],
                    "properties": {name: {"type": "object"} for name in ("patient", "consent")},
                },
                {
                    "title": "Held",
                    "properties": {name: {"type": "null"} for name in ("patient", "consent", "reason")},
                },
            ]
        }
    )

    slot_id: UUID = Field(description="The slot.", examples=[_SLOT_ID])
    condition: Slug | None = Field(
        default=None,
        description="What the consultation is about. Absent: the slot's condition.",
        examples=["acute-lymphoblastic-leukemia"],
    )
    patient: PatientCreate | None = Field(default=None, description="Who comes. Absent: the seat is held.")
    reason: Annotated[str, Text(2_000)] | None = Field(
        default=None, description="In the patient's words, up to 2,000 characters.", examples=["Second opinion."]
    )
    consent: ConsentCreate | None = Field(
        default=None, description="What the patient agreed to; required with `patient`."
    )
    override_reason: OverrideReason | None = Field(
        default=None,
        description="Staff with the scope `bookings:override` book within the notice that patients are to give.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )

    @field_validator("slot_id", mode="before")
    @classmethod
    def _id_as_text(cls, value: Any) -> Any:
        return _uuid_as_text(value)

    @model_validator(mode="after")
    def _whole_or_held(self) -> Self:
        if self.patient is not None and self.consent is None:
            raise PydanticCustomError("consent_missing", "needs a consent beside the patient")
        if self.patient is None and (self.consent is not None or self.reason is not None):
            raise PydanticCustomError("patient_missing", "needs a patient beside a consent or a reason")
        return self


class CancellationCreate(RequestShape):
    """Why a booking is cancelled."""

    reason: CancellationReason | None = Field(
        default=None,
        description="A code of FHIR's appointment-cancellation-reason. Absent: `pat` from the booking's holder, `prov` "
        "from staff.",
        examples=["pat-fb"],
    )
    note: Annotated[str, Text(2_000)] | None = Field(
        default=None, description="More about it; kept encrypted.", examples=["Will call again in spring."]
    )


class RescheduleCreate(RequestShape):
    """Where a booking is to be moved."""

    slot_id: UUID = Field(description="The new slot.", examples=[_SLOT_ID])
    override_reason: OverrideReason | None = Field(
        default=None,
        description="Staff with the scope `bookings:override` go past the policy with it; kept encrypted.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )

    @field_validator("slot_id", mode="before")
    @classmethod
    def _id_as_text(cls, value: Any) -> Any:
        return _uuid_as_text(value)


class PatientPublic(ResponseShape):
    """The patient."""

    name: str = Field(description="Name.", examples=["Sam Sample"])
    email: str | MISSING = Field(default=MISSING, description="E-mail address.", examples=["sam.sample@example.com"])
    phone: str | MISSING = Field(default=MISSING, description="Phone number (E.164).", examples=["+4930901820"])


class PatientNamePublic(ResponseShape):
    """The patient's name."""

    name: str = Field(description="Name.", examples=["Sam Sample"])


class NotePublic(ResponseShape):
    """What somebody wrote about a booking."""

    version: int = Field(description="The booking's version that it belongs to.", examples=[2])
    kind: str = Field(description="`cancellation` or `override`.", examples=["cancellation"])
    text: str = Field(description="The words.", examples=["Will call again in spring."])
