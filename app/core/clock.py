"""The one place that reads a clock."""

from datetime import UTC, datetime
from typing import cast

from sqlalchemy import func, select
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
