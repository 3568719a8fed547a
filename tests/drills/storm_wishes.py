"""What the processes of a storm ask for, and what they may be answered."""

import hashlib
from datetime import timedelta
from random import Random
from uuid import UUID

from app.consultations.booking_shapes import ConfirmationCreate, ConsultationBookingCreate
from app.consultations.slot_shapes import ConsultationSlotCreate
from app.core import clock
from tests.wishes import confirmation

CLINICIANS = ("storm-1", "storm-2")
CONDITION = "acute-lymphoblastic-leukemia"
CONFIRMATION = ConfirmationCreate.model_validate(confirmation())
WEIGHTS = {
    "book": 20, "hold": 20, "confirm": 15, "cancel": 17, "reschedule": 12, "repeat": 5, "expire": 3, "mark": 3,
    "close slot": 1.5, "open slot": 2, "cancel slot": 1,
}  # fmt: skip
_NO_SEAT = {"slot-taken", "idempotency-key-reused", "request-in-progress"}
# What each kind of attempt may be refused with; whatever else comes back breaks a promise.
REFUSALS: dict[str, set[str]] = {
    "book": _NO_SEAT,
    "hold": _NO_SEAT,
    "repeat": _NO_SEAT,
    "confirm": {"hold-expired", "booking-ended"},
    "cancel": {"booking-ended", "deadline-passed"},
    "reschedule": {"slot-taken", "booking-ended", "deadline-passed", "reschedules-used-up"},
    "mark": {"booking-ended", "not-begun"},
    # A slot that begins in a moment may have begun by the time it is posted.
    "post slot": {"slot-overlaps", "invalid-input"},
    "close slot": {"slot-cancelled"},
    "open slot": {"slot-cancelled"},
    "cancel slot": set(),
    "expire": set(),
    "look": set(),
}
# "Try again in a moment", as a server may say under load; it is counted.
BUSY = "unavailable"


def slot_wish(chance: Random) -> ConsultationSlotCreate:
    """A slot with few seats that begins within seconds and is over soon after."""
    starts_at = clock.now() + timedelta(seconds=chance.uniform(0.3, 12))
    return ConsultationSlotCreate.model_validate(
        {
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + timedelta(seconds=chance.uniform(0.5, 3))).isoformat(),
            "time_zone": "UTC",
            "mode": "phone",
            "capacity": chance.choice((1, 1, 2, 3)),
            "clinician": chance.choice((None, *CLINICIANS)),
            "condition": chance.choice((None, CONDITION)),
        }
    )


def wish_for(slot_id: UUID, *, is_hold: bool) -> ConsultationBookingCreate:
    """What is sent for this slot: always the same, so that it can be sent again."""
    told = {} if is_hold else confirmation()
    return ConsultationBookingCreate.model_validate({"slot_id": str(slot_id)} | told)


def digest(body: bytes) -> str:
    """A short name of an answer's bytes."""
    return hashlib.blake2b(body, digest_size=8).hexdigest()
