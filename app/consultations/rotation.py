"""A new key for all that patients told, while they go on booking.

`rotate` makes the key: every process seals with it from then on. `rewrap` puts each row's data key under it, batch by
batch, beside the traffic. `drop` forgets the old key once nothing needs it.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, or_, select, true, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.access.tables import AuditSeal, IdempotencyRecord
from app.consultations import patients
from app.consultations.tables import PatientDetail
from app.core import clock, keyring_file
from app.core.crypto import Envelope, EnvelopeUnreadable, Keyring
from app.core.db import Database, connection_of, rows
from app.core.keyring_file import KeyStillNeeded

AT_ONCE: Final = 200
# Whoever sealed something, or asked for a contact under all keys, with the ring as it was before, is most often done
# after this. What commits later still is found at the next round, or by `--resume`; until then the old key opens it.
HEAD_START: Final = timedelta(seconds=1)
_PAUSE_SECONDS: Final = 0.2

_detail: Final = PatientDetail.__table__  # type: ignore[attr-defined]
_COLUMNS: Final = ("key_id", "wrapped_key", "email_index", "phone_index")
_UNDER_ANOTHER_KEY: Final = _detail.c.key_id != bindparam("primary")
_NEVER_INDEXED: Final = and_(
    _detail.c.email_index.is_(None), _detail.c.phone_index.is_(None), _detail.c.consent_text_version.is_not(None)
)
_WITHOUT_AN_INDEX: Final = or_(_detail.c.email_index.is_(None), _detail.c.phone_index.is_(None))
# Another's note, erasure or later key is never undone: only the very row that was read is written.
_WRITE: Final = (
    update(_detail)
    .where(
        _detail.c.booking_id == bindparam("read_booking_id"),
        _detail.c.key_id == bindparam("read_key_id"),
        _detail.c.wrapped_key == bindparam("read_wrapped_key"),
    )
    .values({name: bindparam(f"new_{name}") for name in _COLUMNS})
)
# What is sealed with a key, or verified with what is derived from it.
_USES: Final = {
    "patient_details": PatientDetail.__table__,  # type: ignore[attr-defined]
    "idempotency_keys": IdempotencyRecord.__table__,  # type: ignore[attr-defined]
    "audit_seals": AuditSeal.__table__,  # type: ignore[attr-defined]
}
# A seal is verified with what is left of a dropped key.
_NEEDS: Final = {
    "patient_details": "bookings' patients (run `carepath keyring rotate --resume`)",
    "idempotency_keys": "stored answers (they expire within 72 hours)",
}


@dataclass(frozen=True, slots=True)
class Written:
    """What was done to rows."""

    rows: int
    # Bookings whose row no key opens: changed by hand, or sealed with a key that is lost.
    unreadable: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One key of the ring, now or once, and how many rows of each table need it."""

    key_id: str
    # "primary", "retired", "dropped" where only its seal key is left, or "missing".
    standing: str
    rows: dict[str, int]


async def rotate(database: Database, path: Path, *, by: str) -> str:
    """Make a new primary key; returns its id."""
    async with database.write() as session:
        now = await clock.now_in(session)
        key_id = keyring_file.add_primary(path)
        await audit.record(session, by=by, action="keyring.rotated", subject=key_id, at=now)
    await asyncio.sleep(HEAD_START.total_seconds())
    return key_id


async def rewrap(database: Database, keyring: Keyring, *, by: str) -> Written:
    """Bring every row under the primary key, in many small transactions; whatever broke off is gone on with.

    Rows that lack a blind index get it. It ends when no row is left that could be read.
    """
    total = await _go_through(database, keyring, or_(_UNDER_ANOTHER_KEY, _WITHOUT_AN_INDEX), by=by)
    while not await _left(database, keyring, limit=len(total.unreadable) + 1) <= total.unreadable:
        # Who was busy with a row, or committed one under the old key, is done now.
        await asyncio.sleep(_PAUSE_SECONDS)
        more = await _go_through(database, keyring, _UNDER_ANOTHER_KEY, by=by)
        total = Written(total.rows + more.rows, total.unreadable | more.unreadable)
    return total


async def index_all(database: Database, keyring: Keyring, *, by: str) -> None:
    """Give a blind index to every patient who has none: those of before there were any. Most often there is nobody."""
    async with database.read() as session:
        if not await rows(session, select(_detail.c.booking_id).where(_NEVER_INDEXED).limit(1)):
            return
    await _go_through(database, keyring, _NEVER_INDEXED, by=by)


async def drop(database: Database, keyring: Keyring, path: Path, key_id: str, *, by: str) -> None:
    """Forget a key, but for its seal key; raises KeyStillNeeded.

    Before, every row's blind indexes are looked at: no column tells which key they are under, and under one that is
    gone nobody would find them.
    """
    keyring_file.refuse_to_drop(keyring_file.read(path), key_id)
    async with database.read() as session:
        await _refuse_if_used(session, key_id)
    await _go_through(database, keyring, true(), by=by)
    async with database.write() as session:
        await _refuse_if_used(session, key_id)
        await audit.record(session, by=by, action="keyring.dropped", subject=key_id, at=await clock.now_in(session))
        keyring_file.drop(path, key_id)


async def uses(database: Database, keyring: Keyring) -> list[KeyUse]:
    """What needs which key."""
    ring = keyring.steady()
    standings = {key_id: "retired" if key_id in ring.keys else "dropped" for key_id in ring.seal_keys}
    standings[ring.primary] = "primary"
    found: dict[str, dict[str, int]] = {key_id: {} for key_id in standings}
    async with database.read() as session:
        for name, table in _USES.items():
            for key_id, count in await rows(session, select(table.c.key_id, func.count()).group_by(table.c.key_id)):
                found.setdefault(key_id, {})[name] = count
    return [KeyUse(key_id, standings.get(key_id, "missing"), counts) for key_id, counts in found.items()]


async def read(session: AsyncSession, where: ColumnElement[bool], *, primary: str, after: UUID) -> Sequence[Row[Any]]:
    """The next rows for which this holds. On PostgreSQL locked, but for those that somebody is busy with."""
    query = select(_detail).where(where, _detail.c.booking_id > bindparam("after"))
    query = query.order_by(_detail.c.booking_id).limit(AT_ONCE).with_for_update(skip_locked=True)
    return await rows(session, query, {"primary": primary, "after": after})


async def write(session: AsyncSession, found: Sequence[Row[Any]], *, keyring: Keyring, by: str) -> Written:
    """Write what these rows should be under the ring's primary key, unless they have changed since they were read."""
    changes: list[dict[str, Any]] = []
    unreadable: set[UUID] = set()
    for row in found:
        try:
            new = _renewed(row, keyring)
        except EnvelopeUnreadable:
            unreadable.add(row.booking_id)
            continue
        if any(new[name] != getattr(row, name) for name in _COLUMNS):
            as_read = {f"read_{name}": getattr(row, name) for name in ("booking_id", "key_id", "wrapped_key")}
            changes.append(as_read | {f"new_{name}": value for name, value in new.items()})
    if not changes:
        return Written(0, frozenset(unreadable))
    written = (await (await connection_of(session)).execute(_WRITE, changes)).rowcount
    now = await clock.now_in(session)
    await audit.record(session, by=by, action="keyring.rewrapped", subject=keyring.primary, at=now, fields=_COLUMNS)
    return Written(written, frozenset(unreadable))


async def _go_through(database: Database, keyring: Keyring, where: ColumnElement[bool], *, by: str) -> Written:
    total, after = Written(0, frozenset()), UUID(int=0)
    while True:
        async with database.write() as session:
            ring = keyring.steady()
            found = await read(session, where, primary=ring.primary, after=after)
            written = await write(session, found, keyring=ring, by=by)
        total = Written(total.rows + written.rows, total.unreadable | written.unreadable)
        if len(found) < AT_ONCE:
            return total
        after = found[-1].booking_id


def _renewed(row: Row[Any], keyring: Keyring) -> dict[str, Any]:
    context = patients.context(row.booking_id)
    envelope = Envelope(row.key_id, row.wrapped_key, row.nonce, row.ciphertext)
    told = json.loads(keyring.open(envelope, context=context))
    if row.key_id != keyring.primary:
        envelope = keyring.rewrap(envelope, context=context)
    indexes = {
        f"{way}_index": keyring.blind_index(patients.normalised(told[way])) if way in told else None
        for way in ("email", "phone")
    }
    return {"key_id": envelope.key_id, "wrapped_key": envelope.wrapped_key, **indexes}


async def _left(database: Database, keyring: Keyring, *, limit: int) -> set[UUID]:
    query = select(_detail.c.booking_id).where(_UNDER_ANOTHER_KEY).limit(limit)
    async with database.read() as session:
        return {row.booking_id for row in await rows(session, query, {"primary": keyring.primary})}


async def _refuse_if_used(session: AsyncSession, key_id: str) -> None:
    needed = []
    for name, what in _NEEDS.items():
        table = _USES[name]
        ((count,),) = await rows(session, select(func.count()).where(table.c.key_id == key_id))
        needed += [f"{count} {what}"] if count else []
    if needed:
        raise KeyStillNeeded(f"key {key_id} is in use: {', '.join(needed)}")
