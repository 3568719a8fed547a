"""What two people do at the same time, and the small world in which they do it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from app.consultations.booking_shapes import ConfirmationCreate, ConsultationBookingCreate
from app.core.ids import new_id
from tests.drills.direct import Doors
from tests.rows import new_slot, run
from tests.wishes import confirmation

_CONFIRMATION: Final = ConfirmationCreate.model_validate(confirmation())


class Made(NamedTuple):
    """A booking that was there before."""

    reference: str
    token: str


@dataclass
class World:
    """Slots and bookings of one run, by name."""

    slots: dict[str, UUID] = field(default_factory=dict)
    bookings: dict[str, Made] = field(default_factory=dict)
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


async def expire(doors: Doors, _: World) -> str:
    """End the holds whose time is over."""
    await doors.expire()
    return "swept"


async def build(doors: Doors, seats: Mapping[str, int], there: Sequence[tuple[str, str, str]]) -> World:
    """Make slots with so many seats, and bookings, by the doors' ways: name, slot, and `booked`, `held` or `stale`."""
    world = World({name: new_id() for name in seats})
    slots = [new_slot(id=world.slots[name], capacity=number) for name, number in seats.items()]
    await run(doors.database, *slots)
    for name, slot, how in there:
        asked = wish(world.slots[slot], "book" if how == "booked" else "hold")
        answer = await doors.book(asked, str(uuid4()), hold_seconds=0.001 if how == "stale" else 300)
        told = json.loads(bytes(answer.body))
        world.bookings[name] = Made(told["reference"], told["token"])
        if how == "stale":
            await asyncio.sleep(0.003)
    return world


def wish(slot_id: UUID, what: str) -> ConsultationBookingCreate:
    """A booking, or a hold."""
    told: dict[str, Any] = confirmation() if what == "book" else {}
    return ConsultationBookingCreate.model_validate({"slot_id": str(slot_id)} | told)
