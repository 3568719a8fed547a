"""The doctor: what is well with the database, and what is not."""

from dataclasses import dataclass

from app.consultations.guards import seat_is_given_once
from app.core import schema
from app.core.db import Database, is_safe, sqlite_library
from app.core.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    is_well: bool
    detail: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at the database, its library, its migrations and its guards; nothing is changed."""
    path = settings.sqlite_path
    if path is not None and not path.exists():
        return [Finding("database", is_well=False, detail=f"there is none at {path}")]
    database = Database(settings)
    try:
        return [_library(settings), *await _schema(database)]
    finally:
        await database.close()


def _library(settings: Settings) -> Finding:
    if settings.sqlite_path is None:
        return Finding("database", is_well=True, detail="PostgreSQL")
    version = sqlite_library()
    safe = is_safe(version)
    return Finding("database", safe, f"SQLite {version}{'' if safe else ', which can corrupt a WAL database'}")


async def _schema(database: Database) -> list[Finding]:
    async with database.reading.connect() as connection:
        at = await connection.run_sync(schema.current)
        if at != schema.head():
            return [Finding("migrations", is_well=False, detail=f"at {at or 'none'}, newest is {schema.head()}")]
        missing = await connection.run_sync(schema.missing_guards)
    return [
        Finding("migrations", is_well=True, detail=f"at {at}, the newest"),
        Finding("guards", not missing, f"missing: {', '.join(missing)}" if missing else "all there"),
        Finding(
            "one seat, one booking",
            await seat_is_given_once(database),
            "a second live booking of a seat was tried, and rolled back",
        ),
    ]
