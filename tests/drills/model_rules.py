"""What bookings are, in plain Python: no database, no locks, no HTTP; one minute after another.

Slots begin half a minute past, holds end half a minute past: nothing ever happens in the very minute that decides.
"""

from dataclasses import dataclass, field
from typing import Final

HOLD_MINUTES: Final = 4.5
KEY_MINUTES: Final = 72 * 60
LIVE: Final = ("held", "booked")
_SHUT: Final = ("closed", "cancelled", "past")


class Refused(Exception):
    """The answer is no: status, code and, for a seat, why."""


@dataclass
class Policy:
    """What a location allows, in minutes before the start."""

    min_notice: int
    cancel_until: int
    reschedule_until: int
    max_reschedules: int


@dataclass
class Slot:
    """A span of time."""

    id: str
    starts: float
    ends: float
    capacity: int
    clinician: str | None
    status: str = "open"
    version: int = 1


@dataclass
class Booking:
    """A claim on a seat."""

    reference: str
    token: str
    slot: Slot
    recorded: str
    hold_until: float
    # What was told of the visit's reason, once somebody has told who comes.
    words: str | None
    version: int = 1
    moves: int = 0


@dataclass
class Record:
    """A request that made something."""

    answer: bytes
    made_at: int


@dataclass
class World:
    """Everything, and the minute it is."""

    policy: Policy
    now: int = 0
    slots: list[Slot] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)
    records: dict[str, Record] = field(default_factory=dict)

    def state(self, booking: Booking) -> str:
        """Where the booking is in its life: a hold whose time is over is expired."""
        is_over = booking.recorded == "held" and self.now >= booking.hold_until
        return "expired" if is_over else booking.recorded

    def seats_free(self, slot: Slot) -> int:
        """Seats that can be booked now."""
        return 0 if self.why_not(slot, self.policy.min_notice) in _SHUT else slot.capacity - len(self.live(slot))

    def live(self, slot: Slot) -> list[Booking]:
        """The bookings that take the slot's seats."""
        return [booking for booking in self.bookings if booking.slot is slot and self.state(booking) in LIVE]

    def why_not(self, slot: Slot, notice: int) -> str | None:
        """Why the slot gives no seat; None when it does."""
        if slot.status != "open":
            return slot.status
        if slot.starts <= self.now + notice:
            return "past"
        live = self.live(slot)
        if len(live) < slot.capacity:
            return None
        return "held" if any(booking.recorded == "held" for booking in live) else "taken"

    def listed(self) -> list[tuple[str, int]]:
        """What is offered, soonest first: slots and their free seats."""
        free = [slot for slot in self.slots if self.seats_free(slot)]
        return [(slot.id, self.seats_free(slot)) for slot in sorted(free, key=lambda slot: (slot.starts, slot.id))]

    def remembered(self, key: str) -> Record | None:
        """What is still known of a request."""
        record = self.records.get(key)
        return record if record is not None and self.now < record.made_at + KEY_MINUTES else None

    def refuse_overlap(self, starts: float, ends: float, clinician: str | None) -> None:
        """A clinician is in one place at a time."""
        theirs = [slot for slot in self.slots if slot.clinician == clinician and slot.status != "cancelled"]
        if clinician is not None and any(slot.starts < ends and starts < slot.ends for slot in theirs):
            raise Refused(409, "slot-overlaps")

    def refuse_full(self, slot: Slot, *, notice: int) -> None:
        """A seat is given once, by an open slot, in time."""
        if (reason := self.why_not(slot, notice)) is not None:
            raise Refused(409, "slot-taken", reason)

    def confirm(self, booking: Booking, words: str) -> None:
        """Make a hold a booking; again with the same words changes nothing."""
        state = self.state(booking)
        if state == "booked":
            if words != booking.words:
                raise Refused(409, "booking-confirmed")
            return
        if state != "held":
            raise Refused(409, "hold-expired" if state == "expired" else "booking-ended")
        booking.words = words
        self.step(booking, "booked")

    def cancel(self, booking: Booking, *, is_staff: bool) -> None:
        """Give the seat back; again changes nothing."""
        state = self.state(booking)
        if state == "cancelled":
            return
        if state not in LIVE:
            raise Refused(409, "booking-ended")
        if state == "booked" and not is_staff and self.now >= booking.slot.starts - self.policy.cancel_until:
            raise Refused(409, "deadline-passed")
        self.step(booking, "cancelled")

    def reschedule(self, booking: Booking, slot: Slot, *, is_override: bool) -> None:
        """Take a seat elsewhere, then leave this one; to where it is changes nothing."""
        if self.state(booking) != "booked":
            raise Refused(409, "booking-ended")
        if booking.slot is slot:
            return
        if not is_override:
            if self.now >= booking.slot.starts - self.policy.reschedule_until:
                raise Refused(409, "deadline-passed")
            if booking.moves >= self.policy.max_reschedules:
                raise Refused(409, "reschedules-used-up")
        self.refuse_full(slot, notice=0 if is_override else self.policy.min_notice)
        booking.slot, booking.moves = slot, booking.moves + 1
        self.step(booking, "booked")

    def mark(self, booking: Booking, to: str, *, is_staff: bool) -> None:
        """Say how it ended; again changes nothing."""
        if not is_staff:
            raise Refused(403, "scope-missing")
        state = self.state(booking)
        if state == to:
            return
        if state != "booked":
            raise Refused(409, "booking-ended")
        if self.now < booking.slot.starts:
            raise Refused(409, "not-begun")
        self.step(booking, to)

    def change_slot(self, slot: Slot, to: str, *, version: int | None) -> None:
        """Open, close or cancel a slot; to what it is changes nothing."""
        if slot.status == to:
            return
        if version is not None and version != slot.version:
            raise Refused(412, "version-stale")
        if slot.status == "cancelled":
            raise Refused(409, "slot-cancelled")
        if to == "cancelled":
            for booking in self.live(slot):
                self.step(booking, "cancelled")
        slot.status, slot.version = to, slot.version + 1

    def step(self, booking: Booking, to: str) -> None:
        """Take the booking to its next version."""
        booking.recorded, booking.version = to, booking.version + 1

    def allowed(self, booking: Booking, *, is_staff: bool) -> list[str]:
        """What can be done with it, without an override."""
        state, starts = self.state(booking), booking.slot.starts
        if state == "held":
            return ["confirm", "cancel"]
        if state != "booked":
            return []
        is_in_time = self.now < starts - self.policy.reschedule_until and booking.moves < self.policy.max_reschedules
        return [
            *(["cancel"] if is_staff or self.now < starts - self.policy.cancel_until else []),
            *(["reschedule"] if is_in_time else []),
            *(["fulfil", "no-show"] if is_staff and starts <= self.now else []),
        ]
