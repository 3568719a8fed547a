"""Migrations: up, down and up again, without drift, whole or not at all, whoever else migrates at the same time."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Constraint, ForeignKeyConstraint, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

import app.tables  # noqa: F401 - they are compared with the database
from app.core import migrations, schema
from app.core.declared_names import DECLARED
from app.core.settings import Settings
from tests.conftest import BACKENDS
from tests.postgres import PostgresServer
from tests.processes import environment_of
from tests.processes import run as run_command

PROCESSES = 3


@pytest.fixture(params=BACKENDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a database with nothing in it."""
    if request.param == "sqlite":
        yield Settings(database_url=f"sqlite:///{tmp_path}/empty.db")
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    name = f"empty_{secrets.token_hex(6)}"
    postgres.create_database(name)
    yield Settings(database_url=postgres.url(name))
    postgres.drop_database(name)


def tables(settings: Settings) -> set[str]:
    """The names of the tables that are there."""
    with migrations.engine_for(settings).begin() as connection:
        return set(inspect(connection).get_table_names())


def names(settings: Settings) -> set[str]:
    """The names of all constraints, indexes and triggers that are there and that somebody chose."""
    with migrations.engine_for(settings).begin() as connection:
        live = set(schema.live_names(connection)) - {"alembic_version_pkc"}
        if connection.dialect.name == "postgresql":
            # From version 18 on a column that may not be null is a constraint with a name.
            live -= set(connection.scalars(text("SELECT conname FROM pg_constraint WHERE contype = 'n'")))
    return live


def drift(connection: Connection) -> list[object]:
    """What Alembic would change."""
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata))


def dialect_of(settings: Settings) -> str:
    """What the database speaks."""
    return "postgresql" if settings.sqlite_path is None else "sqlite"


def test_up_down_and_up_again_make_the_same(empty: Settings) -> None:
    assert migrations.upgrade(empty)
    first = (tables(empty), names(empty))
    assert not migrations.upgrade(empty)
    migrations.downgrade(empty, "base")
    assert tables(empty) == {"alembic_version"}
    assert names(empty) == set()
    assert migrations.upgrade(empty)
    assert (tables(empty), names(empty)) == first
    assert first[0] == {"alembic_version", *SQLModel.metadata.tables}


def test_the_tables_are_what_the_code_declares(empty: Settings) -> None:
    migrations.upgrade(empty)
    with migrations.engine_for(empty).begin() as connection:
        assert drift(connection) == []
        # That it would be seen.
        connection.execute(text("DROP INDEX ix_outbox_messages_waiting"))
        assert [change[0] for change in drift(connection)] == ["add_index"]  # type: ignore[index]


def test_the_names_that_are_written_down_are_those_that_the_tables_declare() -> None:
    names = set[str]()
    for table in SQLModel.metadata.tables.values():
        names |= {str(index.name) for index in table.indexes}
        names |= {str(constraint.name) for constraint in table.constraints if not is_deferred(constraint)}
        names |= {f"{constraint.name} DEFERRED" for constraint in table.constraints if is_deferred(constraint)}
    assert names == DECLARED


def is_deferred(constraint: Constraint) -> bool:
    """Whether it is looked at when a transaction ends."""
    return isinstance(constraint, ForeignKeyConstraint) and constraint.initially == "DEFERRED"


def test_the_names_in_the_catalogue_are_the_expected_ones_and_no_others(empty: Settings) -> None:
    migrations.upgrade(empty)
    assert names(empty) == set(schema.expected_names(dialect_of(empty)))


def test_the_newest_migration_is_alembics_head() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.folder("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.head()]


def test_several_processes_may_migrate_at_once(empty: Settings, tmp_path: Path) -> None:
    environment = environment_of(empty)
    with ThreadPoolExecutor(PROCESSES) as pool:
        runs = [pool.submit(run_command, "migrate", folder=tmp_path, environment=environment) for _ in range(PROCESSES)]
    ended = [run.result() for run in runs]
    assert [(run.returncode, run.stderr) for run in ended] == [(0, "")] * PROCESSES
    assert sorted(run.stdout for run in ended) == [
        *["The database is at the newest migration.\n"] * (PROCESSES - 1),
        "The database was migrated.\n",
    ]
    assert names(empty) == set(schema.expected_names(dialect_of(empty)))


def test_a_migration_that_fails_leaves_nothing_half_made(empty: Settings) -> None:
    engine = migrations.engine_for(empty)
    with engine.begin() as connection:
        # The last table that the first migration makes.
        connection.execute(text("CREATE TABLE patient_details (id INTEGER)"))
    with pytest.raises(DBAPIError):
        migrations.upgrade(empty)
    assert tables(empty) == {"patient_details"}
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE patient_details"))
    assert migrations.upgrade(empty)
    assert names(empty) == set(schema.expected_names(dialect_of(empty)))


def test_what_a_patient_agreed_to_moves_to_the_patient_and_every_guard_stays(empty: Settings) -> None:
    migrations.upgrade(empty, "2026_11_23_first_tables")
    engine = migrations.engine_for(empty)
    at = "2026-11-23 09:00:00.000000"
    slot, booking = "01993b2e5f7c7d0c8a2b6f4e1d3c5a79", "01993b2e5f7c7d0c8a2b6f4e1d3c5a80"
    rows: dict[str, dict[str, object]] = {
        "consultation_slots": {
            "id": slot,
            "starts_at": "2027-01-01 09:00:00.000000",
            "ends_at": "2027-01-01 10:00:00.000000",
            "time_zone": "UTC",
            "mode": "phone",
            "capacity": 1,
            "status": "open",
            "version": 1,
            "created_at": at,
        },
        "consultation_bookings": {
            "id": booking,
            "slot_id": slot,
            "seat": 1,
            "reference": "AAAAA-AAAAA",
            "secret_hash": b"",
            "state": "booked",
            "consent_text_version": "2026-11",
            "version": 1,
            "created_at": at,
        },
        "patient_details": {"booking_id": booking, "key_id": "", "wrapped_key": b"", "nonce": b"", "ciphertext": b""},
    }
    with engine.begin() as connection:
        for table, values in rows.items():
            names_of = ", ".join(values)
            bound = ", ".join(f":{name}" for name in values)
            connection.execute(text(f"INSERT INTO {table} ({names_of}) VALUES ({bound})"), values)
    assert migrations.upgrade(empty)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT consent_text_version FROM patient_details")) == "2026-11"
        assert connection.scalar(text("SELECT reschedule_count FROM consultation_bookings")) == 0
    assert names(empty) == set(schema.expected_names(dialect_of(empty)))


def test_the_feed_begins_with_all_that_is_public_already(empty: Settings) -> None:
    migrations.upgrade(empty, "2026_11_23_life_of_a_booking")
    engine = migrations.engine_for(empty)
    at, word = "2026-11-23 09:00:00.000000", "Synthetic"
    category, condition, page, *treatments = [f"01993b2e5f7c7d0c8a2b6f4e1d3c5a{n}" for n in range(70, 75)]
    texts = ("name", "sort_key", "summary", "overview", "when_to_consult", "what_to_bring", "consultation_heading",
             "consultation_text")  # fmt: skip
    rows: list[tuple[str, dict[str, object]]] = [
        ("categories", {"id": category, "slug": "synthetic-category", "position": 1}),
        ("conditions", {"id": condition, "slug": "synthetic-condition", "category_id": category}),
        ("treatments", {"id": treatments[0], "slug": "synthetic-0"}),
        ("treatments", {"id": treatments[1], "slug": "synthetic-1"}),
        (
            "condition_pages",
            {"id": page, "condition_id": condition, "locale": "en", "revision": 1, "published_at": at, "updated_at": at}
            | dict.fromkeys(texts, word),
        ),
    ]
    with engine.begin() as connection:
        for table, values in rows:
            bound = ", ".join(f":{name}" for name in values)
            connection.execute(text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({bound})"), values)
    assert migrations.upgrade(empty)
    with engine.begin() as connection:
        told = connection.execute(text("SELECT number, kind, subject, slug FROM content_changes ORDER BY number")).all()
        newest = connection.scalar(text("SELECT number FROM content_version"))
    assert [tuple(each) for each in told] == [
        (1, "published", "category", "synthetic-category"),
        (2, "published", "treatment", "synthetic-0"),
        (3, "published", "treatment", "synthetic-1"),
        (4, "published", "condition", "synthetic-condition"),
    ]
    assert newest == 4
