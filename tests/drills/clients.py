"""Clients who book, confirm and cancel, and what they were promised."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any
from uuid import UUID

import httpx

from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.rows import new_slot, run
from tests.wishes import bearer, booking_wish, new_key

# Sends one request until it has an answer that means something.
Ask = Callable[[str, Mapping[str, Any], Mapping[str, str]], Awaitable[httpx.Response]]


class Promises:
    """What clients were told: each booking that was acknowledged, and the states in which it may be found."""

    def __init__(self) -> None:
        self.states: dict[str, frozenset[str]] = {}
        # By key, what was asked and the bytes of the 201.
        self.answers: dict[str, tuple[Mapping[str, Any], bytes]] = {}
        self.refusals: Counter[str] = Counter()

    def note(self, key: Mapping[str, str], asked: Mapping[str, Any], answer: httpx.Response) -> dict[str, Any]:
        """Keep what a 201 says; returns the booking."""
        booking: dict[str, Any] = answer.json()
        self.answers[key["Idempotency-Key"]] = (asked, answer.content)
        self.states[booking["reference"]] = frozenset({booking["state"]})
        return booking

    def copy(self) -> "Promises":
        """The promises until now, asked from whichever thread."""
        copied = Promises()
        copied.states, copied.answers = self.states.copy(), self.answers.copy()
        return copied

    def missing(self, found: Mapping[str, str]) -> list[str]:
        """The references of which the database, with these states by reference, does not hold what was promised."""
        return [reference for reference, states in self.states.items() if found.get(reference) not in states]


async def make_slots(settings: Settings, number: int, *, seats: int = 50) -> list[UUID]:
    """Put so many slots there, to be booked; returns their ids."""
    ids = [new_id() for _ in range(number)]
    database = Database(settings)
    try:
        await run(database, *(new_slot(id=slot_id, capacity=seats) for slot_id in ids))
    finally:
        await database.close()
    return ids


async def visit(ask: Ask, slots: Sequence[UUID], promises: Promises, chance: Random) -> None:
    """One patient: books or holds and confirms, and may cancel."""
    holds, cancels = chance.random() < 0.3, chance.random() < 0.5
    wish = booking_wish(str(chance.choice(slots)))
    key = new_key()
    asked = {"slot_id": wish["slot_id"]} if holds else wish
    answer = await ask("/consultation-bookings", asked, key)
    if answer.status_code != httpx.codes.CREATED:
        promises.refusals[_told(answer)] += 1
        return
    booking = promises.note(key, asked, answer)
    if holds:
        del wish["slot_id"]
        await step(ask, booking, "confirm", wish, "booked", promises)
    if cancels:
        await step(ask, booking, "cancel", {}, "cancelled", promises)


async def visit_until(
    until: float, number: int, ask: Ask, slots: Sequence[UUID], promises: Promises, chance: Random
) -> None:
    """So many clients at a time, one visit after another; none begins after this moment of the monotonic clock."""

    async def visit_again() -> None:
        while time.monotonic() < until:
            await visit(ask, slots, promises, chance)

    await asyncio.gather(*(visit_again() for _ in range(number)))


async def step(
    ask: Ask, booking: dict[str, Any], name: str, wish: Mapping[str, Any], to: str, promises: Promises
) -> None:
    """Ask for a step of this booking, as its holder."""
    reference = booking["reference"]
    # Until there is an answer nobody can know whether it happened.
    promises.states[reference] |= {to}
    answer = await ask(f"/consultation-bookings/{reference}/{name}", wish, bearer(booking))
    if answer.is_success:
        promises.states[reference] = frozenset({to})
    else:
        promises.refusals[_told(answer)] += 1


def _told(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.json().get('code', '')}"
