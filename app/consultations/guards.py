"""No guard, no service: the promise that a seat is given once is proven anew whenever a process starts."""

from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.tables import AuditSeal, IdempotencyRecord
from app.consultations.local_times import local_time
from app.consultations.tables import (
    BookingState,
    ConsultationBooking,
    ConsultationSlot,
    PatientDetail,
    SlotMode,
    SlotStatus,
)
from app.core import clock, schema
from app.core.crypto import Keyring
from app.core.database_errors import constraint_of
from app.core.db import Database
from app.core.errors import NotReady
from app.core.ids import digest, new_id, new_reference


class GuardsMissing(NotReady):
    """The database lacks what the promises rest on. The text names what is missing."""


class _RollBack(Exception):
    """Leaves a transaction without a trace."""


async def refuse_to_serve_without(database: Database) -> None:
    """Raise GuardsMissing unless the schema is current and every guard stands."""
    async with database.reading.connect() as connection:
        if await connection.run_sync(schema.pending_migrations):
            raise GuardsMissing("the database is not at the newest migration: run `carepath migrate`")
        missing = await connection.run_sync(schema.missing_guards)
    if missing:
        raise GuardsMissing(f"the database lacks {', '.join(missing)}")
    if not await seat_is_given_once(database):
        raise GuardsMissing("the database lets one seat be booked twice")


async def unknown_keys(database: Database, keyring: Keyring) -> list[str]:
    """Ids of keys that this key ring lacks: something is sealed with them, or the trail's chain is."""
    async with database.read() as session:
        details, answers, seals = [
            set(await session.exec(select(col(table.key_id)).distinct()))
            for table in (PatientDetail, IdempotencyRecord, AuditSeal)
        ]
    return sorted((details | answers) - keyring.keys.keys() | seals - keyring.seal_keys.keys())


async def seat_is_given_once(database: Database) -> bool:
    """Whether a second live booking of one seat is really refused: it is tried, and always rolled back."""
    refused_by = None
    with suppress(_RollBack):
        async with database.write() as session:
            now = await clock.now_in(session)
            slot_id = await _post_slot(session, now)
            await _book_first_seat(session, slot_id, now)
            try:
                async with session.begin_nested():
                    await _book_first_seat(session, slot_id, now)
            except IntegrityError as error:
                refused_by = constraint_of(error)
            raise _RollBack
    return refused_by == "uq_consultation_bookings_seat_live"


async def _post_slot(session: AsyncSession, now: datetime) -> UUID:
    slot_id, starts_at = new_id(), now + timedelta(days=1)
    await session.exec(
        insert(ConsultationSlot).values(
            id=slot_id,
            starts_at=starts_at,
            ends_at=now + timedelta(days=2),
            time_zone="UTC",
            mode=SlotMode.PHONE,
            capacity=1,
            status=SlotStatus.OPEN,
            version=1,
            created_at=now,
            **local_time(starts_at, "UTC")._asdict(),
        )
    )
    return slot_id


async def _book_first_seat(session: AsyncSession, slot_id: UUID, now: datetime) -> None:
    await session.exec(
        insert(ConsultationBooking).values(
            id=new_id(),
            slot_id=slot_id,
            seat=1,
            reference=new_reference(),
            secret_hash=digest("nobody"),
            state=BookingState.BOOKED,
            version=1,
            created_at=now,
        )
    )
