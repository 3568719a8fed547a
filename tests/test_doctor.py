"""`carepath doctor`: what is well with a database, what is not, and an exit status that says it."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from app import doctor
from app.consultations.tables import ConsultationBooking, ConsultationSlot
from app.core import db, migrations
from app.core.db import Database
from app.core.settings import Settings
from tests.processes import environment_of, run
from tests.rows import counts
from tests.rows import run as run_in

SEAT = "uq_consultation_bookings_seat_live"
LOSSES = {
    # What is dropped or switched off: the statement for SQLite, the statement for PostgreSQL.
    SEAT: (f"DROP INDEX {SEAT}", f"DROP INDEX {SEAT}"),
    "ix_consultation_slots_starts_at": (
        "DROP INDEX ix_consultation_slots_starts_at",
        "DROP INDEX ix_consultation_slots_starts_at",
    ),
    "ex_consultation_slots_clinician_overlap": (
        "DROP TRIGGER ex_consultation_slots_clinician_overlap",
        "ALTER TABLE consultation_slots DROP CONSTRAINT ex_consultation_slots_clinician_overlap",
    ),
    "ck_consultation_bookings_transition": (
        "DROP TRIGGER ck_consultation_bookings_transition",
        "DROP TRIGGER ck_consultation_bookings_transition ON consultation_bookings",
    ),
    "ck_condition_revisions_immutable": (
        "DROP TRIGGER ck_condition_revisions_immutable",
        "ALTER TABLE condition_revisions DISABLE TRIGGER ck_condition_revisions_immutable",
    ),
    "ck_booking_events_append_only": (
        "DROP TRIGGER ck_booking_events_append_only",
        # Switched on only for what a replica applies.
        "ALTER TABLE booking_events ENABLE REPLICA TRIGGER ck_booking_events_append_only",
    ),
}
ON_POSTGRESQL = {
    "ck_consultation_slots_capacity": "ALTER TABLE consultation_slots DROP CONSTRAINT ck_consultation_slots_capacity",
    "fk_idempotency_keys_booking_id DEFERRED": (
        "ALTER TABLE idempotency_keys ALTER CONSTRAINT fk_idempotency_keys_booking_id NOT DEFERRABLE"
    ),
    "uq_consultation_bookings_reference": (
        "ALTER TABLE consultation_bookings DROP CONSTRAINT uq_consultation_bookings_reference"
    ),
}


def said(settings: Settings, folder: Path) -> tuple[int, dict[str, str]]:
    """The exit status, and what is said of each subject."""
    ended = run("doctor", folder=folder, environment=environment_of(settings))
    assert ended.stderr == ""
    findings = dict(line.split(": ", 1) for line in ended.stdout.splitlines())
    return ended.returncode, findings


async def test_a_database_that_is_well_is_called_so_and_left_alone(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    status, findings = said(settings, tmp_path)
    assert (status, [subject[:5] for subject in findings]) == (0, ["ok   "] * len(findings))
    assert [subject[6:] for subject in findings] == [
        "database",
        "migrations",
        "guards",
        "one seat, one booking",
        "key ring",
    ]
    assert await counts(database, ConsultationSlot, ConsultationBooking) == [0, 0]


@pytest.mark.parametrize("template", ["sqlite"], indirect=True)
async def test_a_lost_guard_is_named_and_changes_the_exit_status(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    await run_in(database, text(LOSSES[SEAT][0]))
    status, findings = said(settings, tmp_path)
    assert status == 1
    assert findings["WRONG guards"] == f"missing: {SEAT}"
    assert "WRONG one seat, one booking" in findings


async def test_every_kind_of_loss_is_named(settings: Settings, database: Database) -> None:
    is_sqlite = settings.sqlite_path is not None
    losses = {name: statements[0 if is_sqlite else 1] for name, statements in LOSSES.items()}
    losses |= {} if is_sqlite else ON_POSTGRESQL
    lost: set[str] = set()
    for name, statement in losses.items():
        await run_in(database, text(statement))
        (guards,) = (finding for finding in await doctor.examine(settings) if finding.subject == "guards")
        lost.add(name)
        assert (name, guards.is_well) == (name, False)
        assert set(guards.detail.removeprefix("missing: ").split(", ")) == lost


def test_a_database_without_tables_is_behind(settings: Settings) -> None:
    migrations.downgrade(settings, "base")
    findings = asyncio.run(doctor.examine(settings))
    (behind,) = (finding for finding in findings if finding.subject == "migrations")
    assert not behind.is_well
    assert behind.detail.startswith("at none, newest is ")


def test_a_missing_file_is_wrong_and_stays_missing(tmp_path: Path) -> None:
    ended = run("doctor", folder=tmp_path, environment={})
    assert (ended.returncode, ended.stdout) == (1, f"WRONG database: there is none at {tmp_path / 'carepath.db'}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "carepath.db").write_text("Synthetic words. " * 500)
    ended = run("doctor", folder=tmp_path, environment={})
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert (tmp_path / "carepath.db").read_text().startswith("Synthetic words.")


@pytest.mark.parametrize(
    ("version", "is_safe"),
    [
        ("3.6.23", True),
        ("3.7.0", False),
        ("3.40.1", False),
        ("3.44.5", False),
        ("3.44.6", True),
        ("3.45.0", False),
        ("3.50.7", True),
        ("3.51.2", False),
        ("3.51.3", True),
        ("3.53.0", True),
    ],
)
def test_versions_of_sqlite_that_can_corrupt_a_file_are_known(version: str, is_safe: bool) -> None:
    assert db.is_safe(version) is is_safe
