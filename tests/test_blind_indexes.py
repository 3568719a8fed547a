"""Blind indexes: a contact is looked up by them under every key, and none is left under a key that goes."""

import json
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.consultations import patients, rotation
from app.consultations.tables import PatientDetail
from app.core import keyring_file
from app.core.crypto import Keyring, load_keyring, make_keyring
from app.core.db import Database
from app.core.settings import Settings
from tests.rings import SEALED, indexes, opened, patients_under, populate, with_own_ring
from tests.rows import everything
from tests.rows import run as execute
from tests.test_keyring import age


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a key ring that is this test's own."""
    return with_own_ring(settings, tmp_path)


@pytest.fixture
def keyring(settings: Settings) -> Keyring:
    """The ring as a process has it."""
    return load_keyring(settings.keyring_path)


def test_a_contact_is_found_under_every_key_of_the_ring_and_no_other(tmp_path: Path) -> None:
    older, newer = make_keyring(tmp_path / "older"), make_keyring(tmp_path / "newer")
    both = Keyring(newer.primary, {**older.keys, **newer.keys})
    made = [ring.blind_index(contact) for ring in (older, newer) for contact in ("a@example.com", "b@example.com")]
    assert len(set(made)) == 4
    assert both.blind_index("a@example.com") == newer.blind_index("a@example.com")
    assert set(both.blind_indexes("a@example.com")) == {made[0], made[2]}


async def test_rows_without_blind_indexes_get_them(database: Database, keyring: Keyring) -> None:
    ids = await populate(database, keyring, 3, email_index=None, phone_index=None)
    async with database.write() as session:
        sealed = keyring.seal(b'{"notes": []}', context=patients.context(ids[0]))
        values = {name: getattr(sealed, name) for name in SEALED}
        await session.exec(update(PatientDetail).where(col(PatientDetail.booking_id) == ids[0]).values(values))
    before = {row["booking_id"]: row for row in await everything(database, PatientDetail)}
    assert await rotation.rewrap(database, keyring, by="a test") == rotation.Written(2, frozenset())
    await patients_under(database, keyring)
    for row in await everything(database, PatientDetail):
        kept = row | {"email_index": None, "phone_index": None}
        assert kept == before[row["booking_id"]]
        assert (row["email_index"] is None) == (row["phone_index"] is None) == (row["booking_id"] == ids[0])


async def test_a_blind_index_under_a_key_is_renewed_before_the_key_is_dropped(
    settings: Settings, database: Database, keyring: Keyring
) -> None:
    await populate(database, keyring, 3)
    first, old = keyring.primary, keyring.steady()
    second = keyring_file.add_primary(settings.keyring_path)
    rows = await everything(database, PatientDetail)
    # Sealed anew since, but for the indexes.
    for row in rows:
        told = opened(row, keyring)
        sealed = keyring.seal(json.dumps(told).encode(), context=patients.context(row["booking_id"]))
        values = {name: getattr(sealed, name) for name in SEALED}
        change = update(PatientDetail).where(col(PatientDetail.booking_id) == row["booking_id"])
        await execute(database, change.values(values | indexes(told, old)))
    age(settings.keyring_path)
    await rotation.drop(database, keyring, settings.keyring_path, first, by="a test")
    assert keyring.keys.keys() == {second}
    assert len(await patients_under(database, keyring)) == 3
