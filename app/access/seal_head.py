"""The head: the newest seal, kept outside of the database too, so that nobody cuts off the chain's end unseen."""

import asyncio
import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Integer, bindparam, select

from app.access.seals import Seal, instant
from app.access.tables import AuditSeal
from app.core import logs
from app.core.db import Database, rows

_seal: Final = AuditSeal.__table__  # type: ignore[attr-defined]
_NEWEST: Final = select(*_seal.columns).order_by(_seal.c.number.desc()).limit(1)
_HASH: Final = select(_seal.c.hash).where(_seal.c.number == bindparam("number", type_=Integer()))


class HeadUnreadable(Exception):
    """The head's file holds something else. The text names the file."""


@dataclass(frozen=True, slots=True)
class Head:
    """A seal, as it is remembered outside of the database."""

    number: int
    hash: bytes
    sealed_at: datetime


async def keep_head(database: Database, path: Path) -> None:
    """Write the newest seal to this file, unless the file knows a seal that the database does not.

    That is a restored backup, or a chain whose end was cut off: it is logged, and for a person to look into. To go on
    with the shorter chain, move the file away.
    """
    try:
        # Before the database: a seal is in there first.
        known = await asyncio.to_thread(read_head, path)
    except HeadUnreadable:
        logs.failure("audit_head_unreadable")
        return
    async with database.look() as connection:
        newest = await rows(connection, _NEWEST)
        hashes = await rows(connection, _HASH, {"number": known.number}) if known is not None else []
    if known is not None and [row.hash for row in hashes] != [known.hash]:
        logs.failure("audit_chain_behind_head", number=known.number)
    elif newest and (known is None or known.number < newest[0].number):
        await asyncio.to_thread(_write, path, Seal(*newest[0]))


def read_head(path: Path) -> Head | None:
    """The head in this file, None without one; raises HeadUnreadable."""
    try:
        said = json.loads(path.read_bytes())
        return Head(int(said["number"]), bytes.fromhex(said["hash"]), datetime.fromisoformat(said["sealed_at"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise HeadUnreadable(f"{path} is not the head of an audit trail") from None


def _write(path: Path, newest: Seal) -> None:
    content = {"number": newest.number, "hash": newest.hash.hex(), "sealed_at": instant(newest.sealed_at)}
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        # Two processes of this host may have sealed one after the other: the later one must not be overwritten.
        fcntl.flock(folder, fcntl.LOCK_EX)
        known = read_head(path)
        if known is not None and known.number >= newest.number:
            return
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        os.fsync(folder)
    finally:
        draft.unlink(missing_ok=True)
        os.close(folder)
