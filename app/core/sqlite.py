"""SQLite's way to the event loop: aiosqlite, with as few trips to its thread as may be.

SQLAlchemy asks for a cursor, executes, fetches all rows and closes: four trips, and a fifth to begin the transaction.
A trip costs more than most of our statements do. A read takes one for each statement (measured with 16 clients that
list 20 rows: 2.5 times the requests of plain aiosqlite), a write one for the COMMIT, which waits for the disk.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import aiosqlite
from sqlalchemy import Select
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=5000",
    "trusted_schema=OFF",
    # Else INSERT OR REPLACE would go past the triggers that keep rows from being deleted.
    "recursive_triggers=ON",
)
# As long as PostgreSQL lets a statement run.
LONGEST_SECONDS = 3.0
# How often it is looked whether that is over: a hundred thousand steps of its machine are some milliseconds.
_STEPS_A_LOOK = 100_000
# A statement with more values runs in the thread: this many are some thirty rows, written in less than a millisecond.
_MOST_VALUES_ON_THE_LOOP = 300
# So does one with a longer text as its only value, which stands for many: see `core/recordsets.py`.
_MOST_CHARACTERS_ON_THE_LOOP = 4_000


class Result(NamedTuple):
    """What a statement gave."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None
    rows: Sequence[Any] = ()


class Reader(aiosqlite.Connection):
    """A connection that cannot write; its statements run in its thread, for a long one must not stop the event loop."""

    pragmas: ClassVar[tuple[str, ...]] = ("query_only=ON",)

    def __init__(self, path: Path, begin: str = "") -> None:
        """`begin` is how transactions begin, with their first statement; without it, each statement is its own."""
        super().__init__(lambda: _connect(path, self.pragmas), iter_chunk_size=64)
        self._begin = begin
        self._thread.daemon = True

    async def open(self) -> Self:
        """Connect."""
        try:
            await self
        except BaseException:
            # Its thread ends by itself, but speaks to the event loop once more: not after the loop was closed.
            await asyncio.to_thread(self._thread.join)
            raise
        return self

    def cursor(self) -> "Cursor":  # type: ignore[override]
        """Make a cursor, without a trip to the thread."""
        return Cursor(self)

    def stop(self) -> "asyncio.Future[Any] | None":
        """End the thread, once: it would not answer whoever asks it again."""
        return super().stop() if self._running else None

    async def rollback(self) -> None:
        """Roll back; where nothing was begun, without a trip to the thread."""
        if self._conn.in_transaction:
            await super().rollback()

    async def run(self, sql: str, parameters: Sequence[Any], *, many: bool) -> Result:
        """Begin a transaction where there is none, execute, and fetch all rows."""
        result: Result = await self._execute(self._begin_and_run, sql, parameters, many=many)
        return result

    async def ask(self, sql: str, parameters: Sequence[Any]) -> Result:
        """Execute a hot read, and fetch all rows; one that takes longer than LONGEST_SECONDS is interrupted."""
        if not self._running:
            # As SQLAlchemy says what aiosqlite says by a ValueError.
            raise sqlite3.OperationalError
        result: Result = await self._execute(self._run_in_time, sql, parameters)
        return result

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run this in the thread, and come back when it has ended there: also when cancelled meanwhile.

        So whoever goes on, to roll back or to let the next one write, has the connection to themselves.
        """
        try:
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            while self._running:
                with suppress(asyncio.CancelledError):
                    # What is queued now runs after it.
                    await super()._execute(lambda: None)  # type: ignore[no-untyped-call]
                    break
            raise

    def _begin_and_run(self, sql: str, parameters: Sequence[Any], *, many: bool) -> Result:
        if self._begin and not self._conn.in_transaction:
            self._conn.execute(self._begin)
        return self._run(sql, parameters, many=many)

    def _run_in_time(self, sql: str, parameters: Sequence[Any]) -> Result:
        until = time.monotonic() + LONGEST_SECONDS
        self._conn.set_progress_handler(lambda: time.monotonic() > until, _STEPS_A_LOOK)
        try:
            return self._begin_and_run(sql, parameters, many=False)
        finally:
            self._conn.set_progress_handler(None, 0)

    def _run(self, sql: str, parameters: Sequence[Any], *, many: bool) -> Result:
        connection = self._conn
        cursor = connection.executemany(sql, parameters) if many else connection.execute(sql, parameters)
        try:
            rows = cursor.fetchall() if cursor.description else ()
            return Result(cursor.description, cursor.rowcount, cursor.lastrowid, rows)
        finally:
            cursor.close()


class Writer(Reader):
    """The connection that writes: on the event loop, but for what may wait for others or for the disk.

    Its statements are short. The loop does not touch the connection while its thread does: see `_execute`.
    """

    # It waits for others in its thread only. What is deleted is overwritten: patients' data is gone from the file.
    pragmas: ClassVar[tuple[str, ...]] = ("busy_timeout=0", "secure_delete=ON")

    def __init__(self, path: Path, committed: Callable[[], None]) -> None:
        """`committed` is called right after each COMMIT, in the thread, before the event loop hears of it."""
        super().__init__(path, "BEGIN IMMEDIATE")
        self._committed = committed

    async def commit(self) -> None:
        """Commit; where nothing was begun, without a trip to the thread."""
        if self._conn.in_transaction:
            await self._execute(self._commit)

    async def rollback(self) -> None:
        """Roll back: the write-ahead log keeps what it has, so the disk is not waited for."""
        self._conn.rollback()

    async def run(self, sql: str, parameters: Sequence[Any], *, many: bool) -> Result:
        """Begin a transaction where there is none, execute, and fetch all rows."""
        if not self._conn.in_transaction:
            try:
                self._conn.execute(self._begin)
            except sqlite3.OperationalError:
                # Somebody writes who does not know of our lock, such as a person with SQLite's own shell.
                await self._execute(self._begin_patiently)
        values = len(parameters) * len(parameters[0]) if many else len(parameters)
        is_long = values == 1 and isinstance(parameters[0], str) and len(parameters[0]) > _MOST_CHARACTERS_ON_THE_LOOP
        if values > _MOST_VALUES_ON_THE_LOOP or is_long:
            return await super().run(sql, parameters, many=many)
        return self._run(sql, parameters, many=many)

    def _begin_patiently(self) -> None:
        self._conn.execute("PRAGMA busy_timeout=5000")
        try:
            self._conn.execute(self._begin)
        finally:
            self._conn.execute("PRAGMA busy_timeout=0")

    def _commit(self) -> None:
        self._conn.commit()
        self._committed()


class Cursor:
    """What SQLAlchemy asks of an asynchronous cursor; all but `execute` is answered from what that has fetched."""

    arraysize = 1

    def __init__(self, connection: Reader) -> None:
        self._connection = connection
        self._note(Result())

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Self:
        """Execute one statement."""
        return self._note(await self._connection.run(sql, parameters, many=False))

    async def executemany(self, sql: str, parameters: Sequence[Sequence[Any]]) -> Self:
        """Execute one statement for each set of parameters."""
        return self._note(await self._connection.run(sql, parameters, many=True))

    async def fetchall(self) -> Sequence[Any]:
        """All rows of the last statement."""
        return self._rows

    async def close(self) -> None:
        """Do nothing: the real cursor was closed when its rows were fetched."""

    def _note(self, result: Result) -> Self:
        self.description, self.rowcount, self.lastrowid, self._rows = result
        return self


class Compiler(SQLiteCompiler):
    """Writes a bound limit so that it does not make SQLite prepare the statement again for each value.

    It looks at what is bound by itself there to plan with it, and so at each execution anew: measured with the list of
    slots, more work than to read it. Source: `sqlite3ExprIsInteger` and `sqlite3VdbeSetVarmask` in its sources.
    """

    def limit_clause(self, select: Select[Any], **kw: Any) -> str:
        """`LIMIT` and `OFFSET`, where there is a limit."""
        limit, offset = select._limit_clause, select._offset_clause  # noqa: SLF001 - as its base class does
        if limit is None:
            return super().limit_clause(select, **kw)  # type: ignore[no-any-return,no-untyped-call]
        written = f"\n LIMIT CAST({self.process(limit, **kw)} AS INTEGER)"
        return written if offset is None else f"{written} OFFSET {self.process(offset, **kw)}"


def _connect(path: Path, pragmas: Iterable[str]) -> sqlite3.Connection:
    # Never two threads at once: see `Reader._execute`.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in (*_PRAGMAS, *pragmas):
        connection.execute(f"PRAGMA {pragma}")
    return connection
