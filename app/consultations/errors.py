"""What posting and booking can be refused for."""

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


class BookingNotFound(Refusal):
    """No booking answers to this reference and credential."""

    status = 404


class SlugTaken(Refusal):
    """Another one has this slug already."""

    status = 409
    constraints = ("uq_clinicians_slug", "uq_locations_slug")


class ExternalIdTaken(Refusal):
    """Another slot has this `external_id` already."""

    status = 409
    constraints = ("uq_consultation_slots_external_id",)


class SlotOverlaps(Refusal):
    """The clinician has another slot in this time. Slots may touch, but not overlap."""

    status = 409
    constraints = ("ex_consultation_slots_clinician_overlap",)


class SlotTaken(Refusal):
    """This slot has no seat to give.

    `reason` says why: `taken` (every seat is booked), `closed`, `cancelled`, or `past` (it has begun).
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
            "enum": ["taken", "closed", "cancelled", "past"],
            "description": "Why there is no seat.",
            "examples": ["taken"],
        }
    }

    def __init__(self, reason: str = "taken") -> None:
        super().__init__(reason=reason)


class SlotNotForCondition(Refusal):
    """This slot is offered for another condition."""

    status = 409


class BookingEnded(Refusal):
    """The booking has ended; this can no longer be done with it."""

    status = 409
    constraints = ("ck_consultation_bookings_transition",)
