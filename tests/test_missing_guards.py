"""A database that has lost a guard is not served: each one is taken away in turn, and missed by its name."""

import re

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.consultations.guards import GuardsMissing, refuse_to_serve_without
from app.consultations.tables import ConsultationBooking, ConsultationSlot
from app.core import schema
from app.core.db import Database
from tests.rows import counts, run

SEAT_LIVE = "uq_consultation_bookings_seat_live"
GUARDED = (
    "audit_entries",
    "audit_seals",
    "booking_events",
    "condition_revisions",
    "consultation_bookings",
    "consultation_slots",
    "erasures",
)


def taking_away(name: str, dialect: str) -> str:
    """What takes away the guard of this name; a trigger of PostgreSQL is only switched off, which is harder to see."""
    if name == SEAT_LIVE:
        return f"DROP INDEX {name}"
    if dialect == "sqlite":
        return f"DROP TRIGGER {name}"
    if name.startswith("ex_"):
        return f"ALTER TABLE consultation_slots DROP CONSTRAINT {name}"
    (table,) = (table for table in GUARDED if name.startswith(f"ck_{table}"))
    return f"ALTER TABLE {table} DISABLE TRIGGER {name}"


async def missed(database: Database) -> set[str]:
    """The names that a start misses."""
    with pytest.raises(GuardsMissing) as refusal:
        await refuse_to_serve_without(database)
    return set(re.findall(r"\b[a-z]+_[a-z_]+\b", str(refusal.value)))


async def test_a_database_with_all_its_guards_is_served_and_left_as_it_was(database: Database) -> None:
    await refuse_to_serve_without(database)
    assert await counts(database, ConsultationSlot, ConsultationBooking) == [0, 0]


async def test_each_guard_that_is_taken_away_is_missed(database: Database) -> None:
    dialect = database.writing.dialect.name
    gone = set()
    for name in sorted({SEAT_LIVE} | schema.GUARDS[dialect]):
        await run(database, text(taking_away(name, dialect)))
        gone.add(name)
        assert await missed(database) == gone


async def test_an_index_that_only_bears_the_name_is_not_believed(database: Database) -> None:
    index = f"CREATE INDEX {SEAT_LIVE} ON consultation_bookings (slot_id, seat) WHERE state IN ('held', 'booked')"
    await run(database, text(f"DROP INDEX {SEAT_LIVE}"), text(index))
    with pytest.raises(GuardsMissing, match="lets one seat be booked twice"):
        await refuse_to_serve_without(database)


async def test_the_application_does_not_start_without_its_guards(app: FastAPI, database: Database) -> None:
    await run(database, text(f"DROP INDEX {SEAT_LIVE}"))
    with pytest.raises(GuardsMissing, match=SEAT_LIVE):
        async with app.router.lifespan_context(app):
            pass
