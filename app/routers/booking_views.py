"""Bookings as their readers see them: never more of a patient than the reader may know."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import MISSING, Field

from app.consultations import slot_answers
from app.consultations.booking_shapes import NotePublic, PatientNamePublic, PatientPublic
from app.consultations.bookings import Booking
from app.consultations.policies import BookingAction, Policy
from app.consultations.reasons import CancellationReason
from app.consultations.slot_shapes import BookedSlot
from app.consultations.tables import BookingState
from app.content.shapes import WhatToBringPublic
from app.core.ids import REFERENCE_PATTERN
from app.core.shapes import NOT_IN_EXAMPLE, ListShape, Named, ResponseShape, Slug


class BookedCondition(Named):
    """What a booked consultation is about."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["acute-lymphoblastic-leukemia"])
    name: str = Field(description="Name for people.", examples=["Acute Lymphoblastic Leukemia"])
    what_to_bring: WhatToBringPublic | MISSING = Field(
        default=MISSING, description="What its page said to bring when the consultation was booked."
    )
    page_revision: int | MISSING = Field(
        default=MISSING, description="The revision of the page that said so.", examples=[1]
    )


class ConsultationBookingPublic(ResponseShape):
    """A claim on a seat, without who claims it."""

    reference: str = Field(
        description="What to say on the phone. Not a secret.", pattern=REFERENCE_PATTERN, examples=["7K3M9-QRT2N"]
    )
    state: BookingState = Field(description="Where it is in its life.", examples=["booked"])
    hold_expires_at: datetime | MISSING = Field(
        default=MISSING,
        description="A hold that is not confirmed before this instant (UTC) is no more.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    slot: BookedSlot = Field(description="When and how.")
    condition: BookedCondition | MISSING = Field(default=MISSING, description="What it is about.")
    allowed_actions: list[BookingAction] = Field(
        description="What you can do with it now: each is an address below the booking's.",
        examples=[["cancel", "reschedule"]],
    )
    cancel_until: datetime = Field(
        description="Until when its holder can cancel it once it is booked, UTC.", examples=["2027-01-12T09:00:00Z"]
    )
    reschedule_until: datetime = Field(
        description="Until when it can be rescheduled, UTC.", examples=["2027-01-12T09:00:00Z"]
    )
    reschedule_count: int = Field(description="How often it was rescheduled.", examples=[0])
    reschedules_left: int = Field(description="How often it can be rescheduled from now on.", examples=[3])
    cancellation_reason: CancellationReason | MISSING = Field(
        default=MISSING,
        description="Why it was cancelled: a code of FHIR's appointment-cancellation-reason.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    created_at: datetime = Field(description="When it was made, UTC.", examples=["2026-11-23T09:00:00Z"])
    version: int = Field(description="Rises with each change.", examples=[1])


class ConsultationBookingCreated(ConsultationBookingPublic):
    """A new booking, with the token that proves whose it is."""

    token: str = Field(
        description="Keep it: `Authorization: Bearer <token>` is the only way to this booking. It is shown here only.",
        examples=["cp_booking_Zm9yLWlsbHVzdHJhdGlvbi1vbmx5LW5vdC1yZWFsISE"],
    )


class ConsultationBookingDetail(ConsultationBookingPublic):
    """A booking with its patient, for its holder and for staff."""

    patient: PatientPublic | MISSING = Field(
        default=MISSING, description="Who comes; absent while it is held, and once it was erased."
    )
    reason: str | MISSING = Field(default=MISSING, description="In the patient's words.", examples=["Second opinion."])
    notes: list[NotePublic] | MISSING = Field(
        default=MISSING,
        description="What was written about it; its holder sees the holder's own.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    offers: list[BookedSlot] | MISSING = Field(
        default=MISSING,
        description="Slots that the hospital offers instead: it can be rescheduled to any of them, also past "
        "`reschedule_until` and with no `reschedules_left`. Absent where there are none.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )


class ConsultationBookingSummary(ConsultationBookingPublic):
    """A booking in a list for staff."""

    patient: PatientNamePublic | MISSING = Field(
        default=MISSING, description="Who comes; absent while it is held, and once it was erased."
    )


class ConsultationBookingList(ListShape):
    """One page of a list of bookings."""

    items: list[ConsultationBookingSummary] = Field(description="Bookings, newest first.")


def described(booking: Booking, policy: Policy, *, staff: bool, may_act: bool = True) -> dict[str, Any]:
    """What every view of a booking tells, for its holder or for staff, who may be there to look only."""
    allowance = booking.allowance(policy)
    return {
        "reference": booking.reference,
        "state": booking.state,
        "hold_expires_at": booking.hold_expires_at or MISSING,
        "slot": slot_answers.booked(booking.slot),
        "condition": _condition(booking),
        "allowed_actions": allowance.actions(
            booking.state, now=booking.now, starts_at=booking.slot.starts_at, staff=staff
        )
        if may_act
        else [],
        "cancel_until": allowance.cancel_until,
        "reschedule_until": allowance.reschedule_until,
        "reschedule_count": booking.reschedule_count,
        "reschedules_left": allowance.reschedules_left,
        "cancellation_reason": booking.cancellation_reason or MISSING,
        "created_at": booking.created_at,
        "version": booking.version,
    }


def detail(
    booking: Booking,
    told: Mapping[str, Any],
    policy: Policy,
    *,
    staff: bool,
    may_act: bool,
    reader: str,
    offers: Sequence[BookedSlot] = (),
) -> ConsultationBookingDetail:
    """A booking with what its patient told; notes of others are for staff."""
    notes = [note for note in told.get("notes", ()) if staff or note["by"] == reader]
    said = described(booking, policy, staff=staff, may_act=may_act)
    if offers and may_act and BookingAction.RESCHEDULE not in said["allowed_actions"]:
        said["allowed_actions"] = [*said["allowed_actions"], BookingAction.RESCHEDULE]
    return ConsultationBookingDetail(
        **said,
        offers=list(offers) or MISSING,
        patient=PatientPublic(**{name: told[name] for name in ("name", "email", "phone") if name in told})
        if "name" in told
        else MISSING,
        reason=told.get("reason", MISSING),
        notes=[NotePublic(version=note["version"], kind=note["kind"], text=note["text"]) for note in notes] or MISSING,
    )


def summary(booking: Booking, told: Mapping[str, Any], policy: Policy, *, may_act: bool) -> ConsultationBookingSummary:
    """A booking in a list for staff."""
    name = told.get("name")
    return ConsultationBookingSummary(
        **described(booking, policy, staff=True, may_act=may_act),
        patient=PatientNamePublic(name=name) if name else MISSING,
    )


def _condition(booking: Booking) -> "BookedCondition | MISSING":
    topic = booking.topic
    if topic is None:
        return MISSING
    return BookedCondition(
        slug=topic.slug,
        name=topic.name,
        what_to_bring=MISSING if topic.what_to_bring is None else WhatToBringPublic(**topic.what_to_bring),
        page_revision=MISSING if topic.page_revision is None else topic.page_revision,
    )
