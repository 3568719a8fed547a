"""What is read about plans: closing, moving and cancelling slots, one or many."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import MISSING, Field

from app.consultations.plan_wishes import BookedFate
from app.consultations.schedule_tables import PlanAction
from app.consultations.tables import BookingState, SlotStatus
from app.core.ids import REFERENCE_PATTERN
from app.core.shapes import NOT_IN_EXAMPLE, ResponseShape

_SLOT_ID, _OTHER_ID = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79", "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a80"
_BOOKING_ID: Final = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a81"
_STARTS, _LATER = "2027-01-12T09:00:00Z", "2027-01-13T09:00:00Z"


class Becomes(StrEnum):
    """What becomes of a slot."""

    CLOSED = "closed"
    MOVED = "moved"
    CANCELLED = "cancelled"
    UNCHANGED = "unchanged"


class Then(StrEnum):
    """What becomes of a booking."""

    STAYS = "stays"
    MOVED = "moved"
    OFFERED = "offered"
    CANCELLED = "cancelled"


class Obstacle(StrEnum):
    """Why something cannot be done as it was asked for."""

    BEGUN = "begun"
    SLOT_CANCELLED = "slot_cancelled"
    IN_THE_PAST = "in_the_past"
    CLOCK_CHANGE = "clock_change"
    OVERLAP = "overlap"
    ALREADY_THERE = "already_there"
    NOWHERE_TO_GO = "nowhere_to_go"


class Place(ResponseShape):
    """A slot to go to."""

    slot_id: UUID = Field(description="The slot's id.", examples=[_OTHER_ID])
    starts_at: datetime = Field(description="Its begin, UTC.", examples=[_LATER])


class PlannedBooking(ResponseShape):
    """A live booking of a slot of the plan."""

    id: UUID = Field(description="The booking's id, as events name it.", examples=[_BOOKING_ID])
    reference: str = Field(description="Its reference.", pattern=REFERENCE_PATTERN, examples=["7K3M9-QRT2N"])
    state: BookingState = Field(description="`held` or `booked`.", examples=["booked"])
    version: int = Field(description="Its version.", examples=[1])
    then: Then = Field(description="What becomes of it.", examples=["offered"])
    target: Place | MISSING = Field(
        default=MISSING, description="Where it could go: this seat is proposed to no other booking of the plan."
    )
    alternatives: list[Place] | MISSING = Field(
        default=MISSING,
        description="Where it could go as well: up to three slots with seats that are proposed to nobody else.",
    )


class PlannedSlot(ResponseShape):
    """A slot of the plan."""

    id: UUID = Field(description="The slot's id.", examples=[_SLOT_ID])
    version: int = Field(description="Its version.", examples=[1])
    status: SlotStatus = Field(description="Its status.", examples=["open"])
    starts_at: datetime = Field(description="Its begin, UTC.", examples=[_STARTS])
    becomes: Becomes = Field(description="What becomes of it.", examples=["closed"])
    to_cancel: bool = Field(
        description="It is to be cancelled once its bookings have left it: until then it is closed.", examples=[False]
    )
    moved_to: Place | MISSING = Field(
        default=MISSING,
        description="Where it is moved: a slot of another id where bookings go along or are offered it.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    obstacles: list[Obstacle] = Field(
        description="What cannot be done, or need not: `already_there`, where it is to be moved to what it has. "
        "`nowhere_to_go`: a booking finds no slot, and stays. With any other one, the "
        "slot and its bookings stay as they are.",
        examples=[[]],
    )
    bookings: list[PlannedBooking] = Field(description="Its live bookings.")


class PlanTotals(ResponseShape):
    """How many of each."""

    slots: int = Field(description="Slots of the plan.", examples=[1])
    slots_closed: int = Field(description="That are closed.", examples=[1])
    slots_moved: int = Field(description="That are moved.", examples=[0])
    slots_cancelled: int = Field(description="That are cancelled.", examples=[0])
    slots_unchanged: int = Field(description="That stay as they are.", examples=[0])
    slots_to_cancel: int = Field(description="Of the closed ones: to be cancelled later.", examples=[0])
    bookings: int = Field(description="Live bookings of these slots, holds included.", examples=[1])
    bookings_moved: int = Field(description="That are booked over.", examples=[0])
    bookings_offered: int = Field(description="That are offered other slots.", examples=[1])
    bookings_cancelled: int = Field(description="That are cancelled, holds included.", examples=[0])
    bookings_staying: int = Field(description="That stay as they are.", examples=[0])


class SlotPlanApplied(ResponseShape):
    """What was done."""

    plan_id: UUID = Field(description="The plan.", examples=[_SLOT_ID])
    applied_at: datetime = Field(description="When, UTC.", examples=["2026-11-24T09:05:00Z"])
    totals: PlanTotals = Field(description="How many of each.")
    to_cancel: list[UUID] = Field(
        description="Slots that are closed and still to be cancelled, once their bookings have left them.",
        examples=[[]],
    )


class SlotPlanPublic(ResponseShape):
    """What closing, moving or cancelling slots would mean."""

    id: UUID = Field(description="The plan's id.", examples=[_SLOT_ID])
    action: PlanAction = Field(description="What is done with the slots.", examples=["close"])
    bookings: BookedFate = Field(description="What is done with their bookings.", examples=["offer"])
    created_at: datetime = Field(description="When it was made, UTC.", examples=["2026-11-24T09:00:00Z"])
    expires_at: datetime = Field(
        description="It can be applied before this moment, UTC.", examples=["2026-11-24T09:15:00Z"]
    )
    totals: PlanTotals = Field(description="How many of each.")
    slots: list[PlannedSlot] = Field(description="Each slot, soonest first.")
    applied: SlotPlanApplied | MISSING = Field(
        default=MISSING, description="What was done when it was applied.", json_schema_extra=NOT_IN_EXAMPLE
    )
