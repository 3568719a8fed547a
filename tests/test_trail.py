"""Nothing is done without a line in the trail: every door that changes something leaves one, and without it nothing."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from app import worker
from app.access import callers
from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.consultations import seats
from app.consultations.tables import BookingState
from app.core import clock
from app.core.db import Database
from app.worker import Job, Tools
from tests.deeds import deeds
from tests.doors import doors
from tests.pages import publish
from tests.rows import everything, make_booking, make_slot, run
from tests.wishes import (
    PATIENT,
)

SAFE = {"GET", "HEAD", "OPTIONS"}
# They show what patients told, or what was done about it.
TELLING = {"/consultation-bookings", "/consultation-bookings/{reference}", "/audit"}
# It takes a body, and changes nothing.
SHOWING = {("POST", "/slot-schedules/preview")}
NO_ENTRIES = {
    "sqlite": ["CREATE TRIGGER no_entries BEFORE INSERT ON audit_entries BEGIN SELECT RAISE(ABORT, 'synthetic'); END"],
    "postgresql": [
        "CREATE FUNCTION no_entries() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'synthetic'; END $$",
        "CREATE TRIGGER no_entries BEFORE INSERT ON audit_entries FOR EACH ROW EXECUTE FUNCTION no_entries()",
    ],
}


@pytest.fixture(autouse=True)
def _nothing_beside_the_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite the server seals the trail every five seconds, which changes rows too."""

    async def rest(_tools: Tools) -> str:
        return ""

    monkeypatch.setattr(worker, "JOBS", (Job("rest", 3600, rest),))


async def snapshot(database: Database) -> dict[str, list[str]]:
    """All rows of all tables."""
    async with database.reading.connect() as connection:
        return {
            table.name: sorted(str(row) for row in await connection.execute(select(table)))
            for table in SQLModel.metadata.sorted_tables
        }


async def forbid_entries(database: Database) -> None:
    """From now on no line can be written to the trail."""
    await run(database, *(text(statement) for statement in NO_ENTRIES[database.writing.dialect.name]))


async def test_every_door_that_changes_something_is_among_the_deeds(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    covered = {(deed.method, deed.route) for deed in await deeds(client, admin, database)}
    unsafe = {(method, route) for route, methods in doors(app).items() for method in methods - SAFE}
    assert covered == unsafe - SHOWING | {("GET", route) for route in TELLING}


async def test_everything_that_is_done_is_a_line_in_the_trail(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    for deed in await deeds(client, admin, database):
        before = {entry["id"] for entry in await everything(database, AuditEntry)}
        answer = await deed.ask(client)
        assert answer.is_success, (deed.address, answer.text)
        new = [entry for entry in await everything(database, AuditEntry) if entry["id"] not in before]
        assert (deed.address, {entry["action"] for entry in new}) == (deed.address, deed.done)
        assert {entry["actor"].partition(":")[0] for entry in new} == {deed.actor(admin)}


async def test_without_a_line_in_the_trail_nothing_is_done_and_nothing_is_told(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    wanted = await deeds(client, admin, database)
    await forbid_entries(database)
    before = await snapshot(database)
    for deed in wanted:
        answer = await deed.ask(client)
        assert (deed.address, answer.status_code, answer.json()["code"]) == (deed.address, 500, "internal-error")
        assert [value for value in PATIENT.values() if value in answer.text] == []
    assert await snapshot(database) == before


async def create_key(database: Database) -> None:
    """As `carepath keys create` does."""
    async with database.write() as session:
        await callers.create_key(session, name="synthetic", scopes=[Scope.PRIVACY], is_live=False)


async def expire_hold(database: Database) -> None:
    """As the worker does."""
    async with database.write() as session:
        assert await seats.expire_stale(session, limit=10) == 1


@pytest.mark.parametrize(
    ("action", "work"),
    [("api_key.created", create_key), ("condition.published", publish), ("booking.expired", expire_hold)],
)
async def test_what_is_done_past_the_doors_is_a_line_in_the_trail_too(
    database: Database, action: str, work: Callable[[Database], Awaitable[object]]
) -> None:
    over = clock.now() - timedelta(minutes=1)
    await make_booking(database, await make_slot(database), state=BookingState.HELD, hold_expires_at=over)
    known = len(await everything(database, AuditEntry))
    await work(database)
    entries = await everything(database, AuditEntry)
    assert (len(entries), action in {entry["action"] for entry in entries}) == (known + 1, True)


@pytest.mark.parametrize("work", [create_key, publish, expire_hold])
async def test_what_is_done_past_the_doors_is_not_done_without_a_line_in_the_trail(
    database: Database, work: Callable[[Database], Awaitable[object]]
) -> None:
    over = clock.now() - timedelta(minutes=1)
    await make_booking(database, await make_slot(database), state=BookingState.HELD, hold_expires_at=over)
    await forbid_entries(database)
    before = await snapshot(database)
    with pytest.raises(DBAPIError):
        await work(database)
    assert await snapshot(database) == before
