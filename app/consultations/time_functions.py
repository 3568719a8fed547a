"""What SQL says of days and spans of time, in the words of both databases."""

from typing import Any

from sqlalchemy import Date, Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class monday_of(FunctionElement[Any]):  # noqa: N801 - written like a function of SQL
    """The Monday of the week of a day, from the day and its number in the week (1 is Monday)."""

    type = Date()
    inherit_cache = True


class seconds_between(FunctionElement[float]):  # noqa: N801 - written like a function of SQL
    """How long it is from the one moment to the other, in seconds."""

    type = Float()
    inherit_cache = True


@compiles(monday_of, "postgresql")
def _monday_on_postgresql(element: monday_of, compiler: Any, **how: Any) -> str:
    day, number = (compiler.process(part, **how) for part in element.clauses)
    return f"({day} - ({number} - 1))"


@compiles(monday_of, "sqlite")
def _monday_on_sqlite(element: monday_of, compiler: Any, **how: Any) -> str:
    day, number = (compiler.process(part, **how) for part in element.clauses)
    return f"date({day}, (1 - {number}) || ' days')"


@compiles(seconds_between, "postgresql")
def _seconds_on_postgresql(element: seconds_between, compiler: Any, **how: Any) -> str:
    first, last = (compiler.process(part, **how) for part in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM {last} - {first}) AS double precision)"


@compiles(seconds_between, "sqlite")
def _seconds_on_sqlite(element: seconds_between, compiler: Any, **how: Any) -> str:
    first, last = (compiler.process(part, **how) for part in element.clauses)
    return f"(unixepoch({last}, 'subsec') - unixepoch({first}, 'subsec'))"
