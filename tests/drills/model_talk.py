"""How the model's machine talks with the real application, and holds its answers against the model's."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

import httpx
from hypothesis.stateful import RuleBasedStateMachine

from app.consultations import seats
from app.core.db import Database
from app.core.settings import Settings
from tests.drills.model_rules import HOLD_MINUTES, Booking, Record, Refused, Slot, World

Headers = Mapping[str, str]
_STRANGER: Final = f"cp_booking_{'0' * 43}"


@dataclass(frozen=True)
class Stage:
    """The application, started, and what else the machine needs."""

    runner: asyncio.Runner
    client: httpx.AsyncClient
    database: Database
    settings: Settings
    # The headers of an API key that may do everything.
    staff: Headers
    # How many `examples` and `steps` there were, and how often each answer was given.
    counts: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)

    async def sweep(self) -> None:
        """End holds whose time is over, as the worker does."""
        async with self.database.write() as session:
            await seats.expire_stale(session, limit=100)


class Talk(RuleBasedStateMachine):
    """Asks the application, and compares."""

    world: World
    # The application's time in the minute 0 of the model, as it is now: it moves when the model's clock does.
    midnight: datetime

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        # Of the location and the clinician that are this example's own.
        self.name = f"model-{uuid.uuid4().hex[:12]}"

    def instant(self, minute: float) -> datetime:
        """A minute of the model in the application's time."""
        return self.midnight + timedelta(minutes=minute - self.world.now)

    def get(self, path: str, headers: Headers | None = None) -> Any:
        """Read something that is there."""
        answer = self.stage.runner.run(self.stage.client.get(path, headers=headers))
        assert answer.status_code == HTTPStatus.OK, answer.text
        return answer.json()

    def post(self, path: str, wish: Any, headers: Headers) -> httpx.Response:
        """Ask for something to be done."""
        answer = self.stage.runner.run(self.stage.client.post(path, json=wish, headers=headers))
        told = answer.json() if answer.is_error else {"code": "done"}
        self.stage.answers[" ".join(told[name] for name in ("code", "reason") if name in told)] += 1
        return answer

    def made(self, answer: httpx.Response) -> dict[str, Any]:
        """What a 201 says."""
        assert answer.status_code == HTTPStatus.CREATED, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def is_refused(self, answer: httpx.Response, does: Callable[[], Any]) -> bool:
        """Do the same in the model. Whether it refuses, and that the application does just then, and alike."""
        refused = _refusal_of(does)
        if refused is None:
            assert answer.is_success, f"{answer.text}, where the model refuses nothing"
            return False
        told = answer.json()
        found = (answer.status_code, told.get("code"), told.get("reason"))[: len(refused.args)]
        assert found == refused.args, f"{found}, where the model answers {refused.args}"
        self.check_alternatives(told.get("alternatives", []))
        return True

    def check_alternatives(self, offered: list[dict[str, Any]]) -> None:
        """What is offered instead can be booked; others' slots are offered too, which are not looked at."""
        free = dict(self.world.listed())
        known = {slot.id for slot in self.world.slots}
        for slot in offered:
            assert slot["id"] not in known or slot["seats_free"] == free[slot["id"]]

    def send(self, key: str, wish: dict[str, Any]) -> None:
        """Send a request that is not remembered; what it makes is made in both worlds."""
        slot = next(slot for slot in self.world.slots if slot.id == wish["slot_id"])
        answer = self.post("/consultation-bookings", wish, {"Idempotency-Key": key})
        if self.is_refused(answer, lambda: self.world.refuse_full(slot, notice=self.world.policy.min_notice)):
            return
        told, words = self.made(answer), wish.get("reason")
        state, until = ("held", min(self.world.now + HOLD_MINUTES, slot.starts)) if words is None else ("booked", 0)
        booking = Booking(told["reference"], told["token"], slot, state, until, words)
        self.world.bookings.append(booking)
        self.world.records[key] = Record(answer.content, self.world.now)
        self.compare(told, booking, is_staff=False)

    def act(
        self,
        booking: Booking,
        action: str,
        does: Callable[[], None],
        *,
        wish: Any = None,
        is_staff: bool = False,
    ) -> None:
        """Do something with a booking, as its holder or as staff, in both worlds."""
        answer = self.post(
            f"/consultation-bookings/{booking.reference}/{action}",
            wish,
            self.stage.staff if is_staff else _bearer(booking.token),
        )
        if not self.is_refused(answer, does):
            self.compare(answer.json(), booking, is_staff=is_staff)

    def refuse_stranger(self, booking: Booking, action: str, wish: Any) -> None:
        """For whoever has another token there is no such booking."""
        answer = self.post(f"/consultation-bookings/{booking.reference}/{action}", wish, _bearer(_STRANGER))
        assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.NOT_FOUND, "booking-not-found")

    def compare(self, told: Mapping[str, Any], booking: Booking, *, is_staff: bool) -> None:
        """The booking as the application tells it is the model's."""
        world, policy, starts = self.world, self.world.policy, booking.slot.starts
        state = world.state(booking)
        expected = {
            "reference": booking.reference,
            "state": state,
            "allowed_actions": world.allowed(booking, is_staff=is_staff),
            "reschedule_count": booking.moves,
            "reschedules_left": max(0, policy.max_reschedules - booking.moves),
            "cancel_until": self.instant(starts - policy.cancel_until),
            "reschedule_until": self.instant(starts - policy.reschedule_until),
        }
        found = {name: told[name] for name in expected} | {
            name: datetime.fromisoformat(told[name]) for name in ("cancel_until", "reschedule_until")
        }
        assert found == expected
        # Who tidies up expired holds, and when, is nobody's business.
        assert state == "expired" or told["version"] == booking.version
        assert ("hold_expires_at" in told) == (state == "held")
        slot = {"id": booking.slot.id, "status": booking.slot.status, "version": booking.slot.version}
        assert {name: told["slot"][name] for name in slot} == slot
        assert datetime.fromisoformat(told["slot"]["starts_at"]) == self.instant(starts)

    def compare_read(self, booking: Booking, *, is_staff: bool) -> None:
        """Whoever reads the booking sees it, and what was told."""
        headers = self.stage.staff if is_staff else _bearer(booking.token)
        told = self.get(f"/consultation-bookings/{booking.reference}", headers)
        self.compare(told, booking, is_staff=is_staff)
        assert (told.get("reason"), "patient" in told) == (booking.words, booking.words is not None)

    def compare_slots(self) -> None:
        """What is listed is what can be booked; and whoever may see every slot sees it as it is."""
        query = f"/consultation-slots?limit=100&location={self.name}"
        found = self.get(query)["items"]
        assert [(slot["id"], slot["seats_free"]) for slot in found] == self.world.listed()
        slots = {slot["id"]: slot for slot in self.get(f"{query}&status=all", self.stage.staff)["items"]}
        assert slots.keys() == {slot.id for slot in self.world.slots}
        for slot in self.world.slots:
            self.compare_slot(slots[slot.id], slot)

    def compare_slot(self, told: Mapping[str, Any], slot: Slot) -> None:
        """The slot as the application tells it is the model's."""
        expected = (slot.status, slot.version, slot.capacity, self.world.seats_free(slot))
        assert (told["status"], told["version"], told["capacity"], told["seats_free"]) == expected


def _bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}


def _refusal_of(does: Callable[[], Any]) -> Refused | None:
    try:
        does()
    except Refused as refused:
        return refused
    return None
