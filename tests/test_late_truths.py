"""What goes wrong late or between two moments, and what is told then."""

import asyncio
import sqlite3
from typing import Any

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError

from app import worker
from app.consultations import retention, seats
from app.consultations.errors import SlotTaken
from app.core import crypto, db, postgres
from app.core.db import Database, DatabaseBusy
from app.core.settings import Settings
from app.routers import booking_access, consultation_bookings
from tests.lives import run_out
from tests.wishes import booking_wish, hold, new_key, post_slot, refusal

BOOKINGS = "/consultation-bookings"


async def test_a_sharp_s_is_not_two_of_them(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    """They are two hosts: whoever asks for one person's data must not get, or erase, another's."""
    slot = await post_slot(client, admin)
    wish = booking_wish(slot["id"], patient={"name": "Synthetic", "email": "Anna@straße.example"})
    assert (await client.post(BOOKINGS, json=wish, headers=new_key())).status_code == 201
    found = [
        len((await client.post("/privacy/export", json={"email": f"anna@{host}"}, headers=admin)).json()["bookings"])
        for host in ("strasse.example", "straße.example")
    ]
    assert found == [0, 1]


async def test_a_migration_beside_traffic_costs_one_request_and_not_all(
    client: httpx.AsyncClient, admin: dict[str, str], settings: Settings
) -> None:
    """PostgreSQL refuses a prepared statement whose columns have changed: such a connection is not used again."""
    if settings.sqlite_path is not None:
        pytest.skip("SQLite prepares anew by itself")
    slot = await post_slot(client, admin, capacity=50)
    for _ in range(8):
        await client.post(BOOKINGS, json=booking_wish(slot["id"]), headers=new_key())
    with psycopg.connect(settings.database_url, autocommit=True) as other:
        other.execute("ALTER TABLE consultation_slots ALTER COLUMN mode TYPE varchar(80)")
    answers = [
        (await client.post(BOOKINGS, json=booking_wish(slot["id"]), headers=new_key())).status_code for _ in range(4)
    ]
    assert answers[0] in (201, 503)
    assert answers[1:] == [201, 201, 201]


async def test_a_restarted_server_costs_no_refusal_and_no_list_a_second_try(
    client: httpx.AsyncClient, admin: dict[str, str], settings: Settings
) -> None:
    if settings.sqlite_path is not None:
        pytest.skip("SQLite has no server")
    slot = await post_slot(client, admin, capacity=1)
    for _ in range(2):
        await client.post(BOOKINGS, json=booking_wish(slot["id"]), headers=new_key())
    with psycopg.connect(settings.database_url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await asyncio.sleep(postgres.RESTED + 0.2)
    late = await client.post(BOOKINGS, json=booking_wish(slot["id"]), headers=new_key())
    assert refusal(late) == (409, "slot-taken")
    assert (await client.get("/consultation-slots")).status_code == 200


@pytest.mark.parametrize("trouble", [DatabaseBusy(), DBAPIError("", None, Exception())])
async def test_who_came_too_late_is_told_so_though_nobody_can_say_what_else_is_free(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    slot = await post_slot(client, admin, capacity=1)
    await client.post(BOOKINGS, json=booking_wish(slot["id"]), headers=new_key())

    def look() -> Any:
        raise trouble

    monkeypatch.setattr(app.state.database, "look", look)
    late = await client.post(BOOKINGS, json=booking_wish(slot["id"]), headers=new_key())
    assert refusal(late) == (409, "slot-taken")
    assert late.json()["alternatives"] == []


async def test_a_receipt_tells_whether_files_are_clean_and_the_purge_sees_to_it(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], settings: Settings
) -> None:
    slot = await post_slot(client, admin)
    wish = booking_wish(slot["id"])
    await client.post(BOOKINGS, json=wish, headers=new_key())
    erase = {"email": wish["patient"]["email"]}
    if settings.sqlite_path is None:
        assert (await client.post("/privacy/erase", json=erase, headers=admin)).json()["files_clean"] is True
        return
    reader = sqlite3.connect(settings.sqlite_path, isolation_level=None)
    (sealed,) = reader.execute("SELECT ciphertext FROM patient_details").fetchone()
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM patient_details").fetchall()
    assert (await client.post("/privacy/erase", json=erase, headers=admin)).json()["files_clean"] is False
    reader.execute("ROLLBACK")
    reader.close()
    await retention.purge_all(app.state.database, settings, by="worker")
    log = settings.sqlite_path.with_name(settings.sqlite_path.name + "-wal")
    assert sealed not in log.read_bytes() + settings.sqlite_path.read_bytes()


async def test_a_booking_is_shown_as_it_was_at_one_moment(
    client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between who may look and what they see, somebody confirms."""
    wish = booking_wish((await post_slot(client, admin))["id"])
    patient = {name: wish[name] for name in ("patient", "consent", "reason") if name in wish}
    seat = {name: value for name, value in wish.items() if name not in patient}
    made = (await client.post(BOOKINGS, json=seat, headers=new_key())).json()
    address, headers = f"{BOOKINGS}/{made['reference']}", {"Authorization": f"Bearer {made['token']}"}
    let_in = booking_access.let_in

    async def slowly(*args: Any) -> Any:
        visitor = await let_in(*args)
        assert (await client.post(f"{address}/confirm", json=patient, headers=headers)).status_code == 200
        return visitor

    monkeypatch.setattr(consultation_bookings, "let_in", slowly)
    seen = await client.get(address, headers=headers)
    assert (seen.json()["state"], "patient" in seen.json()) == ("booked", True)
    assert seen.headers["etag"].startswith('"2-')


async def test_a_refusal_at_the_end_of_a_transaction_is_no_write(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_session: object) -> None:
        raise SlotTaken

    monkeypatch.setattr(db, "write_deferred", refuse)
    with pytest.raises(SlotTaken):
        async with database.write():
            pass
    assert database.writes == 0


async def test_the_worker_ends_though_a_driver_hides_that_it_was_cancelled(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def stubborn(_tools: object) -> str:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RuntimeError from None
        return ""

    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.01)
    monkeypatch.setattr(worker, "JOBS", (worker.Job("stubborn", 0.01, stubborn),))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(database, crypto.load_keyring(settings.keyring_path), settings, stop))
    await begun.wait()
    stop.set()
    await asyncio.wait([running], timeout=5)
    assert running.done()
    assert running.exception() is None


async def test_a_hold_that_ends_while_a_seat_is_looked_for_is_ended_and_its_seat_given(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is over right after two looks for holds that are, and before the question why the slot is full."""
    wish = booking_wish((await post_slot(client, admin, capacity=1))["id"])
    held = await hold(client, wish["slot_id"])
    await run_out(database, held)
    expire_stale, looks = seats.expire_stale, []

    async def not_yet(session: Any, **how: Any) -> int:
        looks.append(how)
        return 0 if len(looks) < 3 else await expire_stale(session, **how)

    monkeypatch.setattr(seats, "expire_stale", not_yet)
    assert (await client.post(BOOKINGS, json=wish, headers=new_key())).status_code == 201
