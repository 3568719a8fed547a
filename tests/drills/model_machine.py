"""The plain model and the real application, asked the same, one thing after another: each answer must be the same."""

import uuid
from http import HTTPStatus
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from app.core import clock
from app.doctor import broken_ids
from tests.drills import clock_shift
from tests.drills.model_choices import BEGINS, CHANGES, ENDS, WAITS, one_of
from tests.drills.model_rules import Booking, Policy, Slot, World
from tests.drills.model_talk import Stage, Talk
from tests.wishes import confirmation

_minutes: Final = st.sampled_from((0, 60))
_words: Final = st.sampled_from(("Some words.", "Other words."))
_which: Final = st.integers(0, 99)
_has_slot: Final = precondition(lambda machine: bool(machine.world.slots))
_has_booking: Final = precondition(lambda machine: bool(machine.world.bookings))


class Machine(Talk):
    """Does things in any order; Hypothesis chooses which."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        # In the order in which they were sent; some made something.
        self.sent: list[tuple[str, dict[str, Any]]] = []

    @initialize(notice=_minutes, cancel=_minutes, reschedule=_minutes, most=st.integers(0, 2))
    def open_location(self, notice: int, cancel: int, reschedule: int, most: int) -> None:
        """A location and a clinician of its own for each example."""
        self.world = World(Policy(notice, cancel, reschedule, most))
        policy = {
            "min_notice_minutes": notice,
            "cancel_until_minutes": cancel,
            "reschedule_until_minutes": reschedule,
            "max_reschedules": most,
        }
        named = {"slug": self.name, "name": "Model"}
        self.made(self.post("/locations", named | {"time_zone": "Europe/Berlin", "policy": policy}, self.stage.staff))
        self.made(self.post("/clinicians", named, self.stage.staff))
        self.midnight = clock.now().replace(microsecond=0)

    @rule(
        begins=st.sampled_from(BEGINS),
        lasts=st.sampled_from((1, 30)),
        capacity=st.integers(1, 2),
        clinics=st.booleans(),
    )
    def post_slot(self, begins: int, lasts: int, capacity: int, *, clinics: bool) -> None:
        """Offer a span of time, with the clinician or without."""
        starts = self.world.now + begins + 0.5
        wish = {
            "starts_at": self.instant(starts).isoformat(),
            "ends_at": self.instant(starts + lasts).isoformat(),
            "location": self.name,
            "mode": "video",
            "capacity": capacity,
        } | ({"clinician": self.name} if clinics else {})
        answer = self.post("/consultation-slots", wish, self.stage.staff)
        clinician = self.name if clinics else None
        if not self.is_refused(answer, lambda: self.world.refuse_overlap(starts, starts + lasts, clinician)):
            slot = Slot(self.made(answer)["id"], starts, starts + lasts, capacity, clinician)
            self.world.slots.append(slot)
            self.compare_slot(answer.json(), slot)

    @_has_slot
    @rule(which=_which, words=_words)
    def book(self, which: int, words: str) -> None:
        """Book a seat."""
        self.send_new({"slot_id": self.bookable(which).id} | confirmation(reason=words))

    @_has_slot
    @rule(which=_which)
    def come_in_a_crowd(self, which: int) -> None:
        """Ask for more seats than there are."""
        slot = self.bookable(which)
        for _ in range(slot.capacity + 1):
            self.send_new({"slot_id": slot.id})

    @_has_slot
    @rule(which=_which)
    def hold(self, which: int) -> None:
        """Hold a seat."""
        self.send_new({"slot_id": self.bookable(which).id})

    @precondition(lambda self: self.sent)
    @rule(which=_which, other=_which, is_same=st.booleans())
    def send_again(self, which: int, other: int, *, is_same: bool) -> None:
        """Send a request again, or another one with its key."""
        key, wish = self.sent[which % len(self.sent)]
        record = self.world.remembered(key)
        if record is None:
            self.send(key, wish)
        elif is_same:
            answer = self.post("/consultation-bookings", wish, {"Idempotency-Key": key})
            assert (answer.status_code, answer.content) == (HTTPStatus.CREATED, record.answer)
            assert answer.headers["idempotent-replayed"] == "true"
        else:
            another = {"slot_id": self.bookable(other).id} | confirmation(reason="Words of another request.")
            answer = self.post("/consultation-bookings", another, {"Idempotency-Key": key})
            assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")

    @_has_booking
    @rule(which=_which, words=_words)
    def confirm(self, which: int, words: str) -> None:
        """Confirm a hold, in time or not."""
        booking = self.booking(which, "held", "expired")
        self.act(booking, "confirm", lambda: self.world.confirm(booking, words), wish=confirmation(reason=words))

    @_has_booking
    @rule(which=_which, is_staff=st.booleans())
    def cancel(self, which: int, *, is_staff: bool) -> None:
        """Cancel a booking."""
        booking = self.booking(which, "held", "booked")
        self.act(booking, "cancel", lambda: self.world.cancel(booking, is_staff=is_staff), is_staff=is_staff)

    @_has_booking
    @rule(which=_which, to=_which, how=st.sampled_from(("as holder", "as holder", "as staff", "past the policy")))
    def reschedule(self, which: int, to: int, how: str) -> None:
        """Move a booking; staff may go past the policy."""
        booking, slot, is_override = self.booking(which, "booked"), self.bookable(to), how == "past the policy"
        self.act(
            booking,
            "reschedule",
            lambda: self.world.reschedule(booking, slot, is_override=is_override),
            wish={"slot_id": slot.id} | ({"override_reason": "The clinician asks."} if is_override else {}),
            is_staff=how != "as holder",
        )

    @_has_booking
    @rule(which=_which, end=st.sampled_from(ENDS), is_staff=st.sampled_from((True, True, False)))
    def mark(self, which: int, end: tuple[str, str], *, is_staff: bool) -> None:
        """Say how it ended, which only staff may."""
        booking, (action, to) = self.booking(which, "booked"), end
        self.act(booking, action, lambda: self.world.mark(booking, to, is_staff=is_staff), is_staff=is_staff)

    @_has_booking
    @rule(which=_which, action=st.sampled_from(("confirm", "cancel", "fulfil", "no-show")))
    def come_with_another_token(self, which: int, action: str) -> None:
        """Try to do something with somebody else's booking."""
        booking = self.booking(which, "held", "booked")
        self.refuse_stranger(booking, action, confirmation() if action == "confirm" else None)

    @_has_slot
    @rule(which=_which, change=st.sampled_from(CHANGES), seen=st.sampled_from(("whatever", "as it is", "as it was")))
    def change_slot(self, which: int, change: tuple[str, str], seen: str) -> None:
        """Close, open or cancel a slot."""
        slot, (action, to) = self.world.slots[which % len(self.world.slots)], change
        version = {"whatever": None, "as it is": slot.version, "as it was": slot.version - 1}[seen]
        match = {"If-Match": "*" if version is None else f'"{version}-0"'}
        answer = self.post(f"/consultation-slots/{slot.id}/{action}", None, {**self.stage.staff, **match})
        if not self.is_refused(answer, lambda: self.world.change_slot(slot, to, version=version)):
            self.compare_slot(answer.json(), slot)

    @rule()
    def tidy_up(self) -> None:
        """End holds whose time is over, which makes no difference."""
        self.stage.runner.run(self.stage.sweep())

    @rule(minutes=st.sampled_from(WAITS))
    def wait(self, minutes: int) -> None:
        """Let time pass."""
        clock_shift.advance(self.stage.settings, self.name, minutes=minutes)
        self.world.now += minutes

    @_has_booking
    @rule(which=_which, is_staff=st.booleans())
    def read(self, which: int, *, is_staff: bool) -> None:
        """Read a booking."""
        booking = self.world.bookings[which % len(self.world.bookings)]
        self.compare_read(booking, is_staff=is_staff)

    @invariant()
    def slots_are_alike(self) -> None:
        """Both know the same slots, with the same seats."""
        self.compare_slots()
        self.stage.counts["steps"] += 1

    def teardown(self) -> None:
        """Whatever was done, nothing is broken."""
        self.stage.counts["examples"] += 1
        broken = self.stage.runner.run(broken_ids(self.stage.database))
        assert not any(broken.values()), broken

    def send_new(self, wish: dict[str, Any]) -> None:
        """Send a request that nobody has sent before."""
        self.sent.append((str(uuid.uuid4()), wish))
        self.send(*self.sent[-1])

    def bookable(self, which: int) -> Slot:
        """One of the slots, most often one that is open and to come."""
        return one_of(self.world.slots, which, lambda slot: slot.status == "open" and self.world.now < slot.starts)

    def booking(self, which: int, *states: str) -> Booking:
        """One of the bookings, most often one in these states."""
        return one_of(self.world.bookings, which, lambda booking: self.world.state(booking) in states)
