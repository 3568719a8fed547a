"""All rows of a hot read as one value: a list of lists in JSON.

Both databases write it faster than Python reads rows. SQLite's driver gives up the interpreter's lock for each row that
it steps to, and whoever has it then keeps it for a while; SQLAlchemy converts each value by a call of its own.
"""

from collections import namedtuple
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cache, lru_cache
from itertools import starmap
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import ColumnElement, Dialect, Select, Text, Uuid
from sqlalchemy import select as core_select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import UTCDateTime

from app.core.prepared import Prepared

_T = TypeVar("_T")
# How a value of a column is read from JSON; the rest are what JSON has words for.
_READERS: Final[tuple[tuple[type[Any], Callable[[str], Any]], ...]] = (
    (Uuid, UUID),
    (UTCDateTime, datetime.fromisoformat),
)


# How many rows of a query are remembered with what they came to; a row of a list is a kilobyte.
_REMEMBERED: Final = 4_096


class _rows_of(FunctionElement[str]):  # noqa: N801 - written like a function of SQL
    """All rows of these columns."""

    type = Text()
    inherit_cache = True


async def gathered(
    source: AsyncConnection,
    query: Select[*tuple[Any, ...]],
    values: Mapping[str, Any],
    *,
    columns: Collection[str],
    shape: Callable[[Any], _T],
) -> list[_T]:
    """What `shape` makes of each of the query's rows, in any order; it gets a named tuple of the columns.

    It is not asked again for a row that it has seen: what it makes must depend on the row alone, and is not to be
    changed. The query and `shape` are to be the same objects each time.
    """
    statement, read = _made(query, frozenset(columns), shape, source.dialect)
    text = await statement.value(source, values)
    return [] if text is None else read(text)


def statement_of(query: Select[*tuple[Any, ...]], columns: Collection[str]) -> Select[str]:
    """What `gathered` asks the database for."""
    return core_select(_rows_of(*_columns_of(query, frozenset(columns))))


@cache
def _made(
    query: Select[*tuple[Any, ...]], names: frozenset[str], shape: Callable[[Any], _T], dialect: Dialect
) -> tuple[Prepared, Callable[[str], list[_T]]]:
    columns = _columns_of(query, names)
    row_of: Any = namedtuple("Row", [column.key for column in columns])  # type: ignore[misc]  # noqa: PYI024
    readers = [_reader_of(column) for column in columns]

    @lru_cache(_REMEMBERED)
    def shaped(*row: Any) -> _T:
        return shape(
            row_of._make(value if value is None else read(value) for read, value in zip(readers, row, strict=True))
        )

    return Prepared(statement_of(query, names), dialect), lambda text: list(starmap(shaped, from_json(text)))


def _columns_of(query: Select[*tuple[Any, ...]], names: frozenset[str]) -> list[ColumnElement[Any]]:
    return [column for column in query.subquery("gathered").c if column.key in names]


def _reader_of(column: ColumnElement[Any]) -> Callable[[Any], Any]:
    return next((read for kind, read in _READERS if isinstance(column.type, kind)), lambda value: value)


@compiles(_rows_of, "postgresql")
def _on_postgresql(element: _rows_of, compiler: Any, **how: Any) -> str:
    return f"CAST(json_agg(json_build_array({compiler.process(element.clauses, **how)})) AS text)"


@compiles(_rows_of, "sqlite")
def _on_sqlite(element: _rows_of, compiler: Any, **how: Any) -> str:
    # Instants are kept in UTC, without saying so.
    written = (
        f"{compiler.process(column, **how)} || 'Z'"
        if isinstance(column.type, UTCDateTime)
        else compiler.process(column, **how)
        for column in element.clauses
    )
    return f"json_group_array(json_array({', '.join(written)}))"
