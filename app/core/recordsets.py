"""Hundreds of rows as one parameter of a statement: a list of JSON objects, which both databases read as a table.

Measured with 250 slots at a time on PostgreSQL: a third of the time that a statement for each row takes.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import JSON, Date, Integer, Text, TextClause, Uuid, bindparam, text
from sqlalchemy.types import TypeEngine
from sqlmodel import UTCDateTime
from sqlmodel.ext.asyncio.session import AsyncSession

_TYPES: Final[tuple[tuple[type[Any], str], ...]] = (
    (Uuid, "uuid"),
    (UTCDateTime, "timestamptz"),
    (Date, "date"),
    (Integer, "integer"),
    (JSON, "json"),
    (Text, "text"),
)


def statement(
    dialect: str, sql: str, columns: Mapping[str, TypeEngine[Any]], **returned: TypeEngine[Any]
) -> TextClause:
    """This SQL with `{asked}` in it: the rows that are bound, as the table `asked` with these columns."""
    if dialect == "postgresql":
        kinds = ", ".join(f'"{name}" {_kind(column)}' for name, column in columns.items())
        table = f"jsonb_to_recordset(CAST(:asked AS jsonb)) AS asked({kinds})"
    else:
        values = ", ".join(f"value ->> '{name}' AS \"{name}\"" for name in columns)
        table = f"(SELECT {values} FROM json_each(:asked)) AS asked"  # noqa: S608 - names of our own columns
    made = text(sql.format(asked=table)).bindparams(bindparam("asked", type_=Text()))
    return made.columns(**returned) if returned else made  # type: ignore[return-value]


def bound(session: AsyncSession, rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The parameter, each value as its column keeps it."""
    if session.get_bind().dialect.name == "postgresql":
        return {"asked": to_json(list(rows)).decode()}
    return {"asked": json.dumps(list(rows), default=_for_sqlite)}


def _kind(column: TypeEngine[Any]) -> str:
    return next(name for kind, name in _TYPES if isinstance(column, kind))


def _for_sqlite(value: Any) -> str:
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return str(value)
