"""No guard, no service: the promise that a seat is given once is proven anew whenever a process starts.

What is asked here is written without the tables' classes: to make those takes longer than all of this.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Column, Date, Index, Integer, LargeBinary, MetaData, Table, Text, Uuid, insert, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import UTCDateTime

from app.consultations.local_times import local_time
from app.core import clock, schema
from app.core.crypto import Keyring
from app.core.database_errors import constraint_of
from app.core.db import Database, connection_of
from app.core.errors import NotReady
from app.core.ids import digest, new_id, new_reference

_SEAT_LIVE: Final = "uq_consultation_bookings_seat_live"
_TABLES: Final = MetaData()
_SLOTS: Final = Table(
    "consultation_slots",
    _TABLES,
    Column("id", Uuid),
    Column("starts_at", UTCDateTime),
    Column("ends_at", UTCDateTime),
    Column("time_zone", Text),
    Column("mode", Text),
    Column("capacity", Integer),
    Column("status", Text),
    Column("version", Integer),
    Column("created_at", UTCDateTime),
    Column("local_date", Date),
    Column("local_weekday", Integer),
    Column("local_minute", Integer),
)
_BOOKINGS: Final = Table(
    "consultation_bookings",
    _TABLES,
    Column("id", Uuid),
    Column("slot_id", Uuid),
    Column("seat", Integer),
    Column("reference", Text),
    Column("secret_hash", LargeBinary),
    Column("state", Text),
    Column("version", Integer),
    Column("created_at", UTCDateTime),
    Index(_SEAT_LIVE, "slot_id", "seat", unique=True),
)
_KEYS: Final = text(
    """
    SELECT 'sealing' AS used_for, key_id FROM patient_details
    UNION SELECT 'sealing', key_id FROM idempotency_keys
    UNION SELECT 'chaining', key_id FROM audit_seals
    """
)


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
    async with database.look() as connection:
        used = (await connection.execute(_KEYS)).all()
    known = {"sealing": keyring.keys, "chaining": keyring.seal_keys}
    return sorted({key_id for used_for, key_id in used if key_id not in known[used_for]})


async def seat_is_given_once(database: Database) -> bool:
    """Whether a second live booking of one seat is really refused: it is tried, and always rolled back."""
    refused_by = None
    with suppress(_RollBack):
        async with database.write() as session:
            now, connection = await clock.now_in(session), await connection_of(session)
            slot_id = await _post_slot(connection, now)
            await _book_first_seat(connection, slot_id, now)
            try:
                async with connection.begin_nested():
                    await _book_first_seat(connection, slot_id, now)
            except IntegrityError as error:
                refused_by = constraint_of(error, _TABLES)
            raise _RollBack
    return refused_by == _SEAT_LIVE


async def _post_slot(connection: AsyncConnection, now: datetime) -> UUID:
    slot_id, starts_at = new_id(), now + timedelta(days=1)
    await connection.execute(
        insert(_SLOTS).values(
            id=slot_id,
            starts_at=starts_at,
            ends_at=now + timedelta(days=2),
            time_zone="UTC",
            mode="phone",
            capacity=1,
            status="open",
            version=1,
            created_at=now,
            **local_time(starts_at, "UTC")._asdict(),
        )
    )
    return slot_id


async def _book_first_seat(connection: AsyncConnection, slot_id: UUID, now: datetime) -> None:
    await connection.execute(
        insert(_BOOKINGS).values(
            id=new_id(),
            slot_id=slot_id,
            seat=1,
            reference=new_reference(),
            secret_hash=digest("nobody"),
            state="booked",
            version=1,
            created_at=now,
        )
    )
