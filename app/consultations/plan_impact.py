"""What closing, moving or cancelling slots would mean: pure, without a session and without a clock."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import MISSING

from app.consultations.plan_matching import Free, Seats
from app.consultations.plan_orders import Order
from app.consultations.plan_shapes import (
    Becomes,
    Obstacle,
    Place,
    PlannedBooking,
    PlannedSlot,
    PlanTotals,
    Then,
)
from app.consultations.plan_wishes import BookedFate
from app.consultations.schedule_tables import PlanAction
from app.consultations.tables import BookingState, SlotStatus

_BECOMES = {PlanAction.CLOSE: Becomes.CLOSED, PlanAction.MOVE: Becomes.MOVED, PlanAction.CANCEL: Becomes.CANCELLED}


@dataclass(frozen=True, slots=True)
class World:
    """What there is at one moment: slots soonest first, their live bookings, and what is in the way."""

    slots: Sequence[Any]
    bookings: Mapping[UUID, Sequence[Any]]
    # Why a slot stays as it is.
    obstacles: Mapping[UUID, Obstacle]
    # Columns of slots that are moved.
    destinations: Mapping[UUID, Mapping[str, Any]]
    now: datetime


def assess(order: Order, world: World, free: Seats, *, new_id: Callable[[], UUID]) -> list[PlannedSlot]:
    """What becomes of each slot and of each of its bookings."""
    planned = [_Slot(order, world, slot, free, new_id) for slot in world.slots]
    # Each is given a seat before anybody is told what else there is: what is proposed to one is offered to no other.
    for slot in planned:
        slot.take_seats()
    return [slot.planned() for slot in planned]


def totals(planned: Sequence[PlannedSlot]) -> PlanTotals:
    """How many of each."""
    slots = Counter(slot.becomes for slot in planned)
    bookings = Counter(booking.then for slot in planned for booking in slot.bookings)
    return PlanTotals(
        slots=len(planned),
        **{f"slots_{name}": slots[name] for name in Becomes},
        slots_to_cancel=sum(slot.to_cancel for slot in planned),
        bookings=bookings.total(),
        **{f"bookings_{'staying' if name is Then.STAYS else name}": bookings[name] for name in Then},
    )


def proposed(order: Order, planned: Sequence[PlannedSlot]) -> dict[UUID, int]:
    """How many seats of which other slots the plan counts on."""
    if order.fate not in (BookedFate.MOVE, BookedFate.OFFER):
        return {}
    own = {slot.moved_to.slot_id for slot in planned if slot.moved_to is not MISSING}
    wanted = Counter(
        booking.target.slot_id for slot in planned for booking in slot.bookings if booking.target is not MISSING
    )
    return {slot_id: number for slot_id, number in wanted.items() if slot_id not in own}


def fingerprint(order: Order, world: World, known: set[tuple[UUID, int]], targets: Sequence[Sequence[Any]]) -> bytes:
    """Of all that a plan rests on: another one means that the world has changed.

    A hold that is gone is no change, but one that is not `known`, by its id and version, is. Of each target: its id,
    its version and whether it has the seats that the plan counts on.
    """
    live = [booking for each in world.bookings.values() for booking in each]
    words = [
        order.words(),
        sorted([str(slot.id), slot.version, slot.status] for slot in world.slots),
        sorted([str(b.id), str(b.slot_id), b.version] for b in live if b.state == BookingState.BOOKED),
        sorted(str(b.id) for b in live if b.state == BookingState.HELD and (b.id, b.version) not in known),
        sorted([str(slot_id), obstacle] for slot_id, obstacle in world.obstacles.items()),
        sorted([str(slot_id), *rest] for slot_id, *rest in targets),
    ]
    return hashlib.sha256(json.dumps(words).encode()).digest()


@dataclass(slots=True)
class _Slot:
    order: Order
    world: World
    slot: Any
    free: Seats
    new_id: Callable[[], UUID]
    stuck: bool = False
    home: Place | None = None
    targets: dict[UUID, Place] = field(default_factory=dict)

    @property
    def live(self) -> Sequence[Any]:
        return self.world.bookings.get(self.slot.id, ())

    def take_seats(self) -> None:
        if self.slot.id in self.world.obstacles:
            return
        if self.order.action is PlanAction.MOVE:
            self.home = self._home()
        for booking in self.live:
            if booking.state == BookingState.BOOKED and (target := self._target()) is not None:
                self.targets[booking.id] = target

    def planned(self) -> PlannedSlot:
        obstacle = self.world.obstacles.get(self.slot.id)
        if obstacle is not None:
            stay = [_planned(booking, Then.STAYS) for booking in self.live]
            return self._said(Becomes.UNCHANGED, stay, [obstacle])
        bookings = [self._booked(booking) for booking in self.live]
        left = any(booking.then in (Then.STAYS, Then.OFFERED) for booking in bookings)
        becomes = _BECOMES[self.order.action]
        if left and becomes is not Becomes.CLOSED:
            becomes = Becomes.CLOSED
        return self._said(becomes, bookings, [Obstacle.NOWHERE_TO_GO] if self.stuck else [])

    def _home(self) -> Place:
        """The slot that this one is moved to: itself, where no booking keeps its time as it is."""
        is_booked = any(booking.state == BookingState.BOOKED for booking in self.live)
        goes_along = is_booked and self.order.fate is not BookedFate.CANCEL
        starts_at = self.world.destinations[self.slot.id]["starts_at"]
        return Place(slot_id=self.new_id() if goes_along else self.slot.id, starts_at=starts_at)

    def _booked(self, booking: Any) -> PlannedBooking:
        fate = self.order.fate
        if booking.state == BookingState.HELD:
            return _planned(booking, Then.STAYS if fate is BookedFate.KEEP else Then.CANCELLED)
        target = self.targets.get(booking.id)
        if fate is BookedFate.KEEP:
            then = Then.STAYS
        elif fate is BookedFate.CANCEL:
            then = Then.CANCELLED
        elif target is None:
            self.stuck, then = True, Then.STAYS
        else:
            then = Then.MOVED if fate is BookedFate.MOVE else Then.OFFERED
        others = self.free.look(self.slot, but=target.slot_id if target else None)
        return _planned(booking, then, target, [_place(other) for other in others])

    def _target(self) -> Place | None:
        # What is offered has to be open.
        if self.home is not None and (self.order.fate is not BookedFate.OFFER or self.slot.status == SlotStatus.OPEN):
            return self.home if self.home.slot_id != self.slot.id else None
        found = self.free.take(self.slot)
        return _place(found) if found else None

    def _said(self, becomes: Becomes, bookings: list[PlannedBooking], obstacles: list[Obstacle]) -> PlannedSlot:
        slot = self.slot
        return PlannedSlot(
            id=slot.id,
            version=slot.version,
            status=slot.status,
            starts_at=slot.starts_at,
            becomes=becomes,
            to_cancel=becomes is Becomes.CLOSED and self.order.action is not PlanAction.CLOSE,
            moved_to=self.home or MISSING,
            obstacles=obstacles,
            bookings=bookings,
        )


def _planned(booking: Any, then: Then, target: Place | None = None, others: Sequence[Place] = ()) -> PlannedBooking:
    return PlannedBooking(
        id=booking.id,
        reference=booking.reference,
        state=booking.state,
        version=booking.version,
        then=then,
        target=target or MISSING,
        alternatives=list(others) or MISSING,
    )


def _place(free: Free) -> Place:
    return Place(slot_id=free.id, starts_at=free.starts_at)


def by_slot(bookings: Sequence[Any]) -> dict[UUID, list[Any]]:
    """Bookings by the slot that they are of."""
    found: dict[UUID, list[Any]] = defaultdict(list)
    for booking in bookings:
        found[booking.slot_id].append(booking)
    return found
