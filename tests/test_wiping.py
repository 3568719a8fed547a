"""What was deleted is in no file: not in the log, and not in what pages have to spare."""

import asyncio
import logging
import os
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlmodel import col, func, select

from app.consultations.tables import PatientDetail
from app.core import crypto, wiping
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.patients import new_patient
from tests.rows import everything, make_slot, new_booking, run
from tests.test_privacy import dump

on_sqlite = pytest.mark.parametrize("template", ["sqlite"], indirect=True)
SEALED = ("wrapped_key", "nonce", "ciphertext")


async def make_patients(database: Database, settings: Settings, names: list[str]) -> list[Any]:
    """Bookings, fifty a slot, with a patient of each of these names; returns their ids."""
    keyring, ids = crypto.load_keyring(settings.keyring_path), [new_id() for _ in names]
    for first in range(0, len(ids), 50):
        slot_id = await make_slot(database, capacity=50)
        some = list(enumerate(ids))[first : first + 50]
        await run(database, *(new_booking(slot_id, id=made, seat=at - first + 1) for at, made in some))
        await run(database, *(new_patient(keyring, made, name=names[at]) for at, made in some))
    return ids


@on_sqlite
async def test_a_file_is_rid_of_what_moved_from_page_to_page(database: Database, settings: Settings) -> None:
    # The seed decides on sizes only. With this one, rows that were replaced and deleted leave some bytes behind in
    # pages that they once moved from, until the file is rewritten.
    chance = random.Random(4)
    ids = await make_patients(database, settings, ["x" * chance.randint(1, 300) for _ in range(400)])
    ever = {row[name] for row in await everything(database, PatientDetail) for name in SEALED}
    grown = []
    for _ in range(600):
        sizes = {"wrapped_key": 60, "nonce": 12, "ciphertext": chance.randint(50, 1500)}
        values = {name: os.urandom(size) for name, size in sizes.items()}
        ever |= set(values.values())
        grown.append(update(PatientDetail).where(col(PatientDetail.booking_id) == chance.choice(ids)).values(values))
    await run(database, *grown)
    deleted = chance.sample(ids, 200)
    await run(database, delete(PatientDetail).where(col(PatientDetail.booking_id).in_(deleted)))
    live = {row[name] for row in await everything(database, PatientDetail) for name in SEALED}
    assert await wiping.wipe(database, "patient_details", rewrite=True)
    stored = await dump(database, settings)
    assert [value for value in live if value not in stored] == []
    assert [value for value in ever - live if value in stored] == []


@on_sqlite
async def test_a_file_too_large_is_left_to_a_person(
    database: Database, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiping, "_MOST_REWRITTEN_BYTES", 1000)
    await make_patients(database, settings, ["Synthetic"])
    assert not await wiping.wipe(database, "patient_details", rewrite=True)
    assert [record.msg for record in caplog.records if record.levelno == logging.ERROR] == ["file_not_rewritten"]
    assert _log_bytes(settings) == 0


@on_sqlite
async def test_readers_are_waited_for_and_a_stubborn_one_is_told_of(
    database: Database, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read(seconds: float) -> None:
        async with database.read() as session:
            await session.exec(select(func.count()).select_from(PatientDetail))
            await asyncio.sleep(seconds)

    async def while_one_reads(seconds: float) -> tuple[bool, int]:
        await make_patients(database, settings, ["Synthetic"])
        reading = asyncio.create_task(read(seconds))
        await asyncio.sleep(0.1)
        is_done = await wiping.wipe(database, "patient_details", rewrite=False)
        size = _log_bytes(settings)
        await reading
        return is_done, size

    assert await while_one_reads(0.8) == (True, 0)
    assert [record.msg for record in caplog.records if record.levelno == logging.ERROR] == []
    monkeypatch.setattr(wiping, "_TRIES", 1)
    is_done, size = await while_one_reads(2)
    assert (is_done, size > 0) == (False, True)
    assert [record.msg for record in caplog.records if record.levelno == logging.ERROR] == ["wal_not_truncated"]
    # What was not done is done by whoever comes next.
    assert await wiping.wipe(database, "patient_details", rewrite=False)
    assert _log_bytes(settings) == 0


async def test_the_connections_are_afterwards_as_they_were(database: Database, settings: Settings) -> None:
    await make_patients(database, settings, ["Synthetic"])
    is_sqlite = database.writer is not None
    asked = ("PRAGMA busy_timeout", "PRAGMA query_only") if is_sqlite else ("SHOW statement_timeout",)
    before = await _answers(database, *asked)
    assert await wiping.wipe(database, "patient_details", "idempotency_keys", rewrite=True)
    assert await _answers(database, *asked) == before


async def test_what_hinders_is_logged_and_not_raised(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    if database.writer is None:
        assert not await wiping.wipe(database, "no_such_table", rewrite=True)
    else:
        database.writer._patience = 0.1  # noqa: SLF001 - the lock is held for longer than anybody waits
        async with database.writer:
            assert not await wiping.wipe(database, rewrite=True)
    assert [record.msg for record in caplog.records if record.levelno == logging.ERROR] == ["not_wiped"]


def _log_bytes(settings: Settings) -> int:
    return Path(f"{settings.sqlite_path}-wal").stat().st_size


async def _answers(database: Database, *asked: str) -> list[Any]:
    async with database.look() as connection:
        return [(await connection.exec_driver_sql(question)).scalar_one() for question in asked]
