"""How commands work in a database, and what they say where they cannot."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.callers import KeyNameTaken
from app.consultations.guards import unknown_keys
from app.core import crypto, migrations, schema
from app.core.db import Database, DatabaseBusy
from app.core.errors import NotReady
from app.core.settings import Settings

_T = TypeVar("_T")
# What a person can mend who reads `explain`.
MENDABLE: Final = (NotReady, KeyNameTaken, DatabaseBusy, DBAPIError, OSError)


def explain(error: BaseException) -> str:
    """One clear line. Of a database error its kind only: its text may carry values, or the address with its secret."""
    if isinstance(error, KeyNameTaken):
        return "there is a key of this name already"
    if isinstance(error, DatabaseBusy):
        return "the database was busy for too long"
    if isinstance(error, DBAPIError):
        if getattr(error.orig, "sqlstate", "") is None:
            return "no connection to the database: check CAREPATH_DATABASE_URL, and that the server runs"
        return f"the database refused ({type(error.orig).__name__})"
    if isinstance(error, OSError):
        return f"{error.strerror or type(error).__name__}: {error.filename or ''}".rstrip(": ")
    return str(error.args[0])


async def write(settings: Settings, work: Callable[[AsyncSession], Awaitable[_T]]) -> _T:
    """Run this in one transaction; raises NotReady unless the database is at the newest migration."""

    async def in_one_transaction(database: Database) -> _T:
        async with database.write() as session:
            return await work(session)

    return await use(settings, in_one_transaction)


async def read(settings: Settings, work: Callable[[AsyncSession], Awaitable[_T]]) -> _T:
    """Run this with a session that sees one snapshot; raises NotReady as `use` does."""

    async def in_one_snapshot(database: Database) -> _T:
        async with database.read() as session:
            return await work(session)

    return await use(settings, in_one_snapshot)


async def use(settings: Settings, work: Callable[[Database], Awaitable[_T]]) -> _T:
    """Run this with the database; raises NotReady unless it is at the newest migration."""
    if settings.sqlite_path is not None and not settings.sqlite_path.exists():
        raise NotReady(f"there is no database at {settings.sqlite_path}: run `carepath migrate` or `carepath serve`")
    database = Database(settings)
    try:
        async with database.reading.connect() as connection:
            migrations.refuse_newer(await connection.run_sync(schema.current))
            if await connection.run_sync(schema.pending_migrations):
                raise NotReady("the database is not at the newest migration: run `carepath migrate`")
        return await work(database)
    finally:
        await database.close()


async def use_keyring(settings: Settings, work: Callable[[Database, crypto.Keyring], Awaitable[_T]]) -> _T:
    """Run this with the database and its own key ring; raises NotReady where the ring is another's."""
    keyring = crypto.load_keyring(settings.keyring_path)

    async def with_keyring(database: Database) -> _T:
        await refuse_other_ring(settings, database, keyring)
        return await work(database, keyring)

    return await use(settings, with_keyring)


async def refuse_other_ring(settings: Settings, database: Database, keyring: crypto.Keyring) -> None:
    """Raise NotReady where something is sealed with keys that this ring lacks."""
    if await unknown_keys(database, keyring):
        raise NotReady(f"{settings.keyring_path} lacks keys that the database is sealed with: use its own key ring")
