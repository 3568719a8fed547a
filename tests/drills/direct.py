"""The doors of bookings and slots without HTTP: the same functions in the same transactions, a million times."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from typing import Any, Final
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy.exc import DBAPIError
from starlette.status import HTTP_500_INTERNAL_SERVER_ERROR, HTTP_503_SERVICE_UNAVAILABLE

from app.access.callers import ANONYMOUS, Caller, Scope
from app.consultations import seats
from app.consultations.booking_shapes import (
    CancellationCreate,
    ConfirmationCreate,
    ConsultationBookingCreate,
    RescheduleCreate,
)
from app.consultations.plan_shapes import SlotPlanPublic
from app.consultations.plan_wishes import SlotPlanCreate
from app.consultations.policies import Policy
from app.consultations.reasons import CancellationReason
from app.consultations.slot_shapes import ConsultationSlotCreate, SlotCancellation
from app.content.published import PublishedPages
from app.content.search import Search
from app.core import crypto, problems
from app.core.brief import BriefMemory
from app.core.db import Database, DatabaseBusy
from app.core.errors import Refusal
from app.core.settings import Settings
from app.routers import booking_actions, consultation_bookings, consultation_slots, slot_plans
from app.routers.booking_views import ConsultationBookingPublic
from app.routers.deps import House

ADMIN: Final = Caller("drill", frozenset(Scope))
# What becomes a problem of RFC 9457 when a door raises it.
REFUSED: Final = (Refusal, DBAPIError, DatabaseBusy)
Door = Callable[..., Awaitable[Any]]


class Doors:
    """One process's doors on one database. Each is handed what it asks for, by name, as FastAPI would."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.database = database
        keyring, policy = crypto.load_keyring(settings.keyring_path), Policy.of_hospital(settings)
        memories = PublishedPages(database, memory_mb=1), Search(database), BriefMemory(database)
        self.house = House(database, keyring, *memories, policy, settings)
        self.own = {"house": self.house, "request": _request(consultation_bookings.router.prefix), "caller": ANONYMOUS}

    async def book(self, wish: ConsultationBookingCreate, key: str, *, hold_seconds: float = 300) -> Response:
        """Book, or hold for so long, as an anonymous caller."""
        # A hold of less than a second is not for sale; this one ends soon enough to be met.
        settings = self.house.settings.model_copy(update={"hold_seconds": hold_seconds})
        house = replace(self.house, settings=settings)
        answer: Response = await self._ask(consultation_bookings.book_consultation, wish=wish, key=key, house=house)
        return answer

    async def confirm(self, reference: str, token: str, wish: ConfirmationCreate) -> ConsultationBookingPublic:
        """Confirm a hold."""
        return await self._act(booking_actions.confirm_consultation_booking, reference, token, wish=wish)

    async def cancel(self, reference: str, token: str) -> ConsultationBookingPublic:
        """Cancel a booking."""
        wish = CancellationCreate()
        return await self._act(booking_actions.cancel_consultation_booking, reference, token, wish=wish)

    async def reschedule(self, reference: str, token: str, slot_id: UUID) -> ConsultationBookingPublic:
        """Move a booking to this slot."""
        wish = RescheduleCreate(slot_id=slot_id)
        return await self._act(booking_actions.reschedule_consultation_booking, reference, token, wish=wish)

    async def fulfil(self, reference: str, token: str) -> ConsultationBookingPublic:
        """Say that the consultation took place."""
        return await self._act(booking_actions.fulfil_consultation_booking, reference, token)

    async def mark_no_show(self, reference: str, token: str) -> ConsultationBookingPublic:
        """Say that the patient did not come."""
        return await self._act(booking_actions.mark_consultation_booking_no_show, reference, token)

    async def post_slot(self, wish: ConsultationSlotCreate, key: str) -> Response:
        """Post a slot."""
        answer: Response = await self._ask(
            consultation_slots.create_consultation_slot, wish=wish, key=key, caller=ADMIN
        )
        return answer

    async def close_slot(self, slot_id: UUID) -> None:
        """Close a slot, whatever its version."""
        await self._change_slot(consultation_slots.close_consultation_slot, slot_id)

    async def open_slot(self, slot_id: UUID) -> None:
        """Open a slot, whatever its version."""
        await self._change_slot(consultation_slots.open_consultation_slot, slot_id)

    async def cancel_slot(self, slot_id: UUID) -> None:
        """Cancel a slot and its bookings, whatever its version."""
        wish = SlotCancellation(reason=CancellationReason.PROVIDER)
        await self._change_slot(consultation_slots.cancel_consultation_slot, slot_id, wish=wish)

    async def make_plan(self, wish: SlotPlanCreate) -> SlotPlanPublic:
        """Plan what becomes of slots."""
        plan: SlotPlanPublic = await self._ask(
            slot_plans.create_slot_plan, wish=wish, response=Response(), caller=ADMIN
        )
        return plan

    async def apply_plan(self, plan_id: UUID) -> None:
        """Do what a plan says."""
        await self._ask(slot_plans.apply_slot_plan, plan_id=plan_id, caller=ADMIN)

    async def expire(self) -> int:
        """End holds whose time is over, as the worker does."""
        async with self.database.write() as session:
            return await seats.expire_stale(session, limit=50)

    async def _act(self, door: Door, reference: str, token: str, **given: Any) -> ConsultationBookingPublic:
        answer: ConsultationBookingPublic = await self._ask(door, reference=reference, token=token, **given)
        return answer

    async def _change_slot(self, door: Door, slot_id: UUID, **given: Any) -> None:
        await self._ask(door, slot_id=slot_id, versions=None, caller=ADMIN, **given)

    async def _ask(self, door: Door, **given: Any) -> Any:
        asked = _asked(door)
        given = {name: self.own[name] for name in asked & self.own.keys()} | given
        if "session" not in asked:
            return await door(**given)
        async with self.database.write() as session:
            return await door(session=session, **given)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Doors]:
    """The doors of this database."""
    database = Database(settings)
    try:
        yield Doors(settings, database)
    finally:
        await database.close()


def refusal_code(error: Exception) -> str:
    """What a client would read as `code`; of a 503 the cause too; of what is nobody's refusal, what it is."""
    refusal = problems._as_refusal(error)  # noqa: SLF001 - as the problem handlers see it
    cause = getattr(error, "orig", None)
    known = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or type(error).__name__
    if refusal.status == HTTP_500_INTERNAL_SERVER_ERROR:
        return f"broken: {type(error).__name__} {known}"
    return f"{refusal.code} {known}" if refusal.status == HTTP_503_SERVICE_UNAVAILABLE else refusal.code


@cache
def _asked(door: Door) -> frozenset[str]:
    return frozenset(inspect.signature(door).parameters)


def _request(path: str) -> Request:
    return Request({"type": "http", "method": "POST", "path": path, "headers": [], "client": ("127.0.0.1", 1)})
