"""The one place that reads a clock."""

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import UTCDateTime
from sqlmodel.ext.asyncio.session import AsyncSession


def now() -> datetime:
    """The host's time, in UTC."""
    return datetime.now(UTC)


async def now_in(session: AsyncSession) -> datetime:
    """The time that decides in this transaction, in UTC: the database's on PostgreSQL, the host's on SQLite.

    On PostgreSQL this is `clock_timestamp()`, not `now()`: the latter is the start of the transaction and grows stale
    while a statement waits for a lock. Ask after the lock is held.
    """
    if session.get_bind().dialect.name == "sqlite":
        return now()
    # A select of one column has one value; the driver makes it an aware datetime.
    return cast("datetime", await session.scalar(select(func.clock_timestamp()))).astimezone(UTC)


class current_moment(FunctionElement[datetime]):  # noqa: N801 - written like a function of SQL
    """The time at which a statement began, as part of a query. On SQLite to the millisecond.

    On PostgreSQL `statement_timestamp()`: unlike `clock_timestamp()` it does not change within the statement, so an
    index on a time can be used.
    """

    type = UTCDateTime()
    inherit_cache = True


class moment_in(FunctionElement[datetime]):  # noqa: N801 - written like a function of SQL
    """`current_moment` and so many seconds, a whole number."""

    type = UTCDateTime()
    inherit_cache = True


class decisive_moment(FunctionElement[datetime]):  # noqa: N801 - written like a function of SQL
    """The time that decides, as part of a query: `now_in` without a trip of its own.

    On PostgreSQL `clock_timestamp()`. Select it beside a subquery that takes a lock, never within: there it would be
    read before the lock is waited for.
    """

    type = UTCDateTime()
    inherit_cache = True


@compiles(moment_in, "postgresql")
def _later_on_postgresql(element: moment_in, compiler: Any, **how: Any) -> str:
    return f"(statement_timestamp() + make_interval(secs => {compiler.process(element.clauses, **how)}))"


@compiles(moment_in, "sqlite")
def _later_on_sqlite(element: moment_in, compiler: Any, **how: Any) -> str:
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {compiler.process(element.clauses, **how)} || ' seconds')"


@compiles(decisive_moment, "postgresql")
def _decisive_on_postgresql(_element: decisive_moment, _compiler: Any, **_: Any) -> str:
    return "clock_timestamp()"


@compiles(decisive_moment, "sqlite")
@compiles(current_moment, "sqlite")
def _on_sqlite(_element: Any, _compiler: Any, **_: Any) -> str:
    # In the very form that instants are stored in, so that the comparison of texts is one of times.
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@compiles(current_moment, "postgresql")
def _on_postgresql(_element: current_moment, _compiler: Any, **_: Any) -> str:
    return "statement_timestamp()"
