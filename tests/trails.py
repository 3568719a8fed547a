"""A trail as it grows, and as somebody who has the database but no key would change it."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Executable, Insert, insert, text, update
from sqlmodel import col

from app.access import audit, seals
from app.access.seal_check import check
from app.access.seal_head import keep_head
from app.access.tables import AuditEntry, AuditSeal
from app.core import clock
from app.core.crypto import Keyring
from app.core.db import Database
from app.core.ids import new_id
from tests.rows import everything, run

_numbers = itertools.count(1)
_TRIGGERS = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('audit_entries', 'audit_seals')"


@dataclass
class Trail:
    """The trail of one database."""

    database: Database
    keyring: Keyring
    head: Path

    async def act(self, times: int = 1) -> None:
        """Do something so many times: each time is an entry."""
        subjects = [f"subject {next(_numbers)}" for _ in range(times)]
        async with self.database.write() as session:
            now = clock.now()
            await audit.record_each(
                session, by="actor", action="done", subjects=subjects, at=now, fields=["one", "two"]
            )

    async def seal(self, *, most: int = seals.AT_ONCE) -> seals.Seal | None:
        """Seal what has no seal, and keep the head."""
        async with self.database.write() as session:
            made = await seals.seal(session, self.keyring, most=most)
        await keep_head(self.database, self.head)
        return made

    async def grow(self, links: int) -> None:
        """Make so many seals of three entries each."""
        for _ in range(links):
            await self.act(3)
            assert await self.seal() is not None

    async def findings(self) -> list[str]:
        """What a check finds."""
        return (await check(self.database, self.keyring, self.head)).findings

    async def tamper(self, *statements: Executable) -> list[str]:
        """Change the trail by hand, with its triggers out of the way: what a check finds then."""
        if self.database.writer is None:
            tables = ("audit_entries", "audit_seals")
            disarm = [text(f"ALTER TABLE {table} DISABLE TRIGGER USER") for table in tables]
        else:
            async with self.database.reading.connect() as connection:
                disarm = [text(f"DROP TRIGGER {name}") for name in await connection.scalars(text(_TRIGGERS))]
        await run(self.database, *disarm, *statements)
        return await self.findings()

    async def entries(self, seal: int) -> list[dict[str, Any]]:
        """The entries of a seal, in order."""
        rows = await everything(self.database, AuditEntry, col(AuditEntry.seal) == seal)
        return sorted(rows, key=lambda entry: entry["id"])


def change(entry: dict[str, Any], **values: Any) -> Executable:
    """A change of an entry."""
    return update(AuditEntry).where(col(AuditEntry.id) == entry["id"]).values(values)


def change_seal(seal: int, **values: Any) -> Executable:
    """A change of a seal's row."""
    return update(AuditSeal).where(col(AuditSeal.number) == seal).values(values)


def forged(**values: Any) -> Insert:
    """An entry of something that nobody did."""
    entry = {"id": new_id(), "at": clock.now(), "actor": "x", "action": "x", "subject": "x", "outcome": "x"}
    return insert(AuditEntry).values({**entry, "fields": [], **values})
