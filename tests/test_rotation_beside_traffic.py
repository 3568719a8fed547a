"""Rotations beside the traffic: nothing that patients told is unreadable for a moment, lost, or left behind."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete
from sqlmodel import col

from app.access.tables import IdempotencyRecord
from app.consultations import rotation
from app.core import keyring_file
from app.core.crypto import load_keyring
from app.core.db import Database
from app.core.ids import new_id
from app.core.keyring_file import KeyStillNeeded
from app.core.settings import Settings
from tests.processes import serving
from tests.rings import SEATS, carepath, patients_under, populate, with_own_ring
from tests.rows import run
from tests.test_keyring import age
from tests.wishes import bearer, booking_wish, new_key, post_slot


class Traffic:
    """Clients that book, repeat themselves, cancel with a note, and read; whatever is not answered well is an error."""

    def __init__(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        self.client = client
        self.admin = admin
        # Bookings by their patient's address, with the notes that were added.
        self.made: dict[str, dict[str, Any]] = {}
        self.reads = 0

    async def book(self) -> None:
        """Book the seats of a new slot."""
        slot = await post_slot(self.client, self.admin, capacity=SEATS)
        for seat in range(SEATS):
            wish, key = booking_wish(slot["id"]), new_key()
            email = f"{new_id()}@example.com"
            wish["patient"] = wish["patient"] | {"email": email}
            answer, repeated = [
                await self._post("/consultation-bookings", 201, json=wish, headers=key) for _ in range(2)
            ]
            assert repeated.content == answer.content
            booking = answer.json() | {"notes": []}
            if seat % 3 == 0:
                note = f"Synthetic note about {email}."
                url = f"/consultation-bookings/{booking['reference']}/cancel"
                await self._post(url, 200, json={"note": note}, headers=bearer(booking))
                booking["notes"] = [note]
            self.made[email] = booking
            await asyncio.sleep(0.02)

    async def read(self) -> None:
        """Read every booking with its token."""
        for email, booking in self.made.copy().items():
            answer = await self.client.get(f"/consultation-bookings/{booking['reference']}", headers=bearer(booking))
            assert answer.status_code == 200, answer.text
            assert answer.json()["patient"]["email"] == email
            self.reads += 1
            await asyncio.sleep(0.005)

    async def list(self) -> None:
        """Read a list with the patients' names."""
        answer = await self.client.get("/consultation-bookings", params={"limit": 100}, headers=self.admin)
        assert answer.status_code == 200, answer.text
        await asyncio.sleep(0.2)

    async def _post(self, url: str, status: int, **sent: Any) -> httpx.Response:
        answer = await self.client.post(url, **sent)
        assert answer.status_code == status, answer.text
        return answer


@asynccontextmanager
async def going_on(*clients: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Each client does its work again and again until the block ends; what goes wrong for one is raised."""
    is_over = asyncio.Event()

    async def repeat(client: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while not is_over.is_set():
            await client()
            await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(repeat(client))
        yield
        is_over.set()


async def test_rotations_and_drops_beside_the_traffic_are_not_noticed(
    settings: Settings, database: Database, admin: dict[str, str], tmp_path: Path
) -> None:
    settings = with_own_ring(settings, tmp_path)
    keyring = load_keyring(settings.keyring_path)
    before = await populate(database, keyring, 450)
    with serving(settings, tmp_path) as served:
        async with httpx.AsyncClient(base_url=served.address, trust_env=False, timeout=30) as client:
            traffic = Traffic(client, admin)
            async with going_on(traffic.book, traffic.book, traffic.read, traffic.read, traffic.list):
                await _rotate_and_drop(settings, database)
            await traffic.read()
        assert [event for event in served.events() if event["level"] == "error"] == []
    assert traffic.reads > len(traffic.made) > 0
    told = await patients_under(database, keyring)
    assert told.keys() >= set(before)
    assert len(told) == len(before) + len(traffic.made)
    notes = {patient["email"]: [note["text"] for note in patient.get("notes", [])] for patient in told.values()}
    assert {email: booking["notes"] for email, booking in traffic.made.items()}.items() <= notes.items()


async def _rotate_and_drop(settings: Settings, database: Database) -> None:
    """Two rotations by processes of their own; then both old keys go, as soon as no stored answer needs them."""
    path = settings.keyring_path
    for _ in range(2):
        ended = await asyncio.to_thread(carepath, settings, "rotate")
        assert (ended.returncode, ended.stderr) == (0, "")
    ring = keyring_file.read(path)
    keyring, (first, second) = load_keyring(path), ring.retired_at
    with pytest.raises(KeyStillNeeded, match="less than 60 seconds"):
        await rotation.drop(database, keyring, path, first, by="a test")
    age(path)
    # What was under way for longer than a rotation waits.
    await rotation.rewrap(database, keyring, by="a test")
    for key_id in (first, second):
        with pytest.raises(KeyStillNeeded, match=r"is in use: \d+ stored answers"):
            await rotation.drop(database, keyring, path, key_id, by="a test")
    await run(database, delete(IdempotencyRecord).where(col(IdempotencyRecord.key_id) != ring.primary))
    for key_id in (first, second):
        await rotation.drop(database, keyring, path, key_id, by="a test")
    assert keyring_file.read(path).keys.keys() == {ring.primary}
