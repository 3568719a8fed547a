"""Two databases, one code: engines and sessions.

Every process has an engine that only reads and one that writes. A read sees one snapshot. A write is one transaction,
committed by `Database.write` and by nothing else.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Executable, Text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

try:
    import pysqlite3  # type: ignore[import-untyped,unused-ignore]
except ImportError:  # no wheel for this platform: the standard library's SQLite has to do
    pass
else:
    # Before aiosqlite is imported, which app.core.sqlite does.
    sys.modules["sqlite3"] = pysqlite3

from app.core import postgres, sqlite
from app.core.deferred import write_deferred
from app.core.locks import FileLock, LockTimeout
from app.core.settings import Settings

# What would validate a row is built when somebody wants that, which nobody does.
SQLModel.model_config["defer_build"] = True
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
# Set in a session's `info` by whoever changes what everybody may read.
PUBLISHES = "publishes"


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
            pool: dict[str, Any] = {"pool_size": size, "pool_timeout": PATIENCE}
            self.reading = postgres.make_engine(url, read_only, isolation_level="REPEATABLE READ", **pool)
            self.looking = postgres.make_engine(
                url, read_only, *postgres.HOT, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, **pool
            )
            self.writing = postgres.make_engine(url, **pool)

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
