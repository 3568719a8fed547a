"""What two people do at the same time, and the small world in which they do it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from pydantic import MISSING

from app.consultations.booking_shapes import ConfirmationCreate, ConsultationBookingCreate
from app.consultations.plan_wishes import SlotPlanCreate
from app.core import clock
from app.core.ids import new_id
from tests.drills.direct import Doors
from tests.rows import new_slot, run
from tests.wishes import confirmation

_CONFIRMATION: Final = ConfirmationCreate.model_validate(confirmation())
# Each world begins days after the one before it: no plan finds a seat in another world.
_DAYS: Final = count(1, 3)


class Made(NamedTuple):
    """A booking that was there before."""

    reference: str
    token: str


class Planned(NamedTuple):
    """A plan that was made before; where it moves a slot, the new one is called N."""

    name: str
    action: str
    slot: str
    bookings: str


@dataclass
class World:
    """Slots, bookings and plans of one run, by name."""

    slots: dict[str, UUID] = field(default_factory=dict)
    bookings: dict[str, Made] = field(default_factory=dict)
    plans: dict[str, UUID] = field(default_factory=dict)
    key: str = field(default_factory=lambda: str(uuid4()))


# Does it; answers with what to call it if it went well.
Act = Callable[[Doors, World], Awaitable[str]]


def make(what: str, slot: str = "S", *, same_key: bool = False) -> Act:
    """Book or hold a seat of this slot."""

    async def act(doors: Doors, world: World) -> str:
        key = world.key if same_key else str(uuid4())
        answer = await doors.book(wish(world.slots[slot], what), key)
        if "idempotent-replayed" in answer.headers:
            return "replayed"
        return str(json.loads(bytes(answer.body))["state"])

    return act


def confirm(name: str) -> Act:
    """Confirm this hold."""

    async def act(doors: Doors, world: World) -> str:
        made = world.bookings[name]
        await doors.confirm(made.reference, made.token, _CONFIRMATION)
        return "confirmed"

    return act


def cancel(name: str) -> Act:
    """Cancel this booking."""

    async def act(doors: Doors, world: World) -> str:
        made = world.bookings[name]
        await doors.cancel(made.reference, made.token)
        return "cancelled"

    return act


def reschedule(name: str, to: str) -> Act:
    """Move this booking."""

    async def act(doors: Doors, world: World) -> str:
        made = world.bookings[name]
        await doors.reschedule(made.reference, made.token, world.slots[to])
        return "moved"

    return act


def slot_cancel(slot: str) -> Act:
    """Cancel this slot."""

    async def act(doors: Doors, world: World) -> str:
        await doors.cancel_slot(world.slots[slot])
        return "gone"

    return act


def apply(plan: str) -> Act:
    """Apply this plan."""

    async def act(doors: Doors, world: World) -> str:
        await doors.apply_plan(world.plans[plan])
        return "applied"

    return act


async def expire(doors: Doors, _: World) -> str:
    """End the holds whose time is over."""
    await doors.expire()
    return "swept"


async def build(
    doors: Doors, seats: Mapping[str, int], there: Sequence[tuple[str, str, str]], plans: Sequence[Planned] = ()
) -> World:
    """Make slots with so many seats, one hour after another, and by the doors' ways bookings, then plans.

    Of each booking: name, slot, and `booked`, `held` or `stale`.
    """
    world = World({name: new_id() for name in seats})
    starts = clock.now() + timedelta(days=next(_DAYS))
    slots = [
        new_slot(
            id=world.slots[name],
            capacity=number,
            starts_at=starts + timedelta(hours=place),
            ends_at=starts + timedelta(hours=place + 1),
        )
        for place, (name, number) in enumerate(seats.items())
    ]
    await run(doors.database, *slots)
    for name, slot, how in there:
        asked = wish(world.slots[slot], "book" if how == "booked" else "hold")
        answer = await doors.book(asked, str(uuid4()), hold_seconds=0.001 if how == "stale" else 300)
        told = json.loads(bytes(answer.body))
        world.bookings[name] = Made(told["reference"], told["token"])
        if how == "stale":
            await asyncio.sleep(0.003)
    for plan in plans:
        wanted: dict[str, Any] = {"action": plan.action, "bookings": plan.bookings}
        wanted |= {"slots": {"ids": [str(world.slots[plan.slot])]}}
        wanted |= {"shift_minutes": 30} if plan.action == "move" else {}
        shown = await doors.make_plan(SlotPlanCreate.model_validate(wanted))
        world.plans[plan.name] = shown.id
        if (home := shown.slots[0].moved_to) is not MISSING:
            world.slots["N"] = home.slot_id
    return world


def wish(slot_id: UUID, what: str) -> ConsultationBookingCreate:
    """A booking, or a hold."""
    told: dict[str, Any] = confirmation() if what == "book" else {}
    return ConsultationBookingCreate.model_validate({"slot_id": str(slot_id)} | told)
