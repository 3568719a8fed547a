"""Rows that nobody reads before the COMMIT: they wait, and are written together right before it.

Every trip to the database costs more than most of our statements do. On PostgreSQL all that waits is one statement.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Executable, Insert, Table, Update, bindparam, exists, literal_column, select
from sqlmodel.ext.asyncio.session import AsyncSession

_WAITING, _DECISION = "waiting writes", "decisive write"


@dataclass(frozen=True, slots=True, eq=False)
class NewRow:
    """A row to be written at the end of a transaction. Its values are bound as `<prefix>_<column>`."""

    table: Table
    prefix: str
    columns: tuple[str, ...]
    # Columns that are always the same, as SQL. psycopg parses a statement with more than 50 parameters anew each time.
    always: tuple[tuple[str, str], ...] = ()

    def statement(self, decision: CTE | None = None) -> Insert:
        """The insert; with a decision, only if that wrote something."""
        values: dict[str, ColumnElement[Any]] = {
            name: bindparam(f"{self.prefix}_{name}", type_=self.table.c[name].type) for name in self.columns
        }
        values |= {name: literal_column(said) for name, said in self.always}
        if decision is None:
            return self.table.insert().values(values)
        return self.table.insert().from_select(list(values), select(*values.values()).select_from(decision))

    def bind(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values as the statement takes them."""
        return {f"{self.prefix}_{name}": values[name] for name in self.columns}


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """An update to be made at the end of a transaction, with bound parameters that nothing else there uses."""

    update: Update

    def statement(self, decision: CTE | None = None) -> Update:
        """The update; with a decision, only if that wrote something."""
        if decision is None:
            return self.update
        return self.update.where(exists(select(literal_column("1")).select_from(decision)))

    def bind(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values as the statement takes them."""
        return dict(values)


@dataclass(frozen=True, slots=True)
class Decision:
    """A write on which all that waits depends: it returns a row, or nothing of it all is written."""

    statement: Insert
    values: Mapping[str, Any]
    # What to do when it returned none: raise, or mend what was in the way, and it is tried again.
    otherwise: Callable[[], Awaitable[None]]


Part = NewRow | Change
_NONE: Final[list[tuple[Part, dict[str, Any]]]] = []


def defer(session: AsyncSession, part: Part, values: Mapping[str, Any]) -> None:
    """Write this at the end of the transaction. What it violates is raised there, still within the transaction."""
    session.info.setdefault(_WAITING, []).append((part, part.bind(values)))


def decide(session: AsyncSession, decision: Decision) -> None:
    """Write this at the end of the transaction, ahead of what waits; there is one at most."""
    session.info[_DECISION] = decision


async def write_deferred(session: AsyncSession) -> None:
    """Write what waits. `Database.write` does, before it commits."""
    decision: Decision | None = session.info.pop(_DECISION, None)
    if decision is not None:
        await _write_decisive(session, decision)
    waiting = session.info.pop(_WAITING, _NONE)
    if not waiting:
        return
    grouped: dict[Part, list[dict[str, Any]]] = {}
    for part, values in waiting:
        grouped.setdefault(part, []).append(values)
    connection = await session.connection()
    singles = {part: many.pop() for part, many in grouped.items() if len(many) == 1}
    if singles and connection.dialect.name == "postgresql":
        await connection.execute(_together(tuple(singles)), _merged(singles))
    else:
        for part, values in singles.items():
            await connection.execute(_alone(part), values)
    for part, many in grouped.items():
        if many:
            await connection.execute(_alone(part), many)


async def _write_decisive(session: AsyncSession, decision: Decision) -> None:
    connection = await session.connection()
    statement: Executable = decision.statement
    values = dict(decision.values)
    if connection.dialect.name == "postgresql":
        # A part that is there twice waits for its turn: it cannot be in one statement twice.
        singles = dict(reversed(session.info.get(_WAITING, _NONE)))
        session.info[_WAITING] = [
            (part, bound) for part, bound in session.info.get(_WAITING, _NONE) if singles[part] is not bound
        ]
        statement = _decided(decision.statement, tuple(singles))
        values |= _merged(singles)
    while (await connection.execute(statement, values)).first() is None:
        await decision.otherwise()


def _merged(parts: Mapping[Part, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for values in parts.values() for name, value in values.items()}


@lru_cache(maxsize=100)
def _alone(part: Part) -> Insert | Update:
    return part.statement()


@lru_cache(maxsize=100)
def _together(parts: tuple[Part, ...]) -> Insert | Update:
    """One statement that does what these do."""
    *others, last = (part.statement() for part in parts)
    return last.add_cte(*(statement.cte(f"part_{number}") for number, statement in enumerate(others)))


@lru_cache(maxsize=100)
def _decided(decisive: Insert, parts: tuple[Part, ...]) -> Executable:
    """One statement that does all of this if the first part of it writes a row, which it then returns."""
    decision = decisive.cte("decision")
    statements = (part.statement(decision) for part in parts)
    others = (statement.cte(f"part_{number}") for number, statement in enumerate(statements))
    return select(decision).add_cte(*others)
