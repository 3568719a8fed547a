"""What applying a plan writes: as the doors for one slot and one booking do, for all of them at once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from pydantic import MISSING
from sqlalchemy import Integer, Uuid, bindparam, insert, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations import batch_queries, offers, steps
from app.consultations.plan_impact import World
from app.consultations.plan_orders import Order
from app.consultations.plan_shapes import Becomes, PlannedBooking, PlannedSlot, Then
from app.consultations.slot_columns import FIELDS, changed
from app.consultations.steps import Before
from app.consultations.tables import BookingState, ConsultationSlot, SlotStatus
from app.core.db import connection_of
from app.core.recordsets import bound, statement

_slot: Final = ConsultationSlot.__table__  # type: ignore[attr-defined]
_CLOSED: Final = SlotStatus.CLOSED
_IDS: Final[Any] = bindparam("ids", expanding=True)
# The slot that takes another one's place takes its names too.
_NAMES: Final = ("external_id", "schedule_id", "occurrence")
_GIVE_UP_NAMES: Final = (
    update(_slot).where(_slot.c.id.in_(_IDS)).values(dict.fromkeys(_NAMES) | {"version": _slot.c.version + 1})
)
_SET_STATUS: Final = (
    update(_slot).where(_slot.c.id.in_(_IDS)).values(status=bindparam("to"), version=_slot.c.version + 1)
)
_CLOSE_AT_ONCE: Final = update(_slot).where(_slot.c.id.in_(_IDS)).values(status=SlotStatus.CLOSED)
_MOVED: Final = (
    "UPDATE consultation_bookings SET slot_id = asked.slot_id, seat = asked.seat,"
    " reschedule_count = consultation_bookings.reschedule_count + 1, version = consultation_bookings.version + 1"
    " FROM {asked} WHERE consultation_bookings.id = asked.id"
)
_MOVED_COLUMNS: Final[Mapping[str, Any]] = {"id": Uuid(), "slot_id": Uuid(), "seat": Integer()}


async def write(
    session: AsyncSession,
    order: Order,
    world: World,
    planned: Sequence[PlannedSlot],
    taken: Mapping[UUID, Collection[int]],
    *,
    plan_id: UUID,
    by: str,
) -> None:
    """Do what was planned. `taken` are the seats of the slots that bookings go to; all of their rows are locked."""
    live = {booking.id: booking for each in world.bookings.values() for booking in each}
    present = {slot.id: slot for slot in world.slots}
    told = [(slot, booking) for slot in planned for booking in slot.bookings if booking.id in live]
    at, reason = world.now, order.wish.reason
    gone = [_before(live[booking.id]) for _, booking in told if booking.then is Then.CANCELLED]
    await steps.change(session, gone, BookingState.CANCELLED, at=at, by=by, reason=reason)
    await _move_slots(session, world, present, planned, by=by)
    await _move_bookings(session, world, told, live, taken, by=by)
    offered = [booking for _, booking in told if booking.then is Then.OFFERED]
    await offers.make(session, {booking.id: _offered(booking) for booking in offered}, plan_id=plan_id, at=at)
    await steps.change(session, [_before(live[each.id]) for each in offered], BookingState.BOOKED, at=at, by=by)
    closed = [slot.id for slot in planned if slot.becomes is Becomes.CLOSED and slot.status != SlotStatus.CLOSED]
    left = [slot.id for slot in planned if slot.becomes is Becomes.CANCELLED or _has_left(slot)]
    for ids, to, action in ((closed, SlotStatus.CLOSED, "slot.closed"), (left, SlotStatus.CANCELLED, "slot.cancelled")):
        await _run(session, _SET_STATUS, ids, to=to)
        await audit.record_each(session, by=by, action=action, subjects=_texts(ids), at=at, fields=["status"])
    # They hold no time any more, and so need no reason.
    await batch_queries.put_back(session, [slot.id for slot in planned if _has_left(slot)])
    # What was closed is closed where it is now; until here it had to take its bookings.
    await _run(
        session, _CLOSE_AT_ONCE, [home for slot_id, home in _homes(planned) if present[slot_id].status == _CLOSED]
    )


async def _move_slots(
    session: AsyncSession, world: World, present: Mapping[UUID, Any], planned: Sequence[PlannedSlot], *, by: str
) -> None:
    homes = dict(_homes(planned))
    if not homes:
        return
    own = [slot_id for slot_id, home in homes.items() if slot_id == home]
    others = {slot_id: home for slot_id, home in homes.items() if slot_id != home}
    # So that each finds its time free, whichever of them has it now.
    leaving = {slot.id for slot in planned if _has_left(slot)} | set(own)
    await batch_queries.lift(session, sorted(leaving))
    named = [slot_id for slot_id in others if any(getattr(present[slot_id], name) is not None for name in _NAMES)]
    await _run(session, _GIVE_UP_NAMES, named)
    told = _texts(slot_id for slot_id in named if present[slot_id].external_id is not None)
    fields = ["external_id"]
    await audit.record_each(session, by=by, action="slot.updated", subjects=told, at=world.now, fields=fields)
    new = [_new_row(present[slot_id], world.destinations[slot_id], home, world) for slot_id, home in others.items()]
    columns = {slot_id: _columns(present[slot_id], world.destinations[slot_id]) for slot_id in own}
    if own:
        await batch_queries.change(session, [{"id": slot_id, **columns[slot_id]} for slot_id in sorted(own)])
    if new:
        await (await connection_of(session)).execute(insert(_slot), new)
    for slot_id in own:
        fields = sorted(FIELDS[name] for name in changed(present[slot_id], columns[slot_id]))
        await audit.record(session, by=by, action="slot.updated", subject=str(slot_id), at=world.now, fields=fields)
    made = _texts(others.values())
    await audit.record_each(session, by=by, action="slot.created", subjects=made, at=world.now)


async def _move_bookings(
    session: AsyncSession,
    world: World,
    told: Sequence[tuple[PlannedSlot, PlannedBooking]],
    live: Mapping[UUID, Any],
    taken: Mapping[UUID, Collection[int]],
    *,
    by: str,
) -> None:
    """The new seat first, then the old is free: in one statement, which the index on live seats decides about."""
    moved = [(slot, booking) for slot, booking in told if booking.then is Then.MOVED]
    seats = {slot_id: set(numbers) for slot_id, numbers in taken.items()}
    values = []
    for _, booking in moved:
        home = _place(booking)
        # A slot that takes another's place is empty: each keeps its seat.
        seat = _lowest(seats[home]) if home in seats else live[booking.id].seat
        seats.get(home, set()).add(seat)
        values.append({"id": booking.id, "slot_id": home, "seat": seat})
    if values:
        made = statement(session.get_bind().dialect.name, _MOVED, _MOVED_COLUMNS)
        await (await connection_of(session)).execute(made, bound(values))
        await offers.withdraw_all(session, [booking.id for _, booking in moved])
    for slot, booking in moved:
        before = _before(live[booking.id])
        await steps.leave_traces(session, before, BookingState.BOOKED, at=world.now, by=by, previous_slot_id=slot.id)


async def _run(session: AsyncSession, change: Any, ids: Collection[UUID], **values: Any) -> None:
    if ids:
        await (await connection_of(session)).execute(change, {"ids": list(ids), **values})


def _before(booking: Any) -> Before:
    return Before(booking.id, BookingState(booking.state), booking.version)


def _homes(planned: Sequence[PlannedSlot]) -> Iterable[tuple[UUID, UUID]]:
    """The slots that are moved, each with the one that takes its place: itself, or a new one."""
    return ((slot.id, slot.moved_to.slot_id) for slot in planned if slot.moved_to is not MISSING)


def _has_left(slot: PlannedSlot) -> bool:
    """Whether all of it is in another slot now."""
    return slot.becomes is Becomes.MOVED and slot.moved_to is not MISSING and slot.moved_to.slot_id != slot.id


def _offered(booking: PlannedBooking) -> list[UUID]:
    others = [] if booking.alternatives is MISSING else booking.alternatives
    return [_place(booking), *(place.slot_id for place in others)]


def _place(booking: PlannedBooking) -> UUID:
    if booking.target is MISSING:
        raise LookupError
    return booking.target.slot_id


def _columns(slot: Any, destination: Mapping[str, Any]) -> dict[str, Any]:
    present = {name: getattr(slot, name) for name in (*FIELDS, "local_date", "local_weekday", "local_minute")}
    return present | dict(destination)


def _new_row(slot: Any, destination: Mapping[str, Any], slot_id: UUID, world: World) -> dict[str, Any]:
    kept = {name: getattr(slot, name) for name in _NAMES}
    fixed = {"id": slot_id, "status": SlotStatus.OPEN, "version": 1, "created_at": world.now}
    return _columns(slot, destination) | kept | fixed


def _lowest(taken: Collection[int]) -> int:
    return next(seat for seat in range(1, len(taken) + 2) if seat not in taken)


def _texts(ids: Iterable[UUID]) -> list[str]:
    return [str(slot_id) for slot_id in ids]
