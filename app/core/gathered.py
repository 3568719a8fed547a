"""All rows of a hot read as one value: a list of lists in JSON.

Both databases write it faster than Python reads rows. SQLite's driver gives up the interpreter's lock for each row that
it steps to, and whoever has it then keeps it for a while; SQLAlchemy converts each value by a call of its own.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import starmap
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import Dialect, Select, Text, Uuid
from sqlalchemy import select as core_select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import UTCDateTime

from app.core.prepared import Prepared

_T = TypeVar("_T")
# How a value of a column is read from JSON; the rest are what JSON has words for.
_READERS: Final[dict[type[Any], Callable[[str], Any]]] = {
    Uuid: UUID,
    # In UTC whatever zone the session is in, as `UTCDateTime` reads it.
    UTCDateTime: lambda said: datetime.fromisoformat(said).astimezone(UTC),
}


# How many rows are remembered with what they came to: one of a list of slots takes two kilobytes.
_ROWS_REMEMBERED: Final = 4_096
# Whoever asks chooses the filters, and so the statement.
_STATEMENTS_REMEMBERED: Final = 256


class _rows_of(FunctionElement[str]):  # noqa: N801 - written like a function of SQL
    """All rows of these columns."""

    type = Text()
    inherit_cache = True


async def gathered(
    source: AsyncConnection,
    query: Select[*tuple[Any, ...]],
    values: Mapping[str, Any],
    *,
    columns: Iterable[str],
    shape: Callable[[Any], _T],
) -> list[_T]:
    """What `shape` makes of each of the query's rows, in any order; it gets a named tuple of the columns.

    It is not asked again for a row that it has seen: what it makes must depend on the row alone, and is not to be
    changed. The query and `shape` are to be the same objects each time.
    """
    names = tuple(sorted(columns))
    statement = _prepared(query, names, source.dialect)
    text = await statement.value(source, values)
    return [] if text is None else list(starmap(_shaped_by(shape, names, _kinds(query, names)), from_json(text)))


def statement_of(query: Select[*tuple[Any, ...]], columns: Iterable[str]) -> Select[str]:
    """What `gathered` asks the database for."""
    found = query.subquery("gathered").c
    return core_select(_rows_of(*(found[name] for name in sorted(columns))))


@lru_cache(_STATEMENTS_REMEMBERED)
def _prepared(query: Select[*tuple[Any, ...]], names: tuple[str, ...], dialect: Dialect) -> Prepared:
    return Prepared(statement_of(query, names), dialect)


@lru_cache(_STATEMENTS_REMEMBERED)
def _kinds(query: Select[*tuple[Any, ...]], names: tuple[str, ...]) -> tuple[type[Any] | None, ...]:
    """Which of the columns are read from JSON in a way of their own."""
    columns = query.selected_columns
    return tuple(next((kind for kind in _READERS if isinstance(columns[name].type, kind)), None) for name in names)


@cache
def _shaped_by(
    shape: Callable[[Any], _T], names: tuple[str, ...], kinds: tuple[type[Any] | None, ...]
) -> Callable[..., _T]:
    """`shape` for the values of a row, which is asked once for equal rows, whatever query they are of."""
    row_of: Any = namedtuple("Row", names)  # type: ignore[misc]  # noqa: PYI024
    readers = [_READERS[kind] if kind else None for kind in kinds]

    @lru_cache(_ROWS_REMEMBERED)
    def shaped(*row: Any) -> _T:
        read = (
            reader(value) if reader and value is not None else value for reader, value in zip(readers, row, strict=True)
        )
        return shape(row_of._make(read))

    return shaped


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
