"""A key ring of a test's own, patients sealed with it, and how they stand after a rotation."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from app.access.tables import AuditEntry
from app.consultations import patients
from app.consultations.tables import PatientDetail
from app.core.crypto import Envelope, Keyring
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests import processes
from tests.rows import everything, new_booking, new_slot, run

SEATS = 50
SEALED = ("key_id", "wrapped_key", "nonce", "ciphertext")


def with_own_ring(settings: Settings, folder: Path) -> Settings:
    """These settings with a copy of the key ring, which can be changed."""
    ring = folder / "ring" / "keyring"
    ring.parent.mkdir()
    shutil.copy(settings.keyring_path, ring)
    return settings.model_copy(update={"keyring_file": ring})


def carepath(settings: Settings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the key ring's."""
    environment = processes.environment_of(settings)
    return processes.run("keyring", *arguments, folder=settings.keyring_path.parent, environment=environment)


async def populate(database: Database, keyring: Keyring, count: int, **changes: Any) -> list[UUID]:
    """So many bookings with a patient each, past the rooms; `changes` are to the patients' rows."""
    ids = [new_id() for _ in range(count)]
    for number in range(0, count, SEATS):
        slot_id, details = new_id(), []
        bookings = [
            new_booking(slot_id, id=booking_id, seat=seat) for seat, booking_id in enumerate(ids[number:][:SEATS], 1)
        ]
        for booking_id in ids[number:][:SEATS]:
            told = {"name": "Synthetic Patient", "email": f"{booking_id}@Example.com", "phone": f"+49{booking_id.int}"}
            envelope = keyring.seal(json.dumps(told).encode(), context=patients.context(booking_id))
            details.append(
                {
                    "booking_id": booking_id,
                    **{name: getattr(envelope, name) for name in SEALED},
                    "consent_text_version": "v1",
                    **indexes(told, keyring),
                    **changes,
                }
            )
        await run(database, new_slot(id=slot_id, capacity=SEATS), *bookings, insert(PatientDetail).values(details))
    return ids


def indexes(told: dict[str, Any], keyring: Keyring) -> dict[str, bytes | None]:
    """The blind indexes of what was told."""
    return {
        f"{way}_index": keyring.blind_index(patients.normalised(told[way])) if way in told else None
        for way in ("email", "phone")
    }


def opened(row: dict[str, Any], keyring: Keyring) -> dict[str, Any]:
    """What was told."""
    envelope = Envelope(*(row[name] for name in SEALED))
    told: dict[str, Any] = json.loads(keyring.open(envelope, context=patients.context(row["booking_id"])))
    return told


async def patients_under(database: Database, keyring: Keyring) -> dict[UUID, dict[str, Any]]:
    """What every patient told, by booking; each row is found under the primary key, and under no other."""
    rows = await everything(database, PatientDetail)
    told = {row["booking_id"]: opened(row, keyring) for row in rows}
    assert {row["key_id"] for row in rows} <= {keyring.primary}
    astray = [row for row in rows if indexes(told[row["booking_id"]], keyring).items() - row.items()]
    assert astray == []
    return told


async def rounds(database: Database) -> list[str]:
    """Which key each batch of each rotation was brought under, by the trail."""
    entries = await everything(database, AuditEntry, AuditEntry.action == "keyring.rewrapped")
    return [entry["subject"] for entry in entries]
