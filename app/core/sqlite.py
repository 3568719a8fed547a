"""SQLite's way to the event loop: aiosqlite, with one trip to its thread for each statement.

SQLAlchemy asks for a cursor, executes, fetches all rows and closes: four trips, and a fifth to begin the transaction.
A trip costs more than most of our statements do. Measured with one process and 16 clients, listing 20 rows: 2.5 times
the requests of plain aiosqlite.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiosqlite

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=5000",
    "trusted_schema=OFF",
    # Else INSERT OR REPLACE would go past the triggers that keep rows from being deleted.
    "recursive_triggers=ON",
)


async def connect(path: Path, begin: str, *pragmas: str) -> aiosqlite.Connection:
    """Open a connection whose transactions begin with this statement; without one, each statement is its own."""
    connection = Connection(path, begin, *pragmas)
    try:
        return await connection
    except BaseException:
        # Its thread ends by itself, but speaks to the event loop once more: not after the loop was closed.
        await asyncio.to_thread(connection.join)
        raise


class Connection(aiosqlite.Connection):
    """An aiosqlite connection whose transactions begin with their first statement."""

    def __init__(self, path: Path, begin: str, *pragmas: str) -> None:
        super().__init__(partial(_connect, path, pragmas), iter_chunk_size=64)
        self._begin = begin
        self._thread.daemon = True

    def join(self) -> None:
        """Wait for the thread's end."""
        self._thread.join()

    def cursor(self) -> "Cursor":  # type: ignore[override]
        """Make a cursor, without a trip to the thread."""
        return Cursor(self)

    async def rollback(self) -> None:
        """Roll back; where nothing was begun, without a trip to the thread."""
        if self._conn.in_transaction:
            await super().rollback()

    async def run(self, sql: str, parameters: Any, *, many: bool) -> "_Result":
        """Begin a transaction where there is none, execute, and fetch all rows."""
        result: _Result = await self._execute(self._run, sql, parameters, many=many)  # type: ignore[no-untyped-call]
        return result

    def _run(self, sql: str, parameters: Any, *, many: bool) -> "_Result":
        connection = self._conn
        if self._begin and not connection.in_transaction:
            connection.execute(self._begin)
        cursor = connection.executemany(sql, parameters) if many else connection.execute(sql, parameters)
        try:
            rows = cursor.fetchall() if cursor.description else []
            return _Result(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
        finally:
            cursor.close()


class _Result:
    """What a statement gave."""

    def __init__(self, description: Any, rowcount: int, lastrowid: int | None, rows: list[Any]) -> None:
        self.description = description
        self.rowcount = rowcount
        self.lastrowid = lastrowid
        self.rows = rows


class Cursor:
    """What SQLAlchemy asks of an asynchronous cursor; all but `execute` is answered from what that has fetched."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._result = _Result(None, -1, None, [])

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> "Cursor":
        """Execute one statement."""
        self._result = await self._connection.run(sql, parameters, many=False)
        return self

    async def executemany(self, sql: str, parameters: Iterable[Sequence[Any]]) -> "Cursor":
        """Execute one statement for each set of parameters."""
        self._result = await self._connection.run(sql, parameters, many=True)
        return self

    async def fetchall(self) -> list[Any]:
        """All rows of the last statement."""
        return self._result.rows

    async def close(self) -> None:
        """Do nothing: the real cursor was closed when its rows were fetched."""

    @property
    def description(self) -> Any:
        """The columns of the last statement's rows; None where it gave none."""
        return self._result.description

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""
        return self._result.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The row id of the last inserted row."""
        return self._result.lastrowid


def _connect(path: Path, pragmas: Iterable[str]) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in (*_PRAGMAS, *pragmas):
        connection.execute(f"PRAGMA {pragma}")
    return connection
