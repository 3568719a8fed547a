"""Two databases, one code: engines, sessions and what their errors mean.

Every process has an engine that only reads and one that writes. A read sees one snapshot. A write is one transaction,
committed by `Database.write` and by nothing else.
"""

import asyncio
import math
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Dialect, Executable, MetaData, PrimaryKeyConstraint, Text, UniqueConstraint, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

try:
    import pysqlite3  # type: ignore[import-untyped,unused-ignore]
except ImportError:  # no wheel for this platform: the standard library's SQLite has to do
    pass
else:
    # Before aiosqlite is imported, which app.core.sqlite does.
    sys.modules["sqlite3"] = pysqlite3

from app.core import sqlite
from app.core.deferred import write_deferred
from app.core.locks import FileLock, LockTimeout
from app.core.settings import Settings

SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

# Text that is compared byte by byte on both databases, whatever the database's locale.
BYTEWISE = Text().with_variant(Text(collation="C"), "postgresql")

# How long a request waits for a connection or for its turn to write, in seconds.
PATIENCE = 10.0
# After so many seconds without use, a connection is asked whether its server is still there.
RESTED = 1.0

_POSTGRES_OPTIONS = (
    "-c statement_timeout=3000",
    "-c lock_timeout=2000",
    "-c idle_in_transaction_session_timeout=10000",
    "-c default_transaction_isolation=read\\ committed",
    "-c timezone=UTC",
    # It compiles what seems to cost much, by how many rows there might be, for up to a second: longer than any of our
    # statements takes.
    "-c jit=off",
)


# Hot reads are prepared, and planned once: to plan the list of slots takes longer than to read it. They want a few rows
# in the order of an index: a bitmap has none, so that all that it finds would be sorted. Nor do they want a table read
# through for each of them, however small it is: measured with the list of slots, a quarter of its time.
_HOT = ("-c plan_cache_mode=force_generic_plan", "-c enable_bitmapscan=off", "-c enable_seqscan=off")

# Set in a session's `info` by whoever changes what everybody may read.
PUBLISHES = "publishes"

# PostgreSQL's SQLSTATE for a lock that was not to be had within lock_timeout.
LOCK_NOT_AVAILABLE = "55P03"


# "Cached plan must not change result type", and a prepared statement that the server does not know.
_STALE_PLAN = ("0A000", "26000")


class DatabaseBusy(Exception):
    """No connection, or no turn to write, within PATIENCE."""


class Database:
    """The engines of one process. Make it in the event loop that uses it, and `close` it there."""

    def __init__(self, settings: Settings) -> None:
        # How many transactions of this process were committed, or may have been.
        self.writes = 0
        # The same of those that changed what everybody may read.
        self.publishes = 0
        path = settings.sqlite_path
        if path is not None:
            lock = FileLock(path.with_name(path.name + ".lock"), patience=PATIENCE)
            self.writer: FileLock | None = lock
            self.reading = _sqlite_engine(path, lambda: sqlite.Reader(path, "BEGIN"), pool_size=4, reset=None)
            self.looking = _sqlite_engine(path, lambda: sqlite.Reader(path), pool_size=4, reset=None)
            self.writing = _sqlite_engine(
                path, lambda: sqlite.Writer(path, lock.hand_on), pool_size=1, reset="rollback"
            )
        else:
            self.writer = None
            url, size = settings.database_url, settings.database_pool_size
            read_only = "-c default_transaction_read_only=on"
            self.reading = _postgres_engine(url, read_only, pool_size=size, isolation_level="REPEATABLE READ")
            self.looking = _postgres_engine(
                url, read_only, *_HOT, pool_size=size, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
            )
            self.writing = _postgres_engine(url, pool_size=size)
            for engine in (self.reading, self.looking, self.writing):
                _ask_after_a_rest(engine)
                _give_up_stale_plans(engine)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session that sees one snapshot and cannot write."""
        try:
            async with AsyncSession(self.reading, expire_on_commit=False) as session:
                yield session
        except PoolTimeout:
            raise DatabaseBusy from None

    @asynccontextmanager
    async def look(self) -> AsyncIterator[AsyncConnection]:
        """A connection for a hot read of one statement: without a transaction around it, and without a unit of work.

        Measured with a list of 20 slots: a quarter less work on both databases.
        """
        try:
            connection = await self.looking.connect()
        except PoolTimeout:
            raise DatabaseBusy from None
        try:
            yield connection
        finally:
            # Not by `async with`, which makes a task to give it back: there is no transaction to be rolled back, so
            # nothing is waited for here.
            await connection.close()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises.

        The commit lies inside `begin()`: what fails at COMMIT reaches whoever asked for the session, before an answer.
        """
        is_done = publishes = False
        try:
            async with (
                AsyncSession(self.writing, expire_on_commit=False) as session,
                # The turn ends with the transaction: whoever is next does not wait for the session's tidying.
                self.writer or nullcontext(),
                session.begin(),
            ):
                yield session
                await write_deferred(session)
                is_done = True
                publishes = PUBLISHES in session.info
        except (PoolTimeout, LockTimeout):
            raise DatabaseBusy from None
        finally:
            # Also when COMMIT failed: the database may have done it.
            self.writes += is_done
            self.publishes += publishes

    def note_publish(self) -> None:
        """Whoever did it, what everybody may read has changed: what this process remembers of it is to be looked at."""
        self.publishes += 1

    async def close(self) -> None:
        """Give every connection back."""
        await asyncio.gather(self.reading.dispose(), self.looking.dispose(), self.writing.dispose())
        if self.writer is not None:
            self.writer.close()


def _sqlite_engine(
    path: Path, make: Callable[[], sqlite.Reader], *, pool_size: int, reset: Literal["rollback"] | None
) -> AsyncEngine:
    engine = create_async_engine(
        # The file's name here tells SQLAlchemy that connections are to be pooled.
        URL.create("sqlite+aiosqlite", database=str(path)),
        async_creator=lambda *_, **__: make().open(),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=PATIENCE,
        # A session rolls back when it closes, but not after a COMMIT that failed: then SQLite's transaction is open
        # still, and only the pool ends it. A reader has nothing to commit and is spared the trip to the thread.
        pool_reset_on_return=reset,
        hide_parameters=True,
    )
    engine.dialect.statement_compiler = sqlite.Compiler
    return engine


def _postgres_engine(url: str, *options: str, **settings: Any) -> AsyncEngine:
    import psycopg  # noqa: PLC0415 - SQLite's processes do without it
    from psycopg._preparing import PrepareManager  # noqa: PLC0415

    address = postgres_address(url, *_POSTGRES_OPTIONS, *options)

    class Prepared(PrepareManager):
        """Keeps what it has prepared through a ROLLBACK: ours undo rows, never a table that a statement was made for.

        psycopg forgets it all, so that each refusal and each read made the statements after it be planned anew:
        measured, a refused booking cost three times as much.
        """

        def clear(self) -> bool:
            return False

    async def connect() -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(**address)
        connection._prepared = Prepared()  # noqa: SLF001 - there is no other way to say so; a test holds it
        return connection

    return create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        max_overflow=0,
        pool_timeout=PATIENCE,
        hide_parameters=True,
        # Nobody here stores one; to ask for its type is a trip at each engine's first connection.
        use_native_hstore=False,
        **settings,
    )


def _ask_after_a_rest(engine: AsyncEngine) -> None:
    """Ask a connection that nobody used for a while whether its server is still there.

    So that a restarted server costs no booking a second try. SQLAlchemy's own ping would ask before every transaction,
    which is three trips of nine.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def remember(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ask(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used_at", math.inf) > RESTED:
            try:
                engine.sync_engine.dialect.do_ping(connection)
            except engine.sync_engine.dialect.loaded_dbapi.Error:
                raise DisconnectionError from None


def _give_up_stale_plans(engine: AsyncEngine) -> None:
    """Close connections whose prepared statements a migration has made useless: they would fail for ever."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def close(context: ExceptionContext) -> None:
        if _is_of_a_stale_plan(context.original_exception):
            context.is_disconnect = True


def is_lost(dialect: Dialect, error: BaseException, connection: PoolProxiedConnection) -> bool:
    """Whether nothing can be asked through this connection any more."""
    if not isinstance(error, dialect.loaded_dbapi.Error):
        return False
    return _is_of_a_stale_plan(error) or dialect.is_disconnect(error, connection, None)


def _is_of_a_stale_plan(error: BaseException) -> bool:
    return getattr(error, "sqlstate", None) in _STALE_PLAN


def postgres_address(url: str, *options: str) -> dict[str, Any]:
    """What libpq is given: all that the URL says, `target_session_attrs` and the like included, and our options."""
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - SQLite's processes do without it

    said = conninfo_to_dict(url)
    ours = {"connect_timeout": 5, "keepalives_idle": 30, "application_name": "carepath"}
    return ours | said | {"options": " ".join((*options, str(said.get("options", ""))))}


async def rows(
    source: AsyncSession | AsyncConnection, query: Executable, values: Mapping[str, Any] | None = None
) -> Sequence[Any]:
    """All rows of a query that selects columns: a session's unit of work has no part in it."""
    return (await (await connection_of(source)).execute(query, values)).all()


async def connection_of(source: AsyncSession | AsyncConnection) -> AsyncConnection:
    """The connection of a session's transaction; asked for once."""
    if isinstance(source, AsyncConnection):
        return source
    connection: AsyncConnection | None = source.info.get("connection")
    if connection is None:
        connection = source.info["connection"] = await source.connection()
    return connection


def sqlite_library() -> str:
    """The version of the SQLite library in use."""
    import sqlite3  # noqa: PLC0415 - after the replacement above

    return sqlite3.sqlite_version


def is_safe(version: str) -> bool:
    """Whether this SQLite is free of the WAL-reset corruption: 3.7.0 to 3.51.2, mended in 3.44.6 and 3.50.7 too.

    Source: sqlite.org/wal.html, "The WAL-Reset Bug".
    """
    number = tuple(int(part) for part in version.split("."))
    mended = (3, 44, 6) <= number < (3, 45) or (3, 50, 7) <= number < (3, 51)
    return number < (3, 7) or number >= (3, 51, 3) or mended


def constraint_of(error: IntegrityError) -> str | None:
    """The name of the violated constraint. Never the error's text, which carries values on PostgreSQL.

    SQLite names checks and our triggers, but tells columns for unique ones and nothing for foreign keys.
    """
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        name: str | None = diagnosis.constraint_name
        return name
    kind, _, subject = str(error.orig.args[0] if error.orig else "").partition(" constraint failed: ")
    if kind == "UNIQUE":
        return _unique_names(SQLModel.metadata).get(subject)
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
