"""What is sent and read about the data that is held on a person."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import MISSING, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.consultations.booking_shapes import Email, NotePublic, PatientPublic, Phone
from app.consultations.reasons import CancellationReason
from app.consultations.slot_shapes import BookedSlot
from app.consultations.tables import BookingState
from app.core.ids import REFERENCE_PATTERN
from app.core.shapes import NOT_IN_EXAMPLE, RequestShape, ResponseShape, Slug

_AT = "2026-11-23T09:00:00Z"
_RECEIPT = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"


class PrivacyRequest(RequestShape):
    """Whose data: one way that the person could be reached."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [way], "properties": {way: {"type": "string"}}} for way in ("email", "phone")]
        }
    )

    email: Email | None = Field(
        default=None, description="E-mail address, in any spelling.", examples=["sam.sample@example.com"]
    )
    phone: Phone | None = Field(
        default=None, description="Phone number (E.164), instead of `email`.", json_schema_extra=NOT_IN_EXAMPLE
    )

    @model_validator(mode="after")
    def _one_contact(self) -> Self:
        if (self.email is None) == (self.phone is None):
            raise PydanticCustomError("one_contact", "needs an email or a phone, and not both")
        return self


class WhatToBringTold(ResponseShape):
    """What the patient was told to bring."""

    text: str = Field(description="The sentence as written.", examples=["CBC, peripheral smear."])
    items: list[str] = Field(description="The same, one by one.", examples=[["CBC", "peripheral smear"]])


class NoteExported(NotePublic):
    """What somebody wrote about a booking, with who did."""

    by: str = Field(description="Who wrote it.", examples=["booking_holder"])


class EventExported(ResponseShape):
    """One step of the booking's life."""

    version: int = Field(description="The booking's version after it.", examples=[1])
    from_state: BookingState | MISSING = Field(
        default=MISSING, description="The state before; absent when it was made.", json_schema_extra=NOT_IN_EXAMPLE
    )
    to_state: BookingState = Field(description="The state after.", examples=["booked"])
    actor: str = Field(description="Who did it.", examples=["anonymous"])
    at: datetime = Field(description="When, UTC.", examples=[_AT])
    reason: CancellationReason | MISSING = Field(
        default=MISSING, description="Why it was cancelled.", json_schema_extra=NOT_IN_EXAMPLE
    )
    previous_slot_id: UUID | MISSING = Field(
        default=MISSING, description="Where the booking was before it was moved.", json_schema_extra=NOT_IN_EXAMPLE
    )
    is_override: bool = Field(description="Whether staff went past the policy.", examples=[False])


class StoredAnswerExported(ResponseShape):
    """An answer that is kept, encrypted, in case the request is repeated. It holds the booking's token."""

    operation: str = Field(description="What was asked.", examples=["book_consultation"])
    expires_at: datetime = Field(description="When it is forgotten, UTC.", examples=[_AT])


class MessageExported(ResponseShape):
    """Something that was told, or will be, to other systems or to the patient. It holds ids only."""

    topic: str = Field(description="What it tells of.", examples=["booking.booked"])
    sequence: int = Field(description="The booking's version that it tells of.", examples=[1])
    not_before: datetime = Field(description="When it may be told, UTC.", examples=[_AT])
    delivered_at: datetime | MISSING = Field(
        default=MISSING, description="When it was told, UTC; absent until then.", examples=[_AT]
    )


class AuditEntryExported(ResponseShape):
    """Something that somebody did with the booking."""

    at: datetime = Field(description="When, UTC.", examples=[_AT])
    actor: str = Field(description="Who.", examples=["anonymous"])
    action: str = Field(description="What.", examples=["booking.booked"])
    outcome: str = Field(description="How it ended.", examples=["done"])
    fields: list[str] = Field(description="Names of what was changed or read.", examples=[["state"]])


class BookingExported(ResponseShape):
    """One booking, with all that is held about it."""

    reference: str = Field(description="Its reference.", pattern=REFERENCE_PATTERN, examples=["7K3M9-QRT2N"])
    state: BookingState = Field(description="Where it is in its life.", examples=["booked"])
    slot: BookedSlot = Field(description="When, how, and with whom.")
    condition: Slug | MISSING = Field(
        default=MISSING, description="What it is about.", examples=["acute-lymphoblastic-leukemia"]
    )
    what_to_bring: WhatToBringTold | MISSING = Field(default=MISSING, description="As the condition's page said it.")
    page_revision: int | MISSING = Field(
        default=MISSING, description="Which revision of the page said so.", examples=[1]
    )
    created_at: datetime = Field(description="When it was made, UTC.", examples=[_AT])
    version: int = Field(description="Rises with each change.", examples=[1])
    reschedule_count: int = Field(description="How often it was moved.", examples=[0])
    cancellation_reason: CancellationReason | MISSING = Field(
        default=MISSING, description="Why it was cancelled.", json_schema_extra=NOT_IN_EXAMPLE
    )
    patient: PatientPublic = Field(description="Who comes.")
    reason: str | MISSING = Field(default=MISSING, description="In the patient's words.", examples=["Second opinion."])
    notes: list[NoteExported] = Field(description="What was written about it, oldest first.")
    consent_text_version: str | MISSING = Field(
        default=MISSING, description="Version of the text that the patient agreed to.", examples=["2026-11"]
    )
    events: list[EventExported] = Field(description="Its life, oldest first.")
    stored_answers: list[StoredAnswerExported] = Field(description="Answers kept for repeated requests.")
    messages: list[MessageExported] = Field(description="What was told of it, oldest first.")
    audit_entries: list[AuditEntryExported] = Field(
        description="What was done with it, each look at the patient included, oldest first; without this export."
    )


class PrivacyExport(ResponseShape):
    """Everything that is held about the bookings of one person."""

    receipt: UUID = Field(description="The export's id, as the audit trail has it.", examples=[_RECEIPT])
    exported_at: datetime = Field(description="When, UTC.", examples=[_AT])
    bookings: list[BookingExported] = Field(description="The person's bookings, oldest first.")


class ErasureReceipt(ResponseShape):
    """What was erased for good."""

    receipt: UUID = Field(
        description="The erasure's id; it is kept, with the ids of the bookings.", examples=[_RECEIPT]
    )
    erased_at: datetime = Field(description="When, UTC.", examples=[_AT])
    bookings: int = Field(description="Bookings whose patient is no longer known.", examples=[2])
    cancelled: int = Field(description="Those of them that were still to come, and were cancelled.", examples=[1])
    files_clean: bool = Field(
        description="Whether its sealed bytes are gone from the database's files, too. Where somebody was reading for "
        "long, they go with the next purge, within the hour.",
        examples=[True],
    )
