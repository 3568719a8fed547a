"""What posting and booking can be refused for."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import Refusal


class SlotNotFound(Refusal):
    """There is no consultation slot with this id."""

    status = 404


class ClinicianNotFound(Refusal):
    """There is no clinician with this slug."""

    status = 404


class LocationNotFound(Refusal):
    """There is no location with this slug."""

    status = 404


class ScheduleNotFound(Refusal):
    """There is no schedule with this id."""

    status = 404


class ScheduleEnded(Refusal):
    """The schedule has ended, which is for good. Make another one."""

    status = 409


class PlanNotFound(Refusal):
    """There is no plan with this id."""

    status = 404


class PlanStale(Refusal):
    """Something that the plan rests on has changed since it was made. Nothing was done.

    A slot, one of its bookings, a seat that it proposes, or what is in the way at a new time. Make a new plan, which
    shows what it would mean now.
    """

    status = 409


class PlanExpired(Refusal):
    """The plan was not applied in time. Nothing was done. Make a new one, which shows what it would mean now."""

    status = 409


class AbsenceNotFound(Refusal):
    """There is no absence with this id."""

    status = 404


class CalendarFeedNotFound(Refusal):
    """There is no such calendar feed, or it was revoked."""

    status = 404


class LocationInUse(Refusal):
    """The location has slots or schedules, whose times are read in its time zone: it stays as it is."""

    status = 409


class BookingNotFound(Refusal):
    """No booking answers to this reference and credential."""

    status = 404


class SlugTaken(Refusal):
    """Another one has this slug already."""

    status = 409
    constraints = ("uq_clinicians_slug", "uq_locations_slug", "uq_rooms_slug")


class ExternalIdTaken(Refusal):
    """Another slot has this `external_id` already."""

    status = 409
    constraints = ("uq_consultation_slots_external_id",)


class SlotOverlaps(Refusal):
    """The clinician or the room has another slot in this time. Slots may touch, but not overlap.

    Where they are to overlap all the same, say so with `allow_overlap`.
    """

    status = 409
    constraints = ("ex_consultation_slots_clinician_overlap", "ex_consultation_slots_room_overlap")


class SlotBooked(Refusal):
    """The slot has live bookings: when, where, with whom and for what it is stays, and so do the seats that are taken.

    A plan changes that, and what becomes of the bookings.
    """

    status = 409
    constraints = ("ck_consultation_slots_seats_in_use",)


class SlotBegun(Refusal):
    """The consultation has begun or is over. What was offered stays on the record."""

    status = 409


class BatchRefused(Refusal):
    """Nothing was written, because some of the slots are refused; `results` names each of those.

    Mend them and send all of it again, or send it with `mode=partial`.
    """

    status = 422
    members = {  # noqa: RUF012 - the base class declares it a class variable
        "refused": {"type": "integer", "description": "How many slots are refused.", "examples": [1]},
        "results": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/BatchResult"},
            "description": "The refused ones, in the order of the rows.",
            "examples": [[]],
        },
    }


class SlotTaken(Refusal):
    """This slot has no seat to give.

    `reason` says why: `taken` (every seat is booked), `held` (somebody may still let go of one), `closed`, `cancelled`,
    or `past` (it has begun, or begins sooner than the notice that is needed). `alternatives` are up to five slots that
    could be booked for the same condition a moment ago.
    """

    status = 409
    constraints = (
        "uq_consultation_bookings_seat_live",
        "ck_consultation_bookings_slot_open",
        "ck_consultation_bookings_seat",
    )
    members = {  # noqa: RUF012 - the base class declares it a class variable
        "reason": {
            "type": "string",
            "enum": ["taken", "held", "closed", "cancelled", "past"],
            "description": "Why there is no seat.",
            "examples": ["taken"],
        },
        "alternatives": {
            "type": "array",
            "maxItems": 5,
            "items": {"$ref": "#/components/schemas/ConsultationSlotPublic"},
            "description": "Slots for the same condition that can be booked now, soonest first.",
            "examples": [[]],
        },
    }

    def __init__(self, reason: str = "taken", *, wanted: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason=reason, alternatives=[])
        # What alternatives are looked for: `refused_ids`, `condition_id`, `category_id`. Not part of the answer.
        self.wanted = wanted


class SlotNotForCondition(Refusal):
    """This slot is offered for another condition."""

    status = 409


class BookingEnded(Refusal):
    """The booking has ended, or is not in a state in which this can be done with it."""

    status = 409
    constraints = ("ck_consultation_bookings_transition",)


class BookingConfirmed(Refusal):
    """The booking was confirmed before, with other words. What it was confirmed with stands."""

    status = 409


class HoldExpired(Refusal):
    """The hold was not confirmed in time, and the seat may be another's by now. Book again."""

    status = 409


class TooManyHolds(Refusal):
    """You hold as many seats as one may hold. Confirm or cancel one, or wait until one expires."""

    status = 429
    headers = ("Retry-After",)


class DeadlinePassed(Refusal):
    """It is too late for this: see the booking's `cancel_until` and `reschedule_until`.

    Staff with the scope `bookings:override` may reschedule all the same, with an `override_reason`.
    """

    status = 409


class ReschedulesUsedUp(Refusal):
    """The booking was rescheduled as often as one may.

    Staff with the scope `bookings:override` may reschedule all the same, with an `override_reason`.
    """

    status = 409


class NotBegun(Refusal):
    """The consultation has not begun."""

    status = 409


class SlotCancelled(Refusal):
    """The slot is cancelled, which is for good."""

    status = 409
    constraints = ("ck_consultation_slots_transition",)
