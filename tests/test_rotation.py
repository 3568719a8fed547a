"""A rotation finds every row, undoes nobody's change, and can be gone on with."""

import asyncio
import subprocess
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, insert, update
from sqlmodel import col

from app.access.tables import AuditEntry, AuditSeal, IdempotencyRecord
from app.consultations import guards, patients, rotation
from app.consultations.tables import PatientDetail
from app.core import clock, keyring_file
from app.core.crypto import Keyring, load_keyring
from app.core.db import Database
from app.core.settings import Settings
from tests import processes
from tests.rings import carepath, opened, patients_under, populate, rounds, with_own_ring
from tests.rows import everything
from tests.rows import run as execute
from tests.test_keyring import age
from tests.wishes import book, post_slot


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a key ring that is this test's own."""
    return with_own_ring(settings, tmp_path)


@pytest.fixture
def keyring(settings: Settings) -> Keyring:
    """The ring as a process has it."""
    return load_keyring(settings.keyring_path)


async def test_a_rotation_that_was_killed_is_gone_on_with(
    settings: Settings, database: Database, keyring: Keyring
) -> None:
    ids = await populate(database, keyring, 3000)
    first = keyring.primary
    command = [str(processes.SCRIPT), "keyring", "rotate"]
    rotate = await asyncio.create_subprocess_exec(
        *command, env=processes.environment_of(settings), stdout=subprocess.PIPE
    )
    while not await rounds(database):
        assert rotate.returncode is None
    rotate.kill()
    await rotate.communicate()
    # PostgreSQL may still be at its last COMMIT.
    await asyncio.sleep(0.5)
    used = {use.key_id: use.rows["patient_details"] for use in await rotation.uses(database, keyring)}
    assert used.keys() == {first, keyring.primary}
    assert sum(used.values()) == len(ids)
    assert used[keyring.primary] == len(await rounds(database)) * rotation.AT_ONCE
    for row in await everything(database, PatientDetail):
        assert opened(row, keyring)["email"] == f"{row['booking_id']}@Example.com"
    ended = carepath(settings, "rotate", "--resume")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{used[first]} bookings' patients" in ended.stdout
    assert keyring.keys.keys() == used.keys()
    assert (await patients_under(database, keyring)).keys() == set(ids)
    assert set(await rounds(database)) == {keyring.primary}
    assert len(await rounds(database)) == len(ids) / rotation.AT_ONCE


async def test_a_note_that_comes_between_reading_and_writing_a_row_stays(
    settings: Settings, database: Database, keyring: Keyring
) -> None:
    ids = await populate(database, keyring, 4)
    keyring_file.add_primary(settings.keyring_path)
    async with database.write() as session:
        found = await rotation.read(
            session, col(PatientDetail.key_id) != keyring.primary, primary="", after=UUID(int=0)
        )
    assert [row.booking_id for row in found] == sorted(ids)
    async with database.write() as session:
        await patients.add_note(
            session, ids[0], "Late.", kind="test", version=2, keyring=keyring, by="a test", of_hold=False
        )
    await execute(database, delete(PatientDetail).where(col(PatientDetail.booking_id) == ids[1]))
    changed = await everything(database, PatientDetail, col(PatientDetail.booking_id) == ids[0])
    async with database.write() as session:
        written = await rotation.write(session, found, keyring=keyring, by="a test")
    assert written.rows == len(ids) - 2
    assert await everything(database, PatientDetail, col(PatientDetail.booking_id) == ids[0]) == changed
    assert await everything(database, PatientDetail, col(PatientDetail.booking_id) == ids[1]) == []


async def test_a_row_that_somebody_is_busy_with_is_brought_along_when_they_are_done(
    settings: Settings, database: Database, keyring: Keyring
) -> None:
    ids = await populate(database, keyring, 4)
    old = keyring.steady()
    keyring_file.add_primary(settings.keyring_path)
    async with database.write() as session:
        # This request had its ring before the key was made.
        await patients.add_note(
            session, ids[1], "Busy.", kind="test", version=2, keyring=old, by="a test", of_hold=False
        )
        going_on = asyncio.create_task(rotation.rewrap(database, keyring, by="a test"))
        await asyncio.sleep(0.5)
        assert not going_on.done()
        done = await everything(database, PatientDetail, col(PatientDetail.key_id) == keyring.primary)
        # On SQLite one transaction writes at a time.
        assert len(done) == (0 if settings.sqlite_path else len(ids) - 1)
    assert await going_on == rotation.Written(len(ids), frozenset())
    told = await patients_under(database, keyring)
    assert [note["text"] for note in told[ids[1]]["notes"]] == ["Busy."]


async def test_what_no_key_opens_is_told_and_stops_nothing(
    settings: Settings, database: Database, keyring: Keyring
) -> None:
    ids = await populate(database, keyring, 5)
    before = await everything(database, PatientDetail, col(PatientDetail.booking_id) == ids[2])
    harmed = {"ciphertext": before[0]["ciphertext"][:-1]}
    await execute(database, update(PatientDetail).where(col(PatientDetail.booking_id) == ids[2]).values(harmed))
    first = keyring.primary
    ended = carepath(settings, "rotate")
    assert ended.returncode == 1
    assert ended.stderr == f"carepath: no key opens what the patients of 1 bookings told: {ids[2]}\n"
    rows = await everything(database, PatientDetail, col(PatientDetail.booking_id) == ids[2])
    assert rows == [before[0] | harmed]
    others = await everything(database, PatientDetail, col(PatientDetail.key_id) == keyring.primary)
    assert len(others) == len(ids) - 1
    age(settings.keyring_path)
    with pytest.raises(keyring_file.KeyStillNeeded, match="1 bookings' patients"):
        await rotation.drop(database, keyring, settings.keyring_path, first, by="a test")


async def test_a_key_with_a_stored_answer_stays_and_one_with_a_seal_leaves_its_seal_key(
    settings: Settings, database: Database, keyring: Keyring, client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    first = keyring.primary
    await book(client, (await post_slot(client, admin))["id"])
    seal = {"number": 1, "entries": 0, "previous_hash": b"", "hash": b"", "key_id": first, "sealed_at": clock.now()}
    await execute(database, insert(AuditSeal).values(seal))
    second = keyring_file.add_primary(settings.keyring_path)
    assert await rotation.rewrap(database, keyring, by="a test") == rotation.Written(1, frozenset())
    age(settings.keyring_path)
    stored = len(await everything(database, IdempotencyRecord))
    refused = carepath(settings, "drop", first)
    told = f"carepath: key {first} is in use: {stored} stored answers (they expire within 72 hours)\n"
    assert (refused.returncode, refused.stderr) == (1, told)
    assert carepath(settings, "list").stdout.splitlines() == [
        f"{first}  retired  {stored} idempotency_keys, 1 audit_seals",
        f"{second}  primary  1 patient_details",
    ]
    await execute(database, delete(IdempotencyRecord))
    await rotation.drop(database, keyring, settings.keyring_path, first, by="command_line")
    assert f"{first}  dropped  1 audit_seals" in carepath(settings, "list").stdout
    assert await guards.unknown_keys(database, load_keyring(settings.keyring_path)) == []
    entries = await everything(database, AuditEntry, AuditEntry.action == "keyring.dropped")
    assert [(entry["actor"], entry["subject"]) for entry in entries] == [("command_line", first)]
    assert set(await rounds(database)) == {second}


async def test_a_ring_that_lacks_a_key_of_the_trails_chain_is_refused(
    settings: Settings, database: Database, keyring: Keyring
) -> None:
    seal = {"number": 1, "entries": 0, "previous_hash": b"", "hash": b"", "sealed_at": clock.now()}
    await execute(database, insert(AuditSeal).values(seal | {"key_id": keyring.primary}))
    assert await guards.unknown_keys(database, keyring) == []
    settings.keyring_path.unlink()
    keyring_file.create(settings.keyring_path)
    before = settings.keyring_path.read_bytes()
    assert await guards.unknown_keys(database, load_keyring(settings.keyring_path)) == [keyring.primary]
    for arguments in (["rotate", "--resume"], ["drop", keyring.primary]):
        ended = carepath(settings, *arguments)
        assert (ended.returncode, "lacks keys" in ended.stderr) == (1, True)
    assert settings.keyring_path.read_bytes() == before
