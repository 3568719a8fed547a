"""PostgreSQL: how it is connected to, and when a connection is of no more use."""

import math
import time
from typing import Any, Final

from sqlalchemy import Dialect, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

# After so many seconds without use, a connection is asked whether its server is still there.
RESTED: Final = 1.0
_OPTIONS: Final = (
    "-c statement_timeout=3000",
    "-c lock_timeout=2000",
    "-c idle_in_transaction_session_timeout=10000",
    "-c default_transaction_isolation=read\\ committed",
    "-c timezone=UTC",
    # It compiles what seems to cost much, by how many rows there might be, for up to a second: longer than any of our
    # statements takes.
    "-c jit=off",
)
# Hot reads are prepared, and planned once: to plan the list of slots takes longer than to read it. They want a few rows
# in the order of an index: a bitmap has none, so that all that it finds would be sorted. Nor do they want a table read
# through for each of them, however small it is: measured with the list of slots, a quarter of its time.
HOT: Final = ("-c plan_cache_mode=force_generic_plan", "-c enable_bitmapscan=off", "-c enable_seqscan=off")
# "Cached plan must not change result type", and a prepared statement that the server does not know.
_STALE_PLAN: Final = ("0A000", "26000")


def make_engine(url: str, *options: str, **settings: Any) -> AsyncEngine:
    """An engine whose connections have these options, and ours."""
    import psycopg  # noqa: PLC0415 - SQLite's processes do without it
    from psycopg._preparing import PrepareManager  # noqa: PLC0415

    given = address(url, *_OPTIONS, *options)

    class Prepared(PrepareManager):
        """Keeps what it has prepared through a ROLLBACK: ours undo rows, never a table that a statement was made for.

        psycopg forgets it all, so that each refusal and each read made the statements after it be planned anew:
        measured, a refused booking cost three times as much.
        """

        def clear(self) -> bool:
            return False

    async def connect() -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(**given)
        connection._prepared = Prepared()  # noqa: SLF001 - there is no other way to say so; a test holds it
        return connection

    made = create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        max_overflow=0,
        hide_parameters=True,
        # Nobody here stores one; to ask for its type is a trip at each engine's first connection.
        use_native_hstore=False,
        **settings,
    )
    _ask_after_a_rest(made)
    _give_up_stale_plans(made)
    return made


def _ask_after_a_rest(engine: AsyncEngine) -> None:
    """Ask a connection that nobody used for a while whether its server is still there.

    So that a restarted server costs no booking a second try. SQLAlchemy's own ping would ask before every transaction,
    which is three trips of nine.
    """

    @event.listens_for(engine.sync_engine, "checkin")
    def remember(_connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def ask(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("used_at", math.inf) > RESTED:
            try:
                engine.sync_engine.dialect.do_ping(connection)
            except engine.sync_engine.dialect.loaded_dbapi.Error:
                raise DisconnectionError from None


def _give_up_stale_plans(engine: AsyncEngine) -> None:
    """Close connections whose prepared statements a migration has made useless: they would fail for ever."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def close(context: ExceptionContext) -> None:
        if _is_of_a_stale_plan(context.original_exception):
            context.is_disconnect = True


def is_lost(dialect: Dialect, error: BaseException, connection: PoolProxiedConnection) -> bool:
    """Whether nothing can be asked through this connection any more."""
    if not isinstance(error, dialect.loaded_dbapi.Error):
        return False
    return _is_of_a_stale_plan(error) or dialect.is_disconnect(error, connection, None)


def _is_of_a_stale_plan(error: BaseException) -> bool:
    return getattr(error, "sqlstate", None) in _STALE_PLAN


def address(url: str, *options: str) -> dict[str, Any]:
    """What libpq is given: all that the URL says, `target_session_attrs` and the like included, and our options."""
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - SQLite's processes do without it

    said = conninfo_to_dict(url)
    ours = {"connect_timeout": 5, "keepalives_idle": 30, "application_name": "carepath"}
    return ours | said | {"options": " ".join((*options, str(said.get("options", ""))))}
