"""A clock that can be set on both databases, without a word of it in the application.

Nobody can see whether time has passed or everything that was written down is older than it was. So the clock is set
forward by making the rows older: those of one location, with the triggers that keep history as it was out of the way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Table, bindparam, literal_column, select, text, update
from sqlmodel import SQLModel

import app.tables  # noqa: F401 - they are taken by name here
from app.core.migrations import engine_for
from app.core.settings import Settings

_tables = SQLModel.metadata.tables
_slots, _bookings = _tables["consultation_slots"], _tables["consultation_bookings"]
_events, _records, _locations = _tables["booking_events"], _tables["idempotency_keys"], _tables["locations"]
_slot_ids = select(_slots.c.id).join(_locations).where(_locations.c.slug == bindparam("location"))
_booking_ids = select(_bookings.c.id).where(_bookings.c.slot_id.in_(_slot_ids))
# Every instant that an answer may depend on, and whose it is.
_INSTANTS: Final[dict[Table, tuple[tuple[str, ...], ColumnElement[bool]]]] = {
    _slots: (("starts_at", "ends_at", "created_at"), _slots.c.id.in_(_slot_ids)),
    _bookings: (("hold_expires_at", "created_at"), _bookings.c.id.in_(_booking_ids)),
    _events: (("at",), _events.c.booking_id.in_(_booking_ids)),
    _records: (("expires_at",), _records.c.booking_id.in_(_booking_ids) | _records.c.slot_id.in_(_slot_ids)),
}
# PostgreSQL looks at each moved slot whether it overlaps another: all go far away first, then where they belong.
_FAR: Final = 10 * 365 * 24 * 60


def advance(settings: Settings, location: str, *, minutes: int) -> None:
    """Let so many minutes pass for the slots of this location, and for whatever hangs on them."""
    engine = engine_for(settings)
    with engine.begin() as connection, _without_triggers(connection):
        for table, (names, theirs) in _INSTANTS.items():
            for step in (-_FAR - minutes, _FAR) if table is _slots else (-minutes,):
                moved = {name: _moved(table.c[name], step, connection.dialect.name) for name in names}
                connection.execute(update(table).where(theirs).values(moved), {"location": location})
    engine.dispose()


def _moved(column: Column[Any], minutes: int, dialect: str) -> ColumnElement[Any]:
    if dialect == "postgresql":
        return literal_column(f"{column.name} + interval '{minutes} minutes'")
    # What is finer than a second stays as it was written.
    name = column.name
    return literal_column(f"strftime('%Y-%m-%d %H:%M:%S', {name}, '{minutes} minutes') || substr({name}, 20)")


@contextmanager
def _without_triggers(connection: Connection) -> Iterator[None]:
    if connection.dialect.name == "postgresql":
        for table in _INSTANTS:
            connection.execute(text(f"ALTER TABLE {table.name} DISABLE TRIGGER USER"))
        yield
        for table in _INSTANTS:
            connection.execute(text(f"ALTER TABLE {table.name} ENABLE TRIGGER USER"))
        return
    triggers = connection.execute(text("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")).all()
    for name, _ in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    yield
    for _, sql in triggers:
        connection.exec_driver_sql(sql)
