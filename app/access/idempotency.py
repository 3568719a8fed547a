"""Requests that must not happen twice: the IETF draft "The Idempotency-Key HTTP Header Field" (draft 07).

One row per key, in the transaction of what the request makes. Only successes are stored: a refusal rolls the row back
with everything else, and the key may be used again. A stored answer is replayed byte for byte.
"""

import hmac
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Integer, Row, and_, bindparam, delete, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.errors import IdempotencyKeyInvalid, IdempotencyKeyReused, RequestInProgress
from app.access.tables import IdempotencyRecord
from app.core.clock import current_moment, decisive_moment, moment_in
from app.core.crypto import Envelope, Keyring
from app.core.database_errors import LOCK_NOT_AVAILABLE
from app.core.db import rows
from app.core.deferred import Change, defer
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
    session: AsyncSession,
    attempt: Attempt,
    *,
    keyring: Keyring,
    make: Callable[[AsyncSession, UUID], Awaitable[bytes]],
) -> Answer:
    """Run `make` with the id of the thing to make, unless this key has made it before: then repeat that answer.

    Raises IdempotencyKeyReused when the key came with another request, RequestInProgress when the first one has not
    ended in time. On PostgreSQL the insert waits for a running twin; on SQLite one transaction writes at a time.
    """
    made_id = new_id()
    mine = {"caller": attempt.caller, "operation": attempt.operation, "key_hash": digest(attempt.key)}
    while not await _claim(session, attempt, mine, made_id, keyring):
        found = await rows(session, _KNOWN, {f"my_{name}": value for name, value in mine.items()})
        if found and found[0].expires_at > found[0].now:
            return _replay(found[0], attempt, keyring)
        # Two may find the same expired record. Who deletes it second finds the first one's claim at the next turn.
        with _in_progress_when_locked():
            await rows(session, _FORGET, {f"my_{name}": value for name, value in mine.items()})
    body = await make(session, made_id)
    sealed = keyring.seal(body, context=_context(attempt, made_id))
    answer = {"key_id": sealed.key_id, "wrapped_key": sealed.wrapped_key, "nonce": sealed.nonce}
    values = {f"kept_{name}": value for name, value in (answer | {"answer": sealed.ciphertext}).items()}
    # Under the key of the answer, which a rotation may have changed since the claim.
    fingerprint = keyring.fingerprint(attempt.request, key_id=sealed.key_id)
    defer(
        session,
        _KEEP,
        values | {f"my_{name}": value for name, value in mine.items()} | {"kept_fingerprint": fingerprint},
    )
    return Answer(body, is_replay=False)


async def _claim(
    session: AsyncSession, attempt: Attempt, mine: dict[str, Any], made_id: UUID, keyring: Keyring
) -> bool:
    values = mine | {
        "fingerprint": b"",
        "booking_id": None,
        "slot_id": None,
        attempt.makes: made_id,
        "key_id": keyring.primary,
        "kept_for": int(KEPT_FOR.total_seconds()),
    }
    statement = _claim_statement(session.get_bind().dialect.name)
    with _in_progress_when_locked():
        return bool(await rows(session, statement, {f"claim_{name}": value for name, value in values.items()}))


@contextmanager
def _in_progress_when_locked() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise RequestInProgress from None
        raise


_record: Final = IdempotencyRecord.__table__  # type: ignore[attr-defined]
_MINE: Final = and_(*(_record.c[name] == bindparam(f"my_{name}") for name in ("caller", "operation", "key_hash")))
_KNOWN: Final = select(*_record.c, decisive_moment().label("now")).where(_MINE)
_FORGET: Final = delete(_record).where(_MINE, _record.c.expires_at <= current_moment()).returning(_record.c.caller)
_KEEP: Final = Change(
    update(_record)
    .where(_MINE)
    .values({n: bindparam(f"kept_{n}") for n in ("key_id", "wrapped_key", "nonce", "answer", "fingerprint")})
)


@cache
def _claim_statement(dialect: str) -> Any:
    names = ("caller", "operation", "key_hash", "fingerprint", "booking_id", "slot_id", "key_id")
    empty = {name: literal(b"") for name in ("wrapped_key", "nonce", "answer")}
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return (
        insert(_record)
        .values(
            {name: bindparam(f"claim_{name}") for name in names}
            | empty
            | {"expires_at": moment_in(bindparam("claim_kept_for", type_=Integer()))}
        )
        .on_conflict_do_nothing()
        .returning(_record.c.caller)
    )


def _replay(known: Row[Any], attempt: Attempt, keyring: Keyring) -> Answer:
    fingerprint = keyring.fingerprint(attempt.request, key_id=known.key_id)
    made_id = known.booking_id or known.slot_id
    if made_id is None or not hmac.compare_digest(fingerprint, known.fingerprint):
        raise IdempotencyKeyReused
    envelope = Envelope(known.key_id, known.wrapped_key, known.nonce, known.answer)
    return Answer(keyring.open(envelope, context=_context(attempt, made_id)), is_replay=True)


def _context(attempt: Attempt, made_id: UUID) -> str:
    return f"idempotency_keys|{attempt.operation}|{made_id}|1"
