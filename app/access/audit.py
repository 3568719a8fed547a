"""The trail: every action is one row, in the transaction of the action itself."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Row, Select, TextClause, bindparam, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.tables import AuditEntry
from app.core.db import connection_of, rows
from app.core.deferred import NewRow, defer
from app.core.ids import new_id
from app.core.recordsets import bound, statement

_COLUMNS: Final = ("id", "at", "actor", "action", "subject", "fields")
_entry: Final = AuditEntry.__table__  # type: ignore[attr-defined]
_FILTERS: Final[dict[str, ColumnElement[bool]]] = {
    "actor": _entry.c.actor == bindparam("actor"),
    "action": _entry.c.action == bindparam("action"),
    "subject": _entry.c.subject == bindparam("subject"),
    "since": _entry.c.at >= bindparam("since"),
    "before": _entry.c.at < bindparam("before"),
    "after": _entry.c.id < bindparam("after"),
}
_ENTRY: Final = NewRow(_entry, "entry", _COLUMNS, (("outcome", "'done'"),))


async def record(
    session: AsyncSession, *, by: str, action: str, subject: str, at: datetime, fields: Sequence[str] = ()
) -> None:
    """Write down who did what to which thing; `fields` are names of what was changed or read, never values."""
    await record_each(session, by=by, action=action, subjects=[subject], at=at, fields=fields)


async def record_each(
    session: AsyncSession, *, by: str, action: str, subjects: Sequence[str], at: datetime, fields: Sequence[str] = ()
) -> None:
    """The same action on several things: one row each, written with the rest right before the COMMIT."""
    for subject in subjects:
        values = (new_id(), at, by, action, subject, list(fields))
        defer(session, _ENTRY, dict(zip(_COLUMNS, values, strict=True)))


async def record_at_once(
    session: AsyncSession, *, by: str, action: str, done: Sequence[tuple[str, Sequence[str]]], at: datetime
) -> None:
    """The same action on hundreds of things, each with the names of what was changed: written now, and not kept."""
    same = {"at": at, "actor": by, "action": action}
    entries = [{"id": new_id(), "subject": subject, "fields": list(fields), **same} for subject, fields in done]
    await (await connection_of(session)).execute(_at_once(session.get_bind().dialect.name), bound(entries))


async def find(
    session: AsyncSession,
    *,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
    limit: int,
    after: UUID | None = None,
) -> Sequence[Row[Any]]:
    """Entries from `since` on and before `before`, newest first; whoever shows them to somebody records that."""
    said = {"actor": actor, "action": action, "subject": subject, "since": since, "before": before, "after": after}
    values: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    return await rows(session, _listing(frozenset(values)), values | {"limit": limit})


@cache
def _at_once(dialect: str) -> TextClause:
    columns = ", ".join(_COLUMNS)
    sql = f"INSERT INTO audit_entries ({columns}, outcome) SELECT {columns}, 'done' FROM {{asked}} WHERE TRUE"  # noqa: S608 - names of our own columns
    return statement(dialect, sql, {name: _entry.c[name].type for name in _COLUMNS})


@cache
def _listing(asked: frozenset[str]) -> Select[*tuple[Any, ...]]:
    """Entries, newest first, with a bound value for each filter that is asked for and for `limit`."""
    query = select(*_entry.columns).where(*(_FILTERS[name] for name in sorted(asked)))
    return query.order_by(_entry.c.id.desc()).limit(bindparam("limit", type_=Integer()))
