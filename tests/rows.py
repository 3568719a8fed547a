"""What stands in the database: looked at, and changed by hand."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Insert, Update, insert, update
from sqlalchemy import select as core_select
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel, col

from app.access.tables import IdempotencyRecord
from app.consultations.local_times import local_time
from app.consultations.tables import BookingState, ConsultationBooking, ConsultationSlot, SlotMode, SlotStatus
from app.core import clock
from app.core.database_errors import constraint_of
from app.core.db import Database
from app.core.ids import digest, new_id, new_reference


async def run(database: Database, *statements: Executable) -> None:
    """Run these in one transaction."""
    async with database.write() as session:
        connection = await session.connection()
        for statement in statements:
            await connection.execute(statement)


async def refused_by(database: Database, *statements: Executable) -> str | None:
    """Run these in one transaction: the name of the guard that refused them, None when they stand."""
    try:
        await run(database, *statements)
    except IntegrityError as error:
        return constraint_of(error) or "a guard without a name"
    return None


async def everything(database: Database, table: type[SQLModel], *where: Any) -> list[dict[str, Any]]:
    """The rows of this table for which this holds."""
    columns = SQLModel.metadata.tables[str(table.__tablename__)].columns
    async with database.reading.connect() as connection:
        return [dict(row) for row in (await connection.execute(core_select(*columns).where(*where))).mappings()]


async def counts(database: Database, *tables: type[SQLModel]) -> list[int]:
    """How many rows each of these tables has."""
    return [len(await everything(database, table)) for table in tables]


def new_slot(**changes: Any) -> Insert:
    """A slot that can be booked, past the room's own rules."""
    now = clock.now()
    values: dict[str, Any] = {
        "id": new_id(),
        "starts_at": now + timedelta(days=1),
        "ends_at": now + timedelta(days=1, hours=1),
        "time_zone": "UTC",
        "mode": SlotMode.PHONE,
        "capacity": 1,
        "status": SlotStatus.OPEN,
        "version": 1,
        "created_at": now,
    }
    values |= changes
    local = local_time(values["starts_at"], values["time_zone"])
    return insert(ConsultationSlot).values(local._asdict() | values)


def new_booking(slot_id: UUID, **changes: Any) -> Insert:
    """A booking of this slot's first seat, past the room's own rules."""
    values = {
        "id": new_id(),
        "slot_id": slot_id,
        "seat": 1,
        "reference": new_reference(),
        "secret_hash": digest("nobody's"),
        "state": BookingState.BOOKED,
        "version": 1,
        "created_at": clock.now(),
    }
    return insert(ConsultationBooking).values(values | changes)


def new_record(**changes: Any) -> Insert:
    """A first attempt's record as it is before the booking that it tells of."""
    values = {
        "caller": "anonymous",
        "operation": "book_consultation",
        "key_hash": b"",
        "fingerprint": b"",
        "booking_id": new_id(),
        "key_id": "",
        "wrapped_key": b"",
        "nonce": b"",
        "answer": b"",
        "expires_at": clock.now() + timedelta(hours=1),
    }
    return insert(IdempotencyRecord).values(values | changes)


async def make_slot(database: Database, **changes: Any) -> UUID:
    """Put a slot there; returns its id."""
    slot_id = new_id()
    await run(database, new_slot(id=slot_id, **changes))
    return slot_id


async def make_booking(database: Database, slot_id: UUID, **changes: Any) -> UUID:
    """Put a booking of this slot there; returns its id."""
    booking_id = new_id()
    await run(database, new_booking(slot_id, id=booking_id, **changes))
    return booking_id


def change_slot(slot_id: UUID | str, **changes: Any) -> Update:
    """A change to this slot."""
    return update(ConsultationSlot).where(col(ConsultationSlot.id) == UUID(str(slot_id))).values(changes)


def change_booking(booking_id: UUID, **changes: Any) -> Update:
    """A step of this booking; its version rises by one unless told otherwise."""
    booking = ConsultationBooking
    return update(booking).where(col(booking.id) == booking_id).values({"version": booking.version + 1} | changes)
