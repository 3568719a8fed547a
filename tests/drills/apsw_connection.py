"""An apsw connection in the place of the sqlite3 module's: the whole application then runs on a VFS of ours."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import aiosqlite
import apsw

from app.core import db  # noqa: F401 - decides whose errors aiosqlite's are


class ApswConnection:
    """What aiosqlite and `app.core.sqlite` ask of a connection."""

    def __init__(self, path: Path, vfs: str) -> None:
        self._connection = apsw.Connection(str(path), vfs=vfs)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun."""
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> "ApswResult":
        """Execute one statement and fetch its rows; raises the sqlite3 module's errors."""
        result = ApswResult()

        def note_columns(cursor: apsw.Cursor, _sql: str, _bindings: Any) -> bool:
            # The only moment at which apsw tells the columns of a statement that finds no row.
            result.description = [(name, *(None,) * 6) for name, *_ in cursor.get_description()] or None
            return True

        cursor = self._connection.cursor()
        cursor.exec_trace = note_columns
        changes = self._connection.total_changes()
        try:
            result.rows = cursor.execute(sql, tuple(parameters)).fetchall()
        except apsw.Error as error:
            raise _translated(error) from None
        result.rowcount = self._connection.changes() if self._connection.total_changes() > changes else 0
        result.lastrowid = self._connection.last_insert_rowid()
        return result

    def executemany(self, sql: str, many: Iterable[Sequence[Any]]) -> "ApswResult":
        """Execute one statement for each set of parameters."""
        result = ApswResult()
        for parameters in many:
            result = self.execute(sql, parameters)
        return result

    def commit(self) -> None:
        """Commit, where something was begun."""
        if self.in_transaction:
            self.execute("COMMIT")

    def rollback(self) -> None:
        """Roll back, where something was begun."""
        if self.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def create_function(self, *_: Any, **__: Any) -> None:
        """Do nothing: SQLAlchemy adds `regexp`, which the application does not use."""


class ApswResult:
    """What a statement gave, as a cursor of the sqlite3 module tells it."""

    def __init__(self) -> None:
        self.description: list[tuple[Any, ...]] | None = None
        self.rows: list[Any] = []
        self.rowcount = -1
        self.lastrowid = 0

    def fetchall(self) -> list[Any]:
        """All rows."""
        return self.rows

    def close(self) -> None:
        """Do nothing: all was fetched."""


def _translated(error: apsw.Error) -> aiosqlite.Error:
    is_integrity = isinstance(error, apsw.ConstraintError)
    kind = aiosqlite.IntegrityError if is_integrity else aiosqlite.OperationalError
    translated = kind(str(error))
    codes: Any = apsw.mapping_extended_result_codes | apsw.mapping_result_codes
    # The extended code of an error is its own, where it has one.
    translated.sqlite_errorname = codes[getattr(error, "extendedresult", apsw.SQLITE_ERROR)]
    return translated
