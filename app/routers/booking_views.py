"""Bookings as their readers see them: a booking joined with its slot, and with its condition's page."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import MISSING, Field
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations import slots
from app.consultations.bookings import Booking
from app.consultations.shapes import ConsultationSlotPublic, PatientNamePublic, PatientPublic
from app.consultations.tables import BookingState
from app.content import conditions
from app.content.shapes import WhatToBringPublic
from app.core.ids import REFERENCE_PATTERN
from app.core.shapes import ListShape, Named, ResponseShape, Slug


class BookedCondition(Named):
    """What a booked consultation is about."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["acute-lymphoblastic-leukemia"])
    name: str = Field(description="Name for people.", examples=["Acute Lymphoblastic Leukemia"])
    what_to_bring: WhatToBringPublic = Field(description="What its page says to bring.")


class ConsultationBookingPublic(ResponseShape):
    """A claim on a seat, without who claims it."""

    reference: str = Field(
        description="What to say on the phone. Not a secret.", pattern=REFERENCE_PATTERN, examples=["7K3M9-QRT2N"]
    )
    state: BookingState = Field(description="Where it is in its life.", examples=["booked"])
    slot: ConsultationSlotPublic = Field(description="When and how.")
    condition: BookedCondition | MISSING = Field(default=MISSING, description="What it is about.")
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

    patient: PatientPublic = Field(description="Who comes.")
    reason: str | MISSING = Field(default=MISSING, description="In the patient's words.", examples=["Second opinion."])


class ConsultationBookingSummary(ConsultationBookingPublic):
    """A booking in a list for staff."""

    patient: PatientNamePublic = Field(description="Who comes.")


class ConsultationBookingList(ListShape):
    """One page of a list of bookings."""

    items: list[ConsultationBookingSummary] = Field(description="Bookings, newest first.")


async def public_views(session: AsyncSession, bookings: Sequence[Booking]) -> list[ConsultationBookingPublic]:
    """These bookings without their patients, in the same order."""
    found_slots = await slots.get_many(session, {booking.slot_id for booking in bookings})
    topics = await conditions.refer_to(session, {b.condition_id for b in bookings if b.condition_id is not None})
    return [
        ConsultationBookingPublic(
            reference=booking.reference,
            state=booking.state,
            slot=found_slots[booking.slot_id],
            condition=_condition(topics.get(booking.condition_id) if booking.condition_id else None),
            created_at=booking.created_at,
            version=booking.version,
        )
        for booking in bookings
    ]


async def public_view(session: AsyncSession, booking: Booking) -> ConsultationBookingPublic:
    """One booking without its patient."""
    return (await public_views(session, [booking]))[0]


def _condition(topic: conditions.ConditionReference | None) -> "BookedCondition | MISSING":
    if topic is None:
        return MISSING
    return BookedCondition(slug=topic.slug, name=topic.name, what_to_bring=topic.what_to_bring)
