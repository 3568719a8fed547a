"""One process of the storm: several patients and admins who do whatever comes to their mind, until told to stop."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableSequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import uvloop
from sqlalchemy import select
from sqlmodel import col

from app.consultations import slots
from app.consultations.booking_shapes import ConsultationBookingCreate
from app.consultations.slot_filters import SlotFilter
from app.consultations.tables import LIVE, ConsultationBooking, SlotStatus
from app.core import clock
from app.core.db import rows
from app.core.settings import Settings
from app.routers.booking_views import ConsultationBookingPublic
from tests.drills import direct
from tests.drills.direct import REFUSED, Doors
from tests.drills.ledger import Pen
from tests.drills.storm_wishes import BUSY, CONFIRMATION, REFUSALS, WEIGHTS, digest, slot_wish, wish_for

TASKS = 4
# Seconds between two looks at what the others do.
LOOK_EVERY = 0.25
SLOTS = 6


@dataclass(frozen=True)
class Orders:
    """What one process is to do."""

    settings: Settings
    ledger: Path
    number: int
    seed: str
    # By process, how many attempts it has ended; the last cell says stop.
    counts: MutableSequence[int]
    # Of an API key that may do everything.
    staff_token: str
    # What is wrong with the application that this process runs.
    sabotage: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True, slots=True)
class Known:
    """A booking that a process knows of, with a token that opens it."""

    reference: str
    token: str


def run(orders: Orders) -> None:
    """Live until told to stop, or killed."""
    with orders.sabotage():
        uvloop.run(_live(orders))


async def _live(orders: Orders) -> None:
    async with direct.opened(orders.settings) as doors, asyncio.TaskGroup() as tasks:
        process = _Process(orders, doors)
        await process.look_around()
        tasks.create_task(process.keep_looking())
        for number in range(TASKS):
            tasks.create_task(process.live(Random(f"{orders.seed}-{number}")))


class _Process:
    def __init__(self, orders: Orders, doors: Doors) -> None:
        self.orders, self.doors, self.pen = orders, doors, Pen(orders.ledger)
        self.slots: list[UUID] = []
        self.mine: list[Known] = []
        self.others: list[Known] = []
        # Requests that made something: their keys, and what they were.
        self.sent: list[tuple[str, ConsultationBookingCreate]] = []
        self.does: dict[str, Callable[[Random], Awaitable[Any]]] = {
            "book": lambda chance: self.book(chance, is_hold=False),
            "hold": lambda chance: self.book(chance, is_hold=True),
            "repeat": self.repeat,
            "confirm": self.confirm,
            "cancel": self.cancel,
            "reschedule": self.reschedule,
            "mark": self.mark,
            "expire": lambda _: self.doors.expire(),
            "post slot": self.post_slot,
            "close slot": lambda chance: self.doors.close_slot(chance.choice(self.slots)),
            "open slot": lambda chance: self.doors.open_slot(chance.choice(self.slots)),
            "cancel slot": lambda chance: self.doors.cancel_slot(chance.choice(self.slots)),
        }

    async def keep_looking(self) -> None:
        while not self.orders.counts[-1]:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.look_around()
            except REFUSED as error:
                self.note_fault("look", direct.refusal_code(error))

    async def look_around(self) -> None:
        """See which slots are to come, closed ones too, and which bookings of them others have made."""
        wanted = SlotFilter(statuses=(SlotStatus.OPEN, SlotStatus.CLOSED), starts_from=clock.now())
        async with self.doors.database.look() as look:
            coming = await slots.find(look, wanted, policy=self.doors.house.policy, limit=SLOTS)
            self.slots = [slot["id"] for slot in coming]
            of_these = col(ConsultationBooking.slot_id).in_(self.slots)
            found = await rows(look, select(col(ConsultationBooking.reference)).where(LIVE, of_these))
        self.others = [Known(reference, self.orders.staff_token) for (reference,) in found]

    async def live(self, chance: Random) -> None:
        kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
        while not self.orders.counts[-1]:
            (kind,) = ("post slot",) if len(self.slots) < SLOTS else chance.choices(kinds, weights)
            await self.attempt(kind, chance)
            self.orders.counts[self.orders.number] += 1

    async def attempt(self, kind: str, chance: Random) -> None:
        code = "done"
        try:
            await self.does[kind](chance)
        except REFUSED as error:
            code = direct.refusal_code(error)
            self.note_fault(kind, code)
        except BaseException as error:
            self.pen.write(("fault", kind, type(error).__name__))
            raise
        self.pen.write(("told", kind, code))

    def note_fault(self, kind: str, code: str) -> None:
        if code not in REFUSALS[kind] and not code.startswith(BUSY):
            self.pen.write(("fault", kind, code))
            # The storm is over for all.
            self.orders.counts[-1] = 1

    async def book(self, chance: Random, *, is_hold: bool) -> None:
        wish = wish_for(chance.choice(self.slots), is_hold=is_hold)
        key = f"storm-{self.orders.seed}-{chance.getrandbits(64):016x}"
        if chance.random() < 0.05:
            # Somebody else may be sending it at this very moment, for the same or for something else.
            key = f"storm-for-everybody-{int(time.time() * 10)}"
        await self.send(key, wish, hold_seconds=chance.choice((0.05, 0.2, 1.0)))

    async def repeat(self, chance: Random) -> None:
        if not self.sent:
            return
        key, wish = chance.choice(self.sent[-50:])
        if chance.random() < 0.8:
            await self.send(key, wish)
            return
        other = wish_for(chance.choice(self.slots), is_hold=wish.patient is not None)
        await self.doors.book(other, key)
        self.pen.write(("fault", "a key was good for two requests", key))

    async def send(self, key: str, wish: ConsultationBookingCreate, *, hold_seconds: float = 1.0) -> None:
        state = "held" if wish.patient is None else "booked"
        self.pen.write(("begun", key, state, wish.slot_id))
        try:
            body = bytes((await self.doors.book(wish, key, hold_seconds=hold_seconds)).body)
        except REFUSED as error:
            if not direct.refusal_code(error).startswith(BUSY):
                self.pen.write(("void", key, state, wish.slot_id))
            raise
        made = json.loads(body)
        self.pen.write(("made", key, digest(body), made["reference"], made["version"], state, wish.slot_id))
        self.sent = [*self.sent[-200:], (key, wish)]
        self.mine = [*self.mine[-200:], Known(made["reference"], made["token"])]

    async def confirm(self, chance: Random) -> None:
        await self.step(chance, self.mine[-20:], lambda b: self.doors.confirm(b.reference, b.token, CONFIRMATION))

    async def cancel(self, chance: Random) -> None:
        await self.step(chance, self.mine[-20:], lambda b: self.doors.cancel(b.reference, b.token))

    async def reschedule(self, chance: Random) -> None:
        slot_id = chance.choice(self.slots)
        await self.step(chance, self.mine[-20:], lambda b: self.doors.reschedule(b.reference, b.token, slot_id))

    async def mark(self, chance: Random) -> None:
        mark = chance.choice((self.doors.fulfil, self.doors.mark_no_show))
        old = [Known(booking.reference, self.orders.staff_token) for booking in self.mine]
        await self.step(chance, old, lambda b: mark(b.reference, b.token))

    async def step(
        self, chance: Random, mine: list[Known], take: Callable[[Known], Awaitable[ConsultationBookingPublic]]
    ) -> None:
        known = mine + self.others[: len(mine) or 10]
        if known:
            booking = await take(chance.choice(known))
            self.pen.write(("step", booking.reference, booking.version, booking.state))

    async def post_slot(self, chance: Random) -> None:
        await self.doors.post_slot(slot_wish(chance), f"storm-slot-{self.orders.seed}-{chance.getrandbits(64):016x}")
        await self.look_around()
