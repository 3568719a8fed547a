"""What a careless change could do to the application. Each must turn a drill red, or the drill proves nothing.

Each is entered as a context, and lasts as long; a process of the storm is given one to live under.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest import mock
from uuid import UUID

import psycopg
from sqlalchemy import Select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit, idempotency
from app.access.idempotency import Answer
from app.consultations import slot_queries, slots
from app.consultations.errors import SlotTaken
from app.core import sqlite
from app.core.ids import new_reference

_once = idempotency.once
_lock = slots.lock


@contextmanager
def refusals_swallowed() -> Iterator[None]:
    """A booking that is refused is answered within the transaction, which then commits what came before."""

    async def once(session: AsyncSession, attempt: Any, **how: Any) -> Answer:
        try:
            return await _once(session, attempt, **how)
        except SlotTaken:
            answer = {"reference": new_reference(), "version": 1, "state": "booked", "token": "cp_booking_none"}
            return Answer(json.dumps(answer).encode(), is_replay=False)

    with mock.patch.object(idempotency, "once", once):
        yield


@contextmanager
def refusals_swallowed_without_keys() -> Iterator[None]:
    """The same on a database that checks no foreign keys; on PostgreSQL the one that matters is dropped by hand."""
    pragmas = [pragma.replace("foreign_keys=ON", "foreign_keys=OFF") for pragma in sqlite._PRAGMAS]  # noqa: SLF001
    with mock.patch.object(sqlite, "_PRAGMAS", pragmas), refusals_swallowed():
        yield


@contextmanager
def slots_not_locked() -> Iterator[None]:
    """Whoever books, closes or cancels a slot reads its row without locking it."""
    with mock.patch.object(Select, "with_for_update", lambda query, **_: query):
        unlocked = slot_queries.locked.__wrapped__()
    with mock.patch.object(slot_queries, "locked", return_value=unlocked):
        yield


def unlock_trigger(connection: psycopg.Connection[Any]) -> None:
    """Let the trigger that looks at a booking's slot look without a lock."""
    (found,) = connection.execute("SELECT pg_get_functiondef('carepath_check_booked_slot'::regproc)").fetchall()
    assert " FOR SHARE" in found[0]
    connection.execute(found[0].replace(" FOR SHARE", ""))


@contextmanager
def trail_forgotten() -> Iterator[None]:
    """Nothing that is done is noted in the audit trail."""

    async def record_each(*_: Any, **__: Any) -> None:
        pass

    with mock.patch.object(audit, "record_each", record_each):
        yield


@contextmanager
def clients_clock_trusted() -> Iterator[None]:
    """Whether a slot can be booked is decided by what the client takes for the time; this one is two hours late."""

    async def lock(session: AsyncSession, slot_id: UUID) -> Any:
        slot = await _lock(session, slot_id)
        return SimpleNamespace(**dict(slot._mapping) | {"now": slot.now - timedelta(hours=2)})  # noqa: SLF001 - SQLAlchemy means it

    with mock.patch.object(slots, "lock", lock):
        yield
