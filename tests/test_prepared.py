"""Hot reads past SQLAlchemy: what goes wrong is told as by it, and the next one has a connection that works."""

import asyncio
import contextlib
import time
from typing import Any

import psycopg
import pytest
from sqlalchemy import Integer, bindparam, column, func, select, table, text
from sqlalchemy.exc import DBAPIError

from app.core import db, sqlite
from app.core.database_errors import is_temporary
from app.core.db import Database
from app.core.prepared import Prepared
from app.core.settings import Settings

DOUBLE = select(bindparam("number", type_=Integer()) * 2)


async def value_of(database: Database, statement: Any, **values: Any) -> Any:
    """Ask through a connection of its own."""
    async with database.look() as look:
        return await Prepared(statement, look.dialect).value(look, values)


async def test_it_gives_what_sqlalchemy_gives(database: Database) -> None:
    for number in (1, 21, -3):
        assert await value_of(database, DOUBLE, number=number) == 2 * number
    several = select(func.count()).where(column("slug").in_(bindparam("slugs", expanding=True)))
    with pytest.raises(ValueError):  # noqa: PT011 - it is for who writes such a statement
        Prepared(several, database.looking.dialect)
    assert await value_of(database, select(text("'50%'"), bindparam("number", type_=Integer())), number=1) == "50%"


async def test_an_error_is_sqlalchemy_s_and_says_no_value(database: Database) -> None:
    unknown = select(func.no_such_function(bindparam("number", type_=Integer())))
    with pytest.raises(DBAPIError) as told:
        await value_of(database, unknown, number=4711)
    assert "4711" not in f"{told.value!s}{told.value.statement}{told.value.params}"
    assert not is_temporary(told.value)
    assert await value_of(database, DOUBLE, number=2) == 4


async def test_one_who_is_cancelled_leaves_nothing_behind(database: Database) -> None:
    slow = {
        "postgresql": "SELECT pg_sleep(2)",
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT max(i) FROM n",
    }[database.looking.dialect.name]
    # More often than there are connections.
    for _ in range(8):
        asking = asyncio.create_task(value_of(database, select(text(f"({slow})"))))
        await asyncio.sleep(0.02)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        assert asking.cancelled()
        assert await value_of(database, DOUBLE, number=2) == 4


async def test_one_that_does_not_end_is_interrupted_on_sqlite_too(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.writer is None:
        pytest.skip("PostgreSQL is told so: see the next one")
    monkeypatch.setattr(sqlite, "LONGEST_SECONDS", 0.2)
    for _ in range(5):
        began = time.monotonic()
        with pytest.raises(DBAPIError) as told:
            await value_of(
                database,
                select(text("(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n)")),
            )
        assert 0.2 < time.monotonic() - began < 2
        assert is_temporary(told.value)
    assert await value_of(database, DOUBLE, number=2) == 4


async def test_a_slow_one_and_a_lost_connection_may_be_tried_again(database: Database, settings: Settings) -> None:
    if settings.sqlite_path is not None:
        pytest.skip("SQLite has no server that would give up")
    with pytest.raises(DBAPIError) as told:
        await value_of(database, select(func.length(func.pg_sleep(9).cast(db.BYTEWISE))))
    assert is_temporary(told.value)
    asking = asyncio.create_task(value_of(database, select(func.length(func.pg_sleep(2).cast(db.BYTEWISE)))))
    await asyncio.sleep(0.3)
    with psycopg.connect(settings.database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
    with pytest.raises(DBAPIError) as told:
        await asking
    assert told.value.connection_invalidated
    assert is_temporary(told.value)
    assert await value_of(database, DOUBLE, number=2) == 4


async def test_a_server_that_was_restarted_fails_no_more_than_those_who_were_asking(
    database: Database, settings: Settings
) -> None:
    if settings.sqlite_path is not None:
        pytest.skip("SQLite has no server")
    async with contextlib.AsyncExitStack() as stack:
        looks = [await stack.enter_async_context(database.look()) for _ in range(3)]
        for look in looks:
            assert await Prepared(DOUBLE, look.dialect).value(look, {"number": 1}) == 2
    with psycopg.connect(settings.database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
    with pytest.raises(DBAPIError):
        await value_of(database, DOUBLE, number=1)
    for _ in range(3):
        assert await value_of(database, DOUBLE, number=2) == 4


async def test_a_statement_that_is_refused_costs_no_connection(database: Database) -> None:
    unknown = select(func.no_such_function(bindparam("number", type_=Integer())))
    async with database.look() as look:
        driver = (await look.get_raw_connection()).driver_connection
        with pytest.raises(DBAPIError):
            await Prepared(unknown, look.dialect).value(look, {"number": 1})
        assert (await look.get_raw_connection()).driver_connection is driver
        assert await Prepared(DOUBLE, look.dialect).value(look, {"number": 3}) == 6


async def test_a_plan_that_a_migration_made_stale_is_given_up(database: Database, settings: Settings) -> None:
    if settings.sqlite_path is not None:
        pytest.skip("SQLite prepares its statements anew by itself")
    async with database.writing.begin() as elsewhere:
        await elsewhere.execute(text("CREATE TABLE passing AS SELECT 1 AS number"))
    asked: Any = select(column("number")).select_from(table("passing"))

    async def ask() -> Any:
        return await value_of(database, asked)

    for _ in range(8):
        assert await ask() == 1
    async with database.writing.begin() as elsewhere:
        await elsewhere.execute(text("ALTER TABLE passing ALTER COLUMN number TYPE text"))
    with pytest.raises(DBAPIError) as told:
        await ask()
    assert is_temporary(told.value)
    assert await ask() == "1"
