"""What must always be true of the rows is looked for, and whatever breaks it is named, by `carepath doctor` too."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel, col

from app.consultations import retention
from app.consultations.tables import ConsultationBooking
from app.core.db import Database
from app.core.settings import Settings
from app.doctor import broken_ids, examine, read_invariants
from app.main import create_app
from tests.breaks import BREAKS, HARMLESS
from tests.processes import environment_of
from tests.processes import run as run_command
from tests.rows import everything, run
from tests.wishes import PATIENT, bearer, book, booking_wish, new_key, post_slot

SEAT_LIVE = "uq_consultation_bookings_seat_live"


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The application, with holds that end soon."""
    return create_app(settings.model_copy(update={"hold_seconds": 1}))


async def live(client: httpx.AsyncClient, admin: dict[str, str]) -> dict[str, str]:
    """Let bookings take every step that there is; returns the references of some, and the ids of slots."""
    assert (await client.post("/clinicians", json={"slug": "dr-one", "name": "One"}, headers=admin)).is_success
    house = {"slug": "house", "name": "House", "time_zone": "Europe/Berlin"}
    assert (await client.post("/locations", json=house, headers=admin)).is_success
    room = {"slug": "room-one", "name": "One"}
    assert (await client.post("/locations/house/rooms", json=room, headers=admin)).is_success
    days = {"full": 30.0, "later": 31.0, "last": 32.0, "off": 33.0, "soon": 2 / 86400}
    slots = {
        name: await post_slot(
            client, admin, days=ahead, capacity=3, clinician="dr-one", location="house", room="room-one"
        )
        for name, ahead in days.items()
    }

    async def act(booking: dict[str, Any], step: str, wish: Any = None, headers: Any = None) -> None:
        path = f"/consultation-bookings/{booking['reference']}/{step}"
        answer = await client.post(path, json=wish or {}, headers=headers or bearer(booking))
        assert answer.is_success, answer.text

    async def hold(name: str) -> dict[str, Any]:
        wish = {"slot_id": slots[name]["id"]}
        held: dict[str, Any] = (await client.post("/consultation-bookings", json=wish, headers=new_key())).json()
        return held

    fulfilled, missed = [await book(client, slots["soon"]["id"]) for _ in range(2)]
    cancelled, called_off = await book(client, slots["full"]["id"]), await book(client, slots["off"]["id"])
    await act(cancelled, "cancel")
    moved = await hold("later")
    await act(moved, "confirm", {name: booking_wish("")[name] for name in ("patient", "consent")})
    await act(moved, "reschedule", {"slot_id": slots["full"]["id"]})
    somebody = PATIENT | {"email": "erased.patient@example.com"}
    erased = await book(client, slots["last"]["id"], patient=somebody)
    assert (await client.post("/privacy/erase", json={"email": somebody["email"]}, headers=admin)).is_success
    let_go, stale = await hold("last"), [await hold("later") for _ in range(3)]
    await act(let_go, "cancel")
    slot = await client.get(f"/consultation-slots/{slots['off']['id']}")
    match = admin | {"If-Match": slot.headers["ETag"]}
    assert (await client.post(f"/consultation-slots/{slots['off']['id']}/cancel", headers=match, json={})).is_success
    await asyncio.sleep(2.1)
    await act(fulfilled, "fulfil", headers=admin)
    await act(missed, "no-show", headers=admin)
    # Of a full slot, one of the holds that are over has to go.
    await book(client, slots["later"]["id"])
    booked, held = await book(client, slots["full"]["id"]), await hold("last")
    named = {"booked": booked, "moved": moved, "fulfilled": fulfilled, "held": held, "erased": erased}
    assert {called_off["state"], *(each["state"] for each in stale)} == {"booked", "held"}
    references = {name: booking["reference"] for name, booking in named.items()}
    return references | {name: slot["id"].replace("-", "") for name, slot in slots.items()}


async def ids_of(database: Database, told: dict[str, str]) -> dict[str, str]:
    """The ids behind what was told, in the form that both databases read."""
    rows = await everything(database, ConsultationBooking)
    bookings = {row["reference"]: row["id"].hex for row in rows}
    return {name: bookings.get(said, said) for name, said in told.items()} | {"nothing": "0" * 32}


async def drop_guards(connection: AsyncConnection) -> None:
    """Take away, in this transaction, whatever stands in the way of a wrong row."""
    await connection.execute(text(f"DROP INDEX {SEAT_LIVE}"))
    if connection.dialect.name == "sqlite":
        await connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        for name in await connection.scalars(text("SELECT name FROM sqlite_schema WHERE type = 'trigger'")):
            await connection.execute(text(f"DROP TRIGGER {name}"))
        return
    for table in SQLModel.metadata.tables:
        await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    query = "SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype IN ('c', 'f', 'x') AND conrelid <> 0"
    for table, name in (await connection.execute(text(query + " AND connamespace = 'public'::regnamespace"))).all():
        await connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))


@asynccontextmanager
async def unguarded(database: Database) -> AsyncIterator[AsyncConnection]:
    """A connection that may write what is wrong; all of it is rolled back."""
    async with database.writing.connect() as connection:
        await drop_guards(connection)
        yield connection
        await connection.rollback()
        if connection.dialect.name == "sqlite":
            await connection.execute(text("PRAGMA ignore_check_constraints = OFF"))


async def broken_by(connection: AsyncConnection, *statements: str) -> set[str]:
    """The names of what is broken once these have run; they are rolled back."""
    moment = await connection.begin_nested()
    for statement in statements:
        assert (await connection.execute(text(statement))).rowcount > 0, statement
    queries = read_invariants()
    broken = {name for name, query in queries.items() if (await connection.execute(text(query))).all()}
    await moment.rollback()
    return broken


async def test_lives_of_bookings_keep_every_invariant_and_whatever_breaks_one_is_seen(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    ids = await ids_of(database, await live(client, admin))
    states = {row["state"] for row in await everything(database, ConsultationBooking)}
    assert states == {"held", "booked", "fulfilled", "no_show", "cancelled", "expired"}
    assert await broken_ids(database) == {name: [] for name in read_invariants()}
    assert set(BREAKS) == set(read_invariants())
    expected = {way: {name} | others for name, ways in BREAKS.items() for way, others in ways.items()}
    async with unguarded(database) as connection:
        seen = {way: await broken_by(connection, *way.format(**ids).split(";")) for way in expected}
        assert seen == expected
        assert await broken_by(connection, *HARMLESS.format(**ids).split(";")) == set()


def test_what_was_told_is_kept_for_as_long_as_it_is_looked_for() -> None:
    (query,) = (query for name, query in read_invariants().items() if name.startswith("every step of late"))
    (days,) = re.findall(r"untold\.day < (\d+)", query)
    assert retention.MESSAGES_KEPT_FOR.days >= int(days)


async def test_the_doctor_names_what_is_broken_and_changes_its_exit_status(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings, tmp_path: Path
) -> None:
    slot = await post_slot(client, admin, capacity=10)
    references = {(await book(client, slot["id"]))["reference"] for _ in range(7)}
    well = {finding.subject for finding in await examine(settings, invariants=True) if finding.is_well}
    assert set(read_invariants()) < well
    await run(database, text("UPDATE consultation_bookings SET reschedule_count = 1, version = version + 1"))
    ended = await asyncio.to_thread(
        run_command, "doctor", "--invariants", folder=tmp_path, environment=environment_of(settings)
    )
    lines = ended.stdout.splitlines()
    wrong = dict(line.removeprefix("WRONG ").split(": ") for line in lines if line.startswith("WRONG "))
    names = {"a booking moved as often as it says", "a booking has one event for each of its versions"}
    assert (ended.returncode, ended.stderr, set(wrong)) == (1, "", names)
    told, more = wrong["a booking moved as often as it says"].split(" and ")
    named = {word.removeprefix("booking ") for word in told.split(", ")}
    found = await everything(database, ConsultationBooking, col(ConsultationBooking.reference).in_(references))
    assert (len(named), more) == (5, "2 more")
    assert named < {str(row["id"]) for row in found}
