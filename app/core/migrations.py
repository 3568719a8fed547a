"""Migrations: Alembic's, located from the package, one process at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, text

from app.core import (
    db,  # noqa: F401 - brings the SQLite library
    postgres,
    schema,
)
from app.core.errors import NotReady
from app.core.settings import Settings

# Any number that nothing else locks: "carepath" in ASCII, as far as it fits.
_ADVISORY_LOCK = 0x6361726570617468


class DatabaseNewer(NotReady):
    """The database is at a migration that this version does not know. The text says what to do."""


def upgrade(settings: Settings, revision: str = "head") -> bool:
    """Bring the database to this migration; says whether anything had to be done."""
    with _alone(settings) as connection:
        if revision == "head" and not schema.pending_migrations(connection):
            return False
        refuse_newer(schema.current(connection))
        _alembic("upgrade", connection, revision)
        return True


def refuse_newer(migration: str | None) -> None:
    """Raise DatabaseNewer for a migration that this version does not have; None, an empty database, is fine."""
    if migration is not None and not (schema.folder("migrations") / "versions" / f"{migration}.py").is_file():
        raise DatabaseNewer("the database was migrated by a newer version of Carepath: use that one")


def downgrade(settings: Settings, revision: str) -> None:
    """Take the database back to this migration."""
    with _alone(settings) as connection:
        _alembic("downgrade", connection, revision)


def engine_for(settings: Settings) -> Engine:
    """A synchronous engine, for migrations and checks of the schema."""
    path = settings.sqlite_path
    if path is None:
        import psycopg  # noqa: PLC0415 - SQLite's processes do without it

        address = postgres.address(settings.database_url)
        return create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(**address),
            poolclass=NullPool,
            hide_parameters=True,
            use_native_hstore=False,
        )
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def _alone(settings: Settings) -> Iterator[Connection]:
    """One transaction, while no other process migrates: several may start at once on an empty database."""
    path = settings.sqlite_path
    if path is None:
        with engine_for(settings).begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            # Rather fail than make every request wait behind a lock that waits itself.
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            yield connection
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with engine_for(settings).begin() as connection:
            yield connection


def _alembic(direction: Literal["upgrade", "downgrade"], connection: Connection, revision: str) -> None:
    # Here, because a start that has nothing to migrate need not wait for it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(schema.folder("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    getattr(command, direction)(config, revision)
