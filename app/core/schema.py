"""The schema as it really is: migrations, and whether every guard still stands.

Alembic does not see a CHECK, an EXCLUDE or a trigger that is gone. So the names in the live catalogue are compared
with those that the tables declare and with the guards that the migrations add.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, inspect, text

from app.core.declared_names import DECLARED

# Guards that no table can declare, by the databases that have them under this name. A PostgreSQL trigger serves
# several events, a SQLite trigger one.
_BOTH: Final = frozenset(
    {
        "ck_audit_entries_append_only",
        "ck_audit_seals_append_only",
        "ck_booking_events_append_only",
        "ck_condition_revisions_immutable",
        "ck_consultation_bookings_new",
        "ck_consultation_bookings_seat",
        "ck_consultation_bookings_slot_open",
        "ck_consultation_bookings_transition",
        "ck_consultation_slots_local_time",
        "ck_consultation_slots_seats_in_use",
        "ck_consultation_slots_transition",
        "ck_erasures_append_only",
        "ex_consultation_slots_clinician_overlap",
        "ex_consultation_slots_room_overlap",
    }
)
GUARDS: Final = {
    "postgresql": _BOTH
    | {
        "ck_audit_entries_append_only_truncate",
        "ck_audit_seals_append_only_truncate",
        "ck_booking_events_append_only_truncate",
        "ck_condition_revisions_immutable_truncate",
        "ck_erasures_append_only_truncate",
    },
    "sqlite": _BOTH
    | {
        "ck_audit_entries_append_only_delete",
        "ck_audit_seals_append_only_delete",
        "ck_booking_events_append_only_delete",
        "ck_condition_revisions_immutable_delete",
        "ck_consultation_bookings_seat_update",
        "ck_consultation_bookings_slot_open_update",
        "ck_erasures_append_only_delete",
        "ex_consultation_slots_clinician_overlap_update",
        "ex_consultation_slots_room_overlap_update",
    },
}


def folder(name: str) -> Path:
    """`migrations` or `seed`: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / name
    return installed if installed.is_dir() else package.parent / name


@cache
def head() -> str:
    """The newest migration: they are named by date, and a test holds this name against Alembic's own answer."""
    newest = max((folder("migrations") / "versions").glob("2*.py"))
    return newest.stem


def current(connection: Connection) -> str | None:
    """The migration that the database is at; None when it has none of ours."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def pending_migrations(connection: Connection) -> bool:
    """Whether the database is not at the newest migration."""
    return current(connection) != head()


def missing_guards(connection: Connection) -> list[str]:
    """Names of constraints, indexes and triggers that should be there and are not, or are switched off."""
    return sorted(expected_names(connection.dialect.name) - live_names(connection))


def expected_names(dialect: str) -> frozenset[str]:
    """Every name that the tables and the guards have on this database."""
    return DECLARED | GUARDS[dialect]


def live_names(connection: Connection) -> frozenset[str]:
    """Every name that the database really has, of what is valid and switched on."""
    if connection.dialect.name == "sqlite":
        return _live_in_sqlite(connection)
    query = text(
        """
        SELECT conname || CASE WHEN condeferred THEN ' DEFERRED' ELSE '' END FROM pg_constraint
        WHERE connamespace = current_schema()::regnamespace AND convalidated
        UNION SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
        WHERE relnamespace = current_schema()::regnamespace AND indisvalid
        UNION SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = current_schema()::regnamespace AND tgenabled = 'O' AND NOT tgisinternal
        """
    )
    return frozenset(connection.scalars(query))


def _live_in_sqlite(connection: Connection) -> frozenset[str]:
    names: set[str] = set()
    rows: Any = connection.execute(text("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
    for kind, name, sql in rows:
        if kind == "table":
            for line in sql.splitlines():
                names |= {
                    f"{constraint} DEFERRED" if "INITIALLY DEFERRED" in line else constraint
                    for constraint in re.findall(r"CONSTRAINT (\w+)", line)
                }
        else:
            names.add(name)
    return frozenset(names)
