"""The seals of the trail: a chain of keyed hashes in which no entry can be changed, added or taken away unseen.

A few seconds after the COMMIT, all entries that have no seal yet are given the next number. A seal is an HMAC over
them, over itself, and over the seal before, under a key that the database does not hold. The newest one, the head, is
also written outside of the database: else the chain's last links could be cut off.

The numbers stand in the entries, not ranges of ids in the seals: ids are older than COMMITs, so that an entry may come
to light after ones with higher ids were sealed.
"""

import hmac
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Integer, Row, bindparam, func, insert, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.tables import AuditEntry, AuditSeal
from app.core import clock
from app.core.crypto import Keyring
from app.core.db import connection_of, rows

# So few that writers of an SQLite file hardly notice: measured 1,000 entries in 20 ms.
AT_ONCE: Final = 1_000
# No seal ever covers more: whoever checks one has room for these.
MOST: Final = 10_000
# What the first seal follows.
NOTHING: Final = b""

_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
# Any number that no other advisory lock of ours has: the letters of "sealer".
_SEALERS_LOCK: Final = 0x7365616C6572
_entry: Final = AuditEntry.__table__  # type: ignore[attr-defined]
_seal: Final = AuditSeal.__table__  # type: ignore[attr-defined]
# All that an entry says but the number of its seal, which stands in the seal.
_SEALED_COLUMNS: Final = [column for column in _entry.columns if column.name != "seal"]
_NEWEST: Final = select(_seal.c.number, _seal.c.hash).order_by(_seal.c.number.desc()).limit(1)
_UNSEALED: Final = (
    select(_entry.c.id)
    .where(_entry.c.seal.is_(None))
    .order_by(_entry.c.id)
    .limit(bindparam("most", type_=Integer()))
    .scalar_subquery()
)
# One statement, so that what is hashed is what was given the number.
_NUMBER: Final = (
    update(_entry)
    .where(_entry.c.id.in_(_UNSEALED))
    .values(seal=bindparam("given_number", type_=Integer()))
    .returning(*_SEALED_COLUMNS)
)
_INSERT: Final = insert(_seal)


@dataclass(frozen=True, slots=True)
class Seal:
    """One link of the chain, as its row says it."""

    number: int
    entries: int
    previous_hash: bytes
    hash: bytes
    key_id: str
    sealed_at: datetime


async def seal(session: AsyncSession, keyring: Keyring, *, most: int = AT_ONCE) -> Seal | None:
    """Seal committed entries that have no seal, at most so many; None when there are none, or another process is at it.

    On PostgreSQL a lock lets one sealer in and sends others away; on SQLite one transaction writes at a time.
    """
    connection = await connection_of(session)
    if connection.dialect.name == "postgresql":
        is_mine = select(func.pg_try_advisory_xact_lock(_SEALERS_LOCK))
        if not await connection.scalar(is_mine):
            return None
    newest = (await rows(session, _NEWEST)) or [(0, NOTHING)]
    number, previous_hash = newest[0][0] + 1, newest[0][1]
    found = await rows(session, _NUMBER, {"most": min(most, MOST), "given_number": number})
    if not found:
        return None
    ring = keyring.steady()
    bare = Seal(number, len(found), previous_hash, NOTHING, ring.primary, await clock.now_in(session))
    made = replace(bare, hash=hash_of(bare, found, key=ring.seal_key(ring.primary)))
    await connection.execute(_INSERT, asdict(made))
    return made


def hash_of(seal: Seal, entries: Iterable[Row[Any]], *, key: bytes) -> bytes:
    """The seal's hash as it must be: over all that its row says but the hash, and over these entries by id."""
    said = (seal.number, seal.entries, seal.previous_hash.hex(), seal.key_id, instant(seal.sealed_at))
    mac = hmac.new(key, _line(*said), "sha256")
    for entry in sorted(entries, key=lambda entry: entry.id):
        told = (entry.actor, entry.action, entry.subject, entry.outcome, entry.fields)
        mac.update(_line(str(entry.id), instant(entry.at), *told))
    return mac.digest()


def instant(moment: datetime) -> str:
    """A moment as seals and heads write it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _line(*values: Any) -> bytes:
    """The same bytes for the same values on both databases: ASCII, and no line break but the last."""
    return _ENCODER.encode(values).encode() + b"\n"
