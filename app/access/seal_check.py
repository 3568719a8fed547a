"""Whether the trail is what was sealed: every link of the chain is recomputed and compared.

What was sealed before the check began never changes again, so that it needs no snapshot: one small read a seal.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, Row, Select, and_, bindparam, func, literal, or_, select
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.access.seal_head import Head, HeadUnreadable, read_head
from app.access.seals import MOST, NOTHING, Seal, hash_of
from app.access.tables import AuditEntry, AuditSeal
from app.core import clock
from app.core.crypto import Keyring
from app.core.database_errors import is_temporary
from app.core.db import Database, rows

SEALED_WITHIN: Final = timedelta(minutes=10)
# Whoever has found so much need not look on.
MOST_FINDINGS: Final = 100
_NUMBERS_AT_ONCE: Final = 1_000

_entry: Final = AuditEntry.__table__  # type: ignore[attr-defined]
_seal: Final = AuditSeal.__table__  # type: ignore[attr-defined]
_number: Final = bindparam("number", type_=Integer())
_LAST: Final = select(func.coalesce(func.max(_seal.c.number), 0))
_NUMBERS: Final = (
    select(_seal.c.number)
    .where(_seal.c.number > _number, _seal.c.number <= bindparam("last", type_=Integer()))
    .order_by(_seal.c.number)
    .limit(_NUMBERS_AT_ONCE)
)
# A seal beside each of its entries, or beside nothing. Not "=": SQLite would keep a forged 1.5 that is in no seal.
_LINK: Final = (
    select(*_seal.columns, *(column for column in _entry.columns if column.name != "seal"))
    .select_from(_seal)
    .outerjoin(_entry, and_(_entry.c.seal >= _number, _entry.c.seal < _number + 1))
    .where(_seal.c.number == _number)
    .limit(MOST + 1)
)


def _count(*conditions: ColumnElement[bool]) -> Select[int]:
    return select(func.count()).select_from(_entry).where(*conditions)


_NO_SUCH_SEAL: Final = ~select(_seal.c.number).where(_seal.c.number == _entry.c.seal).exists()
_STRAYS: Final = _count(or_(_entry.c.seal < 1, _entry.c.seal > _number), _NO_SUCH_SEAL)
_IN_GAP: Final = _count(_entry.c.seal >= _number, _entry.c.seal < bindparam("next_number", type_=Integer()))
_UNSEALED: Final = _count(_entry.c.seal.is_(None))
_LATE: Final = _count(
    _entry.c.seal.is_(None), _entry.c.at < clock.moment_in(literal(-int(SEALED_WITHIN.total_seconds()), Integer()))
)


@dataclass(slots=True)
class Verdict:
    """What was counted, and each thing that is not as it was sealed."""

    seals: int = 0
    sealed: int = 0
    unsealed: int = 0
    findings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Link:
    """A seal as it was found: its hash, None where it cannot be read, how many entries it has, what is wrong."""

    number: int
    hash: bytes | None
    entries: int = 0
    faults: tuple[str, ...] = ()


class _Unreadable(Exception):
    """A row holds what none of ours does."""


async def check(database: Database, keyring: Keyring, head_path: Path) -> Verdict:
    """Compare the whole chain with its entries, and its end with the head."""
    verdict = Verdict()
    # Before the database: a seal is in there first.
    head, doubt = _head(head_path)
    async with database.look() as connection:
        last = await _ask(connection, _LAST)
        if doubt and last:
            verdict.findings.append(f"the head: {doubt}")
        await _walk(connection, keyring, last, head, verdict)
        if head is not None and head.number > last:
            verdict.findings.append(f"seal {head.number}: the head tells of it, and it is not there")
        strays = await _ask(connection, _STRAYS, number=last)
        if strays:
            verdict.findings.append(f"a seal that is not there: {strays} entries claim it")
        verdict.unsealed = await _ask(connection, _UNSEALED)
        late = await _ask(connection, _LATE)
    if late:
        verdict.findings.append(f"no seal: {late} entries have waited for one for more than ten minutes")
    return verdict


def _head(path: Path) -> tuple[Head | None, str]:
    """The head, or why there is none."""
    try:
        head = read_head(path)
    except HeadUnreadable as error:
        return None, str(error)
    return head, "" if head is not None else f"there is none at {path}, so the chain's end may have been cut off"


async def _walk(connection: AsyncConnection, keyring: Keyring, last: int, head: Head | None, verdict: Verdict) -> None:
    link = _Link(0, NOTHING)
    async for number in _numbers(connection, last):
        if len(verdict.findings) >= MOST_FINDINGS:
            verdict.findings.append(f"seal {number}: neither it nor any later one was looked at")
            return
        if number > link.number + 1:
            verdict.findings.append(await _gap(connection, link.number + 1, number))
            link = _Link(number - 1, None)
        link = await _compare(connection, keyring, number, link)
        verdict.seals += 1
        verdict.sealed += link.entries
        verdict.findings += [f"seal {number}: {fault}" for fault in link.faults]
        if head is not None and head.number == number and head.hash != link.hash:
            verdict.findings.append(f"seal {number}: is not the one that the head tells of")


async def _compare(connection: AsyncConnection, keyring: Keyring, number: int, before: _Link) -> _Link:
    try:
        seal, entries = await _read(connection, number)
        faults = []
        if len(entries) != seal.entries:
            faults.append(f"has {len(entries)} entries, and {seal.entries} were sealed")
        if before.hash not in (seal.previous_hash, None):
            faults.append("does not follow the seal before it")
        if seal.key_id not in keyring.seal_keys:
            faults.append("the key ring lacks its key")
        elif hash_of(seal, entries, key=keyring.seal_key(seal.key_id)) != seal.hash:
            faults.append("it or an entry of it is not what was sealed")
        return _Link(number, seal.hash, len(entries), tuple(faults))
    except (_Unreadable, ValueError, TypeError, AttributeError):
        return _Link(number, None, faults=("it or an entry of it cannot be read",))


async def _read(connection: AsyncConnection, number: int) -> tuple[Seal, list[Row[Any]]]:
    try:
        found = await rows(connection, _LINK, {"number": number})
    except DBAPIError as error:
        # PostgreSQL's driver says so of times that Python has not, SQLite's of texts that are none.
        if isinstance(error, DataError) or not is_temporary(error):
            raise _Unreadable from None
        raise
    seal = Seal(*found[0][: len(_seal.columns)])
    return seal, [row for row in found if row.id is not None]


async def _gap(connection: AsyncConnection, first: int, next_number: int) -> str:
    named = f"seal {first}" if next_number == first + 1 else f"seals {first} to {next_number - 1}"
    claimed = await _ask(connection, _IN_GAP, number=first, next_number=next_number)
    return f"{named}: not there" + (f", and {claimed} entries claim it" if claimed else "")


async def _numbers(connection: AsyncConnection, last: int) -> AsyncIterator[int]:
    number = -(2**31)
    while found := await rows(connection, _NUMBERS, {"number": number, "last": last}):
        for row in found:
            yield row.number
        number = found[-1].number


async def _ask(connection: AsyncConnection, query: Select[int], **values: int) -> int:
    ((answer,),) = await rows(connection, query, values)
    return int(answer)
