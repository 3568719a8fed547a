"""How a database would run a statement."""

from typing import Any

from sqlalchemy import ClauseElement, Executable
from sqlalchemy.ext.compiler import compiles


class explain(Executable, ClauseElement):  # noqa: N801 - written like a word of SQL
    """How the database would run this statement."""

    inherit_cache = False

    def __init__(self, statement: ClauseElement, options: str = "") -> None:
        self.statement = statement
        # Of PostgreSQL's.
        self.written = options


@compiles(explain)
def _explain(element: explain, compiler: Any, **how: Any) -> str:
    words = "EXPLAIN QUERY PLAN" if compiler.dialect.name == "sqlite" else f"EXPLAIN {element.written}"
    statement = compiler.process(element.statement, **how)
    # The rows are those of the plan: they have none of the statement's types.
    compiler._result_columns.clear()  # noqa: SLF001 - the compiler has no other way to say it
    return f"{words} {statement}"


def reads_all_slots(step: str) -> bool:
    """Whether this step of a plan reads the table of slots from its begin to its end."""
    return "Seq Scan on consultation_slots" in step or ("SCAN consultation_slots" in step and " INDEX " not in step)
