"""The doctor: what is well with the database, and what is not."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from app.consultations.guards import seat_is_given_once, unknown_keys
from app.core import crypto, schema
from app.core.db import Database, is_safe, sqlite_library
from app.core.settings import Settings

OLDEST_POSTGRES: Final = (15,)
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    is_well: bool
    detail: str


async def examine(settings: Settings, *, invariants: bool = False) -> list[Finding]:
    """Look at the database, its library, its migrations, its guards, and its rows if asked; nothing is changed."""
    path = settings.sqlite_path
    if path is not None and not path.exists():
        return [Finding("database", is_well=False, detail=f"there is none at {path}")]
    database = Database(settings)
    try:
        async with database.reading.connect() as connection:
            version = await connection.run_sync(_version)
        findings = [_library(settings, version), *await _schema(database)]
        if invariants and all(finding.is_well for finding in findings if finding.subject == "migrations"):
            findings += [_invariant(name, ids) for name, ids in (await broken_ids(database)).items()]
        if all(finding.is_well for finding in findings) and settings.keyring_path.exists():
            findings.append(await _keyring(database, crypto.load_keyring(settings.keyring_path)))
        return findings
    finally:
        await database.close()


def read_invariants() -> dict[str, str]:
    """What must always be true of the rows: the query that finds what breaks it, by its name."""
    script = Path(__file__).with_name("invariants.sql").read_text()
    return dict(re.findall(r"^-- name: (.+)\n([^;]+);", script, re.MULTILINE))


async def broken_ids(database: Database) -> dict[str, list[str]]:
    """What breaks each invariant, as `booking <id>`: nothing where it holds. Each query sees one snapshot."""
    broken = {}
    for name, query in read_invariants().items():
        async with database.read() as session:
            connection = await session.connection()
            if connection.dialect.name == "postgresql":
                # A look at every row may take longer than a request, and needs room to compare by hash.
                await connection.execute(text("SET LOCAL statement_timeout = 0"))
                await connection.execute(text("SET LOCAL work_mem = '256MB'"))
            result = await connection.execute(text(query))
            (kind,) = result.keys()
            broken[name] = [f"{kind} {UUID(str(found))}" for (found,) in result]
    return broken


def _invariant(name: str, ids: list[str]) -> Finding:
    told = ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
    return Finding(name, not ids, told or "holds")


def _version(connection: Connection) -> tuple[int, ...]:
    return tuple(int(part) for part in connection.dialect.server_version_info or ())


def _library(settings: Settings, version: tuple[int, ...]) -> Finding:
    number = ".".join(map(str, version))
    if settings.sqlite_path is None:
        is_well = version >= OLDEST_POSTGRES
        return Finding("database", is_well, f"PostgreSQL {number}{'' if is_well else ', older than 15'}")
    is_well = is_safe(sqlite_library())
    return Finding("database", is_well, f"SQLite {number}{'' if is_well else ', which can corrupt a WAL database'}")


async def _keyring(database: Database, keyring: crypto.Keyring) -> Finding:
    unknown = await unknown_keys(database, keyring)
    return Finding("key ring", not unknown, f"lacks {', '.join(unknown)}" if unknown else "has every key in use")


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
