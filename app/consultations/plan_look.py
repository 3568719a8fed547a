"""What a plan finds: the same look when it is made and when it is applied."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations import plan_queries
from app.consultations.plan_impact import World, by_slot
from app.consultations.plan_matching import Free, Seats, Span, blocked, topic_of
from app.consultations.plan_orders import Order, destination, standstill
from app.consultations.plan_shapes import Obstacle
from app.consultations.plan_wishes import BookedFate
from app.consultations.policies import Policy
from app.consultations.schedule_tables import PlanAction
from app.consultations.tables import BookingState, SlotStatus
from app.core.errors import FieldFault, InvalidInput

MOST_SLOTS: Final = 2_000
MOST_BOOKINGS: Final = 5_000


async def chosen(session: AsyncSession, order: Order) -> list[UUID]:
    """Ids of the slots that are asked for now. Raises InvalidInput where there are too many."""
    if order.wanted is None:
        return list(dict.fromkeys(order.wish.slots.ids or ()))
    found = await plan_queries.found_by(session, order.wanted, most=MOST_SLOTS)
    if len(found) > MOST_SLOTS:
        raise InvalidInput.at("/slots/filter", "too_many_slots", f"finds more than {MOST_SLOTS} slots")
    return found


def refuse_unknown(order: Order, slots: Sequence[Any]) -> None:
    """Raise InvalidInput for ids that were sent and are no slot's."""
    known = {slot.id for slot in slots}
    faults = [
        FieldFault("names nothing that is known here", "unknown_reference", pointer=f"/slots/ids/{place}")
        for place, slot_id in enumerate(order.wish.slots.ids or ())
        if slot_id not in known
    ]
    if faults:
        raise InvalidInput(*faults)


def refuse_too_many(bookings: Sequence[Any]) -> None:
    """Raise InvalidInput for more bookings than one plan may touch."""
    if len(bookings) > MOST_BOOKINGS:
        raise InvalidInput.at("/slots", "too_many_bookings", f"have more than {MOST_BOOKINGS} bookings")


def is_over(booking: Any, now: datetime) -> bool:
    """Whether it is a hold whose time is over: that is no booking any more."""
    return bool(booking.hold_expires_at is not None and booking.hold_expires_at <= now)


async def world_of(
    session: AsyncSession, order: Order, slots: Sequence[Any], bookings: Sequence[Any], *, now: datetime
) -> World:
    """What there is, and what of the order cannot be done."""
    live = by_slot([booking for booking in bookings if not is_over(booking, now)])
    obstacles = {slot.id: why for slot in slots if (why := standstill(slot, now=now)) is not None}
    going: dict[UUID, dict[str, Any]] = {}
    if order.action is PlanAction.MOVE:
        for slot in slots:
            if slot.id not in obstacles:
                found = destination(order, slot, now=now)
                if isinstance(found, Obstacle):
                    obstacles[slot.id] = found
                else:
                    going[slot.id] = found
        for slot_id in await _blocked(session, order, slots, live, going):
            obstacles[slot_id] = Obstacle.OVERLAP
    soonest = sorted(slots, key=lambda slot: (slot.starts_at, slot.id))
    return World(soonest, live, obstacles, going, now)


async def find_free(session: AsyncSession, world: World, *, policy: Policy) -> tuple[Seats, Mapping[UUID, int]]:
    """Seats that the bookings of these slots could have, and the version of each of their slots."""
    wanted = [
        slot
        for slot in world.slots
        if slot.id not in world.obstacles
        and any(booking.state == BookingState.BOOKED for booking in world.bookings.get(slot.id, ()))
    ]
    found = await plan_queries.free(session, wanted, [slot.id for slot in world.slots])
    bookable = [row for row in found if row.starts_at > row.now + policy.at_location(row).min_notice]
    free = [
        (Free(row.starts_at, row.id, row.clinician_id, row.location_id, topic_of(row), row.version), row.free)
        for row in bookable
    ]
    return Seats.of(free), {row.id: row.version for row in bookable}


def has_room(slot: Any, seats: Collection[int], wanted: int, *, now: datetime) -> bool:
    """Whether a slot, of which these seats are taken, can be given so many bookings."""
    is_open = slot.status == SlotStatus.OPEN and slot.starts_at > now
    return bool(is_open and slot.capacity - len(seats) >= wanted)


async def _blocked(
    session: AsyncSession,
    order: Order,
    slots: Sequence[Any],
    live: Mapping[UUID, Sequence[Any]],
    going: Mapping[UUID, Mapping[str, Any]],
) -> set[UUID]:
    held = [slot for slot in slots if slot.id in going and slot.overlap_reason is None]
    if not held:
        return set()
    new = {slot.id: _holders({**slot._mapping, **going[slot.id]}) for slot in held}  # noqa: SLF001 - public
    staying = order.fate is BookedFate.OFFER
    old = {
        slot.id: _holders(slot._mapping)  # noqa: SLF001 - public
        for slot in held
        if not (staying and any(booking.state == BookingState.BOOKED for booking in live.get(slot.id, ())))
    }
    spans = [span for each in new.values() for _, span in each]
    if not spans:
        return set()
    since, until = min(span.starts_at for span in spans), max(span.ends_at for span in spans)
    others = []
    for kind in ("clinician", "room"):
        holders = {holder[1] for each in new.values() for holder, _ in each if holder[0] == kind}
        found = await plan_queries.holding(session, kind, holders, since, until)
        others += [((kind, row.holder), Span(row.starts_at, row.ends_at, row.id)) for row in found if row.id not in old]
    return blocked(old, new, others)


def _holders(slot: Mapping[str, Any]) -> list[tuple[tuple[str, Hashable], Span]]:
    span = Span(slot["starts_at"], slot["ends_at"], slot["id"])
    return [((kind, slot[f"{kind}_id"]), span) for kind in ("clinician", "room") if slot[f"{kind}_id"] is not None]
