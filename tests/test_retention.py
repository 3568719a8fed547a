"""What is kept is kept for so many days, state by state, and then deleted: once, in small parts, on the record."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert
from sqlmodel import col, select

from app.access.tables import AuditEntry, IdempotencyRecord
from app.consultations import retention
from app.consultations.retention import Purged
from app.consultations.tables import BookingEvent, BookingState, ConsultationBooking, PatientDetail
from app.core import clock, crypto
from app.core.crypto import Keyring
from app.core.db import Database, rows
from app.core.ids import new_id
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage
from tests.patients import make_patient
from tests.plans import explain
from tests.processes import environment_of
from tests.processes import run as run_command
from tests.rows import counts, everything, make_booking, make_slot, new_record, run
from tests.wishes import book, post_slot

DAYS = {"booked": 50, "fulfilled": 40, "no_show": 30, "cancelled": 20, "expired": 10}
MINUTE = timedelta(minutes=1)
ENDED = [BookingState.BOOKED, BookingState.FULFILLED, BookingState.NO_SHOW]
each_state = pytest.mark.parametrize("state", [BookingState(name) for name in DAYS])


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The test's own, with other days for each state."""
    return settings.model_copy(update={f"retention_days_{name}": days for name, days in DAYS.items()})


@pytest.fixture
def keyring(settings: Settings) -> Keyring:
    return crypto.load_keyring(settings.keyring_path)


async def purge(database: Database, settings: Settings, *, at_once: int = 500) -> Purged:
    return await retention.purge_all(database, settings, by="worker", at_once=at_once)


async def make_since(database: Database, keyring: Keyring, state: BookingState, since: datetime) -> str:
    """A patient whose days are counted from then, and not from the other moment; returns the booking's id."""
    counts_from_end = state in ENDED
    ends_at = since if counts_from_end else since + timedelta(days=-15 if state is BookingState.CANCELLED else 5)
    changed_at = since + timedelta(days=5) if counts_from_end else since
    return str(await make_patient(database, keyring, state=state, ends_at=ends_at, changed_at=changed_at))


@each_state
async def test_a_patient_is_kept_for_the_days_of_the_state(
    database: Database, settings: Settings, keyring: Keyring, state: BookingState
) -> None:
    due = clock.now() - timedelta(days=DAYS[state])
    over = await make_since(database, keyring, state, due - MINUTE)
    kept = await make_since(database, keyring, state, due + MINUTE)
    assert await purge(database, settings) == Purged(bookings=1)
    assert [str(row["booking_id"]) for row in await everything(database, PatientDetail)] == [kept]
    entries = await everything(database, AuditEntry, col(AuditEntry.action) == "patient.purged")
    assert [(entry["subject"], entry["actor"]) for entry in entries] == [(over, "worker")]
    assert await counts(database, ConsultationBooking) == [2]
    assert len(await everything(database, BookingEvent)) >= 2
    # A second time there is nothing to do, and nothing to tell of.
    assert await purge(database, settings) == Purged()
    assert len(await everything(database, AuditEntry, col(AuditEntry.action) == "patient.purged")) == 1


@each_state
async def test_the_last_moment_counts(database: Database, keyring: Keyring, state: BookingState) -> None:
    since = datetime.fromisoformat("2026-03-29T01:00:00.000001+00:00")
    booking_id = await make_since(database, keyring, state, since)
    never = datetime.fromisoformat("2000-01-01T00:00:00Z")
    for moment, found in ((since - timedelta(microseconds=1), []), (since, [booking_id])):
        cutoffs = {name: moment if name == state else never for name in DAYS}
        async with database.write() as session:
            due = await rows(session, retention.DUE, cutoffs | {"ids": [UUID(booking_id)]})
        assert [str(row.booking_id) for row in due] == found


async def test_a_patient_to_come_is_kept_however_few_the_days(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings, keyring: Keyring
) -> None:
    await book(client, (await post_slot(client, admin, days=0.01))["id"])
    await make_patient(database, keyring, state=BookingState.BOOKED, ends_at=clock.now() + MINUTE)
    at_once = settings.model_copy(update={f"retention_days_{name}": 0 for name in DAYS})
    assert (await purge(database, at_once)).bookings == 0
    assert await counts(database, PatientDetail) == [2]


async def test_the_default_days_of_all_states_differ_from_none(database: Database, settings: Settings) -> None:
    at_most = settings.model_copy(update={f"retention_days_{name}": 365 * 100 for name in DAYS})
    assert await purge(database, at_most) == Purged()
    with pytest.raises(ValueError, match="retention_days_booked"):
        Settings(retention_days_booked=365 * 100 + 1)


async def test_answers_and_messages_go_when_their_time_has_come(database: Database, settings: Settings) -> None:
    now = clock.now()
    booking_id = await make_booking(database, await make_slot(database))
    for key, expires_at in ((b"over", now - MINUTE), (b"kept", now + MINUTE)):
        await run(database, new_record(key_hash=key, booking_id=booking_id, expires_at=expires_at))
    month = now - timedelta(days=30)
    for topic, delivered_at in (("over", month - MINUTE), ("kept", month + MINUTE), ("untold", None)):
        message = {
            "id": new_id(),
            "topic": topic,
            "subject_id": booking_id,
            "sequence": 1,
            "dedupe_key": topic,
            "not_before": now - timedelta(days=90),
            "attempts": 0,
            "delivered_at": delivered_at,
        }
        await run(database, insert(OutboxMessage).values(message))
    assert await purge(database, settings) == Purged(answers=1, messages=1)
    assert [row["key_hash"] for row in await everything(database, IdempotencyRecord)] == [b"kept"]
    assert sorted(row["topic"] for row in await everything(database, OutboxMessage)) == ["kept", "untold"]


@pytest.mark.parametrize("at_once", [1, 3, 7, 8])
async def test_much_is_deleted_in_small_parts_until_nothing_is_left(
    database: Database, settings: Settings, keyring: Keyring, at_once: int
) -> None:
    long_ago = clock.now() - timedelta(days=100)
    for number in range(7):
        state = BookingState(list(DAYS)[number % 5])
        await make_patient(database, keyring, state=state, ends_at=long_ago + timedelta(hours=number))
    kept = await make_patient(database, keyring, state=BookingState.BOOKED, ends_at=clock.now())
    assert (await purge(database, settings, at_once=at_once)).bookings == 7
    assert [row["booking_id"] for row in await everything(database, PatientDetail)] == [kept]
    entries = await everything(database, AuditEntry, col(AuditEntry.action) == "patient.purged")
    assert len({entry["subject"] for entry in entries}) == len(entries) == 7


async def test_the_command_deletes_and_tells_how_much(
    database: Database, settings: Settings, keyring: Keyring, tmp_path: Path
) -> None:
    for _ in range(2):
        await make_patient(
            database,
            keyring,
            state=BookingState.NO_SHOW,
            ends_at=clock.now() - timedelta(days=DAYS["no_show"], hours=1),
        )
    told = [run_command("privacy", "purge", folder=tmp_path, environment=environment_of(settings)) for _ in range(2)]
    assert [(ended.returncode, ended.stderr) for ended in told] == [(0, "")] * 2
    assert [ended.stdout for ended in told] == [
        f"{patients} patients, 0 answers, 0 messages and 0 plans were deleted.\n" for patients in (2, 0)
    ]
    entries = await everything(database, AuditEntry, col(AuditEntry.action) == "patient.purged")
    assert [entry["actor"] for entry in entries] == ["command_line"] * 2


async def test_two_who_purge_at_once_do_it_once(database: Database, settings: Settings, keyring: Keyring) -> None:
    long_ago = clock.now() - timedelta(days=100)
    for _ in range(8):
        await make_patient(database, keyring, state=BookingState.BOOKED, ends_at=long_ago)
    both = await asyncio.gather(*(purge(database, settings, at_once=2) for _ in range(2)))
    assert sum(purged.bookings for purged in both) == 8
    assert await counts(database, PatientDetail) == [0]
    assert len(await everything(database, AuditEntry, col(AuditEntry.action) == "patient.purged")) == 8


@pytest.mark.parametrize("template", ["postgresql"], indirect=True)  # on SQLite one transaction writes at a time
async def test_what_somebody_is_busy_with_is_left_for_the_next_time(
    database: Database, settings: Settings, keyring: Keyring
) -> None:
    long_ago = clock.now() - timedelta(days=100)
    ids = [await make_patient(database, keyring, state=BookingState.BOOKED, ends_at=long_ago) for _ in range(2)]
    async with database.write() as busy:
        await busy.exec(select(ConsultationBooking.id).where(ConsultationBooking.id == ids[0]).with_for_update())
        assert (await purge(database, settings)).bookings == 1
    assert (await purge(database, settings)).bookings == 1


@pytest.mark.parametrize("name", ["DUE", "EXPIRED_ANSWERS"])
async def test_what_is_due_is_found_by_keys(database: Database, name: str) -> None:
    values: dict[str, Any] = {"ids": [new_id()], "limit": 500, **dict.fromkeys((*DAYS, "before"), clock.now())}
    async with database.write() as session:
        connection = await session.connection()
        if database.writer is None:
            # Of empty tables it would rather read all rows.
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = [str(row[-1]) for row in await connection.execute(explain(getattr(retention, name)), values)]
    assert len(plan) > 2
    assert [line for line in plan if "Seq Scan" in line or line.startswith("SCAN")] == []
