"""Deleted rows are gone from tables at once; here they go from files.

SQLite: the connection that writes overwrites what it deletes (`secure_delete`). Older images of its pages stand in the
write-ahead log until that is written back and cut off, which no reader may be in the middle of. And where rows once
moved from page to page, copies stay in what the old page has to spare (measured: 2 of 211 erased rows had left one).
Only rewriting the file is rid of them: 1.8 s for 100 MB.

PostgreSQL: VACUUM frees the place of deleted rows for others. Until they need it, in the server's own write-ahead log,
on its replicas and in backups, sealed bytes stay as long as those are kept: nobody reads them without the key ring.
"""

import asyncio
from typing import Final

from sqlalchemy.exc import DBAPIError

from app.core import logs
from app.core.db import Database, DatabaseBusy
from app.core.locks import FileLock, LockTimeout

# How often readers are given another tenth of a second to end, while writers wait, and half a second's break between.
_TRIES: Final = 6
_BREAK_SECONDS: Final = 0.5
_READER_MS: Final = 100
_VACUUM_SECONDS: Final = 60
# Writers wait while a SQLite file is rewritten: for some five seconds at most.
_MOST_REWRITTEN_BYTES: Final = 256 * 1024 * 1024


async def wipe(database: Database, *tables: str, rewrite: bool) -> bool:
    """Rid files of what was deleted from these tables; says whether that is done. What hinders is logged, not raised.

    Call it after the COMMIT. What was not done is done by the next call that asks for as much. `rewrite` a SQLite file
    where it matters that nothing remains; one that is too large is left to a person's own VACUUM.
    """
    try:
        if database.writer is None:
            await _vacuum(database, tables)
            return True
        is_clean = not rewrite or await _rewrite(database, database.writer)
        for _ in range(_TRIES):
            if await _truncate(database, database.writer):
                return is_clean
            await asyncio.sleep(_BREAK_SECONDS)
    except (DBAPIError, DatabaseBusy, LockTimeout) as error:
        logs.failure("not_wiped", error)
        return False
    logs.failure("wal_not_truncated")
    return False


async def _truncate(database: Database, writer: FileLock) -> bool:
    # In turn with all writers: SQLite would let them wait in its busy loop.
    async with writer, database.look() as connection:
        before = (await connection.exec_driver_sql("PRAGMA busy_timeout")).scalar_one()
        try:
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={_READER_MS}")
            is_busy = (await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")).one()[0]
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={before}")
        except BaseException:
            await connection.invalidate()
            raise
    return not is_busy


async def _rewrite(database: Database, writer: FileLock) -> bool:
    async with writer, database.look() as connection:
        size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        size_bytes = (await connection.exec_driver_sql(size)).scalar_one()
        if size_bytes > _MOST_REWRITTEN_BYTES:
            logs.failure("file_not_rewritten", size_bytes=size_bytes)
            return False
        # The connections that write begin a transaction with their first statement, which VACUUM must not be in.
        try:
            await connection.exec_driver_sql("PRAGMA query_only=OFF")
            await connection.exec_driver_sql("VACUUM")
            await connection.exec_driver_sql("PRAGMA query_only=ON")
        except BaseException:
            # Not back to the pool as one that may write.
            await connection.invalidate()
            raise
    return True


async def _vacuum(database: Database, tables: tuple[str, ...]) -> None:
    # Outside of any transaction; VACUUM changes nothing that a reader could see, so that this connection may.
    async with database.look() as connection:
        try:
            await connection.exec_driver_sql(f"SET statement_timeout = '{_VACUUM_SECONDS}s'")
            for table in tables:
                await connection.exec_driver_sql(f"VACUUM (INDEX_CLEANUP ON) {table}")
            await connection.exec_driver_sql("RESET statement_timeout")
        except BaseException:
            # Not back to the pool with another's patience.
            await connection.invalidate()
            raise
