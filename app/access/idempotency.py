"""Requests that must not happen twice: the IETF draft "The Idempotency-Key HTTP Header Field" (draft 07).

One row per key, in the transaction of what the request makes. Only successes are stored: a refusal rolls the row back
with everything else, and the key may be used again. A stored answer is replayed byte for byte.
"""

import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.errors import IdempotencyKeyInvalid, IdempotencyKeyReused, RequestInProgress
from app.access.tables import IdempotencyRecord
from app.core import clock
from app.core.crypto import Envelope, Keyring
from app.core.db import LOCK_NOT_AVAILABLE
from app.core.ids import digest, new_id

KEPT_FOR: Final = timedelta(hours=72)
# A bare key, or one in the quotes of a structured field's string (RFC 9651).
KEY_PATTERN: Final = '^([!#-~][!-~]{15,254}|"[!-~]{16,255}")$'


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a request that must not happen twice."""

    caller: str
    operation: str
    key: str
    # The request as it was understood, in canonical JSON.
    request: bytes
    # What the request makes: which pointer of the record is set.
    makes: Literal["booking_id", "slot_id"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a 201, and whether it was remembered."""

    body: bytes
    is_replay: bool


def parse_key(header: str | None) -> str:
    """The key as sent, without quotes; raises IdempotencyKeyInvalid."""
    if header is None or not re.fullmatch(KEY_PATTERN, header):
        raise IdempotencyKeyInvalid
    return header[1:-1] if header.startswith('"') else header


async def once(
    session: AsyncSession, attempt: Attempt, *, keyring: Keyring, make: Callable[[UUID], Awaitable[bytes]]
) -> Answer:
    """Run `make` with the id of the thing to make, unless this key has made it before: then repeat that answer.

    Raises IdempotencyKeyReused when the key came with another request, RequestInProgress when the first one has not
    ended in time. On PostgreSQL the insert waits for a running twin; on SQLite one transaction writes at a time.
    """
    made_id, now = new_id(), await clock.now_in(session)
    mine = (
        (col(IdempotencyRecord.caller) == attempt.caller)
        & (col(IdempotencyRecord.operation) == attempt.operation)
        & (col(IdempotencyRecord.key_hash) == digest(attempt.key))
    )
    while not await _claim(session, attempt, made_id, keyring, now):
        # After a twin was waited for, the time is another.
        now = await clock.now_in(session)
        known = (await session.exec(select(IdempotencyRecord).where(mine))).first()
        if known is not None and known.expires_at > now:
            return _replay(known, attempt, keyring)
        # Two may find the same expired record. Who deletes it second finds the first one's claim at the next turn.
        await session.exec(delete(IdempotencyRecord).where(mine, col(IdempotencyRecord.expires_at) <= now))
    body = await make(made_id)
    sealed = keyring.seal(body, context=_context(attempt, made_id))
    await session.exec(
        update(IdempotencyRecord)
        .where(mine)
        .values(key_id=sealed.key_id, wrapped_key=sealed.wrapped_key, nonce=sealed.nonce, answer=sealed.ciphertext)
    )
    return Answer(body, is_replay=False)


async def _claim(session: AsyncSession, attempt: Attempt, made_id: UUID, keyring: Keyring, now: datetime) -> bool:
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = (
        insert(IdempotencyRecord)
        .values(
            {
                "caller": attempt.caller,
                "operation": attempt.operation,
                "key_hash": digest(attempt.key),
                "fingerprint": keyring.fingerprint(attempt.request, key_id=keyring.primary),
                attempt.makes: made_id,
                "key_id": keyring.primary,
                "wrapped_key": b"",
                "nonce": b"",
                "answer": b"",
                "expires_at": now + KEPT_FOR,
            }
        )
        .on_conflict_do_nothing()
        .returning(col(IdempotencyRecord.caller))
    )
    try:
        return (await session.exec(statement)).first() is not None
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise RequestInProgress from None
        raise


def _replay(known: IdempotencyRecord, attempt: Attempt, keyring: Keyring) -> Answer:
    fingerprint = keyring.fingerprint(attempt.request, key_id=known.key_id)
    made_id = known.booking_id or known.slot_id
    if made_id is None or not hmac.compare_digest(fingerprint, known.fingerprint):
        raise IdempotencyKeyReused
    envelope = Envelope(known.key_id, known.wrapped_key, known.nonce, known.answer)
    return Answer(keyring.open(envelope, context=_context(attempt, made_id)), is_replay=True)


def _context(attempt: Attempt, made_id: UUID) -> str:
    return f"idempotency_keys|{attempt.operation}|{made_id}|1"
