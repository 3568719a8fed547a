"""What the errors of both databases mean."""

import re
from typing import Final

from sqlalchemy import MetaData, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import SQLModel

# PostgreSQL's SQLSTATE for a lock that was not to be had within lock_timeout.
LOCK_NOT_AVAILABLE: Final = "55P03"


def constraint_of(error: IntegrityError, tables: MetaData = SQLModel.metadata) -> str | None:
    """The name of the violated constraint. Never the error's text, which carries values on PostgreSQL.

    SQLite names checks and our triggers, but tells columns for unique ones, which are looked up in `tables`, and
    nothing for foreign keys.
    """
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        name: str | None = diagnosis.constraint_name
        return name
    kind, _, subject = str(error.orig.args[0] if error.orig else "").partition(" constraint failed: ")
    if kind == "UNIQUE":
        return _unique_names(tables).get(subject)
    # A trigger raises its own name. A foreign key says no name.
    return subject or (kind if re.fullmatch(r"(ck|ex)_\w+", kind) else None)


def _unique_names(metadata: MetaData) -> dict[str, str]:
    names: dict[str, str] = {}
    for table in metadata.tables.values():
        uniques = (UniqueConstraint, PrimaryKeyConstraint)
        for unique in (
            *(constraint for constraint in table.constraints if isinstance(constraint, uniques)),
            *(index for index in table.indexes if index.unique),
        ):
            columns = ", ".join(f"{table.name}.{column.name}" for column in unique.columns)
            names[columns] = str(unique.name)
    return names


def is_temporary(error: DBAPIError) -> bool:
    """Whether the same request may succeed a moment later: a time-out, a deadlock, a lost connection, a full disk."""
    if error.connection_invalidated:
        return True
    if hasattr(error.orig, "sqlstate"):
        # Class 08 connection, 40 rollback, 53 resources, 55P03 lock, 57 operator intervention and time-outs.
        state: str | None = getattr(error.orig, "sqlstate")  # noqa: B009 - only psycopg's errors have it
        return state is None or state[:2] in ("08", "40", "53", "57") or state == LOCK_NOT_AVAILABLE
    name = getattr(error.orig, "sqlite_errorname", "") or ""
    later = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_INTERRUPT")
    return name.startswith(later)
