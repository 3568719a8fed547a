"""A hot read's way to the driver: a statement that is put together once, and executed without SQLAlchemy's part.

Measured with a list of 20 slots on SQLite: its part is two fifths of all that the event loop does for the answer.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Dialect, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler

from app.core.postgres import is_lost
from app.core.sqlite import Reader


class Prepared:
    """A statement that gives one value, for connections that need no transaction around it: see `Database.look`.

    No list may be bound in it.
    """

    def __init__(self, statement: Select[Any], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        self._dialect = dialect
        self._sql, self._order = _positional(compiled)
        made = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
        self._writers: Final = {name: write for name, write in made.items() if write is not None}
        self._constants: Final = self._written(compiled.params)
        if any(bind.expanding for bind in compiled.binds.values()):
            # Each length of it would be another text.
            raise ValueError

    async def value(self, connection: AsyncConnection, values: Mapping[str, Any]) -> Any:
        """The value, with these bound. Raises DBAPIError, as SQLAlchemy would."""
        known = self._constants | self._written(values)
        said = [known[name] for name in self._order]
        proxied = await connection.get_raw_connection()
        try:
            return await self._ask(proxied.driver_connection, said)
        except self._dialect.loaded_dbapi.Error as error:
            is_gone = is_lost(self._dialect, error, proxied)
            if is_gone:
                await connection.invalidate(error)
                # What has befallen this one has befallen all that were there before: they are not to fail one by one.
                connection.engine.pool._invalidate(proxied, error)  # noqa: SLF001 - as SQLAlchemy does
            raise DBAPIError.instance(
                None,
                None,
                error,
                self._dialect.loaded_dbapi.Error,
                hide_parameters=True,
                connection_invalidated=is_gone,
                dialect=self._dialect,
            ) from None
        except BaseException as error:
            # Cancelled, perhaps: what comes from the database next may be the answer to this.
            await connection.invalidate(error)
            raise

    async def _ask(self, driver: Any, said: Sequence[Any]) -> Any:
        if isinstance(driver, Reader):
            return (await driver.ask(self._sql, said)).rows[0][0]
        from psycopg import AsyncRawCursor  # noqa: PLC0415 - SQLite's processes do without it

        row = await (await AsyncRawCursor(driver).execute(self._sql, said)).fetchone()
        return None if row is None else row[0]

    def _written(self, values: Mapping[str, Any]) -> dict[str, Any]:
        writers: Mapping[str, Callable[[Any], Any]] = self._writers
        return {name: writers[name](value) if name in writers else value for name, value in values.items()}


def _positional(compiled: SQLCompiler) -> tuple[str, Sequence[str]]:
    """The text with a place for each value, and which value each place is for."""
    return numbered(compiled.string) if compiled.positiontup is None else (compiled.string, compiled.positiontup)


def numbered(sql: str) -> tuple[str, list[str]]:
    """Psycopg's text with PostgreSQL's own places in it, and which name each of them is for.

    psycopg puts places for names too, but reads the text for them each time: it keeps no text as long as ours.
    """
    order: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[1] not in order:
            order.append(found[1])
        return f"${order.index(found[1]) + 1}"

    return re.sub(r"%\((\w+)\)s", place, sql).replace("%%", "%"), order
