"""SQLite's writing connection: its statements run on the event loop, what may wait does not, and never both at once."""

import asyncio
import secrets
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.db import Database
from app.core.settings import Settings
from app.core.sqlite import Reader, Writer
from tests.test_locks import SOON, is_free

INSERT = text("INSERT INTO notes (words) VALUES (:words)")
A_FEW = [{"words": "few"}] * 10
MANY = [{"words": "many"}] * 1000
Driver = TypeVar("Driver", bound=Reader)


class _Refused(Exception):
    """Leaves a transaction."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one table."""
    path = tmp_path / "notes.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE notes (words TEXT)")
    return path


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    """It, as a room gets it."""
    database = Database(Settings(database_url=f"sqlite:///{path}"))
    yield database
    await database.close()


@pytest.fixture
async def writer(database: Database) -> Writer:
    """The connection behind every session that writes."""
    async with database.writing.connect() as connection:
        return await driver_of(connection, Writer)


async def driver_of(connection: AsyncConnection, kind: type[Driver]) -> Driver:
    """What is behind SQLAlchemy's connection."""
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, kind)
    return driver


@contextmanager
def kept_busy(connection: Reader) -> Iterator[threading.Event]:
    """Let the connection's thread do nothing else until the event is set or the block ends, which must not need it."""
    free, waited = threading.Event(), []
    connection._tx.put_nowait((None, lambda: waited.append(free.wait(SOON))))  # noqa: SLF001 - what feeds the thread
    try:
        yield free
        assert False not in waited
    finally:
        free.set()


@contextmanager
def written_to_elsewhere(path: Path) -> Iterator[sqlite3.Connection]:
    """Let somebody write who does not know of our lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def noted(path: Path) -> list[str]:
    """What is committed, as another process sees it; fails while a transaction is open."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        return [words for (words,) in other.execute("SELECT DISTINCT words FROM notes ORDER BY words")]


async def is_waiting(task: "asyncio.Task[None]") -> bool:
    """Whether a task waits for something that does not come by itself."""
    await asyncio.wait({task}, timeout=0.1)
    return not task.done()


async def write(database: Database, values: Any) -> None:
    """Write these in a transaction of their own."""
    async with database.write() as session:
        await (await session.connection()).execute(INSERT, values)


async def test_of_a_write_only_the_commit_takes_a_trip_to_the_thread(
    database: Database, writer: Writer, path: Path
) -> None:
    reached = []

    async def write_and_read() -> None:
        async with database.write() as session:
            connection = await session.connection()
            await connection.execute(INSERT, {"words": "one"})
            await connection.execute(INSERT, A_FEW)
            reached.append((await connection.execute(text("SELECT count(*) FROM notes"))).scalar_one())

    with kept_busy(writer):
        task = asyncio.create_task(write_and_read())
        assert await is_waiting(task)
        assert reached == [1 + len(A_FEW)]
    await asyncio.wait_for(task, SOON)
    assert noted(path) == ["few", "one"]


async def test_a_refused_write_takes_no_trip_at_all(database: Database, writer: Writer, path: Path) -> None:
    with kept_busy(writer):
        with suppress(_Refused):
            async with database.write() as session:
                await (await session.connection()).execute(INSERT, A_FEW)
                raise _Refused
        assert noted(path) == []


async def test_what_may_be_long_leaves_the_loop_alone(database: Database, path: Path) -> None:
    async def run(connection: AsyncConnection, *what: Any) -> None:
        await connection.execute(*what)

    async with database.write() as session, database.reading.connect() as reading:
        for connection, *what in ((await session.connection(), INSERT, MANY), (reading, text("SELECT 1"))):
            with kept_busy(await driver_of(connection, Reader)):
                task = asyncio.create_task(run(connection, *what))
                assert await is_waiting(task)
            await asyncio.wait_for(task, SOON)
    assert noted(path) == ["many"]


async def test_whoever_writes_past_our_lock_is_waited_for_off_the_loop(database: Database, path: Path) -> None:
    with written_to_elsewhere(path) as other:
        begun = time.monotonic()
        task = asyncio.create_task(write(database, A_FEW))
        assert await is_waiting(task)
        assert time.monotonic() - begun < SOON / 2
        other.commit()
    await asyncio.wait_for(task, SOON)
    assert noted(path) == ["few"]


async def test_another_process_may_write_before_our_loop_hears_of_the_commit(
    database: Database, writer: Writer, path: Path
) -> None:
    with kept_busy(writer) as free:
        task = asyncio.create_task(write(database, A_FEW))
        assert await is_waiting(task)
        assert not is_free(lock_of(path))
        free.set()
        # Without giving the loop a turn.
        deadline = time.monotonic() + SOON
        while not is_free(lock_of(path)):
            assert time.monotonic() < deadline
        assert noted(path) == ["few"]
    await task


@pytest.mark.parametrize("moment", ["statement", "commit"])
async def test_a_write_that_is_cancelled_in_the_thread_waits_for_its_end(
    database: Database, writer: Writer, path: Path, moment: str
) -> None:
    with kept_busy(writer):
        task = asyncio.create_task(write(database, MANY if moment == "statement" else A_FEW))
        assert await is_waiting(task)
        # Again and again: SQLAlchemy, which closes the connection then, would wait for its end by itself but once.
        for _ in range(3):
            task.cancel()
            assert await is_waiting(task)
        assert not is_free(lock_of(path))
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, SOON)
    # Nobody can say whether a COMMIT that was cancelled came in time; this one does.
    assert noted(path) == ([] if moment == "statement" else ["few"])
    await write(database, {"words": "later"})
    assert "later" in noted(path)


async def test_a_write_that_is_cancelled_before_it_could_begin_leaves_nothing(database: Database, path: Path) -> None:
    with written_to_elsewhere(path) as other:
        task = asyncio.create_task(write(database, A_FEW))
        assert await is_waiting(task)
        task.cancel()
        assert await is_waiting(task)
        other.rollback()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, SOON)
    assert noted(path) == []
    await write(database, {"words": "later"})
    assert noted(path) == ["later"]


async def test_wherever_a_write_is_cancelled_the_next_one_finds_all_in_order(database: Database, path: Path) -> None:
    for steps in range(40):
        task = asyncio.create_task(write(database, {"words": f"cancelled after {steps}"}))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=SOON)
        before = noted(path)
        assert is_free(lock_of(path))
        await asyncio.wait_for(write(database, {"words": f"next after {steps}"}), SOON)
        assert len(noted(path)) == len(before) + 1


async def test_a_connection_that_was_stopped_can_be_closed(path: Path) -> None:
    # SQLAlchemy does both to a connection whose closing was cancelled.
    connection = await Reader(path).open()
    stopped = connection.stop()
    with suppress(ValueError):
        await asyncio.wait_for(connection.close(), SOON)
    assert stopped is not None
    await stopped


async def test_what_is_deleted_is_gone_from_the_file(database: Database, path: Path) -> None:
    secret = secrets.token_hex(32)
    await write(database, {"words": secret})
    async with database.write() as session:
        await (await session.connection()).execute(text("DELETE FROM notes"))
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    assert secret.encode() not in await asyncio.to_thread(path.read_bytes)


def lock_of(path: Path) -> Path:
    """The file by which processes take turns."""
    return path.with_name(path.name + ".lock")
