"""What is sent and read about bookings."""

from typing import Annotated, Any, Self
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    MISSING,
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.consultations.reasons import CancellationReason
from app.core.shapes import NOT_IN_EXAMPLE, Line, RequestShape, ResponseShape, Slug, Text

_STARTS, _ENDS = "2027-01-12T09:00:00Z", "2027-01-12T09:30:00Z"
_SLOT_ID = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"


def _email(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        # The library's own sentence repeats parts of the address.
        raise PydanticCustomError("email", "is not an e-mail address") from None


def _uuid_as_text(value: Any) -> Any:
    # One way to write it: Pydantic would take it in braces, as a URN and without hyphens too.
    if isinstance(value, str) and len(value) != len(_SLOT_ID):
        raise PydanticCustomError("uuid_parsing", "is not a UUID")
    return value


OverrideReason = Annotated[str, Line(500)]
Email = Annotated[
    str,
    StringConstraints(max_length=254),
    AfterValidator(_email),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254}),
]
Phone = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]


class PatientCreate(RequestShape):
    """The patient, with at least one way to be reached."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [way], "properties": {way: {"type": "string"}}} for way in ("email", "phone")]
        }
    )

    name: Annotated[str, Line(200)] = Field(description="Name, up to 200 characters.", examples=["Sam Sample"])
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
