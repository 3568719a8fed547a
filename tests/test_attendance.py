"""How a consultation ended: staff say whether the patient came."""

import asyncio
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from app.access.callers import Scope
from app.consultations.tables import BookingState
from app.core import clock
from app.core.db import Database
from tests.conftest import headers_with
from tests.lives import HELD, STALE, actor_of, put_booking, put_ended, row_of, steps_of
from tests.rows import make_slot
from tests.wishes import act, book, post_slot, read, refusal

MARKS = {"fulfil": "fulfilled", "no-show": "no_show"}
each_mark = pytest.mark.parametrize(("action", "state"), MARKS.items())


async def begun(database: Database) -> UUID:
    """A slot that began a minute ago."""
    at = clock.now() - timedelta(minutes=1)
    return await make_slot(database, starts_at=at, ends_at=at + timedelta(minutes=30))


@each_mark
async def test_staff_say_how_it_ended_once(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, action: str, state: str
) -> None:
    booking = await put_booking(database, await begun(database))
    answers = [await act(client, booking, action, headers=admin) for _ in range(2)]
    assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [(200, state)] * 2
    assert answers[1].json() == answers[0].json()
    assert (answers[0].json()["version"], answers[0].json()["allowed_actions"]) == (2, [])
    assert await steps_of(database, booking) == [(2, "booked", state, await actor_of(database, admin))]
    (other,) = set(MARKS) - {action}
    assert refusal(await act(client, booking, other, headers=admin)) == (409, "booking-ended")
    # The seat of a consultation that is over is nobody's to give; the booking stands as it ended.
    assert refusal(await act(client, booking, "cancel", headers=admin)) == (409, "booking-ended")
    assert (await read(client, booking))["state"] == state


@each_mark
async def test_nothing_has_ended_that_has_not_begun(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, action: str, state: str
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    assert refusal(await act(client, booking, action, headers=admin)) == (409, "not-begun")
    assert (await row_of(database, booking))["state"] != state


@each_mark
@pytest.mark.parametrize("before", [BookingState.HELD, BookingState.CANCELLED, BookingState.EXPIRED, "stale"])
async def test_only_what_is_booked_can_have_taken_place(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, action: str, state: str, before: str
) -> None:
    slot_id = await begun(database)
    if before in ("stale", BookingState.HELD):
        booking = await put_booking(database, slot_id, **(STALE if before == "stale" else HELD))
    else:
        booking = await put_ended(database, slot_id, BookingState(before))
    row = await row_of(database, booking)
    assert refusal(await act(client, booking, action, headers=admin)) == (409, "booking-ended")
    assert await row_of(database, booking) == row
    assert row["state"] != state


@each_mark
async def test_its_holder_does_not_say_so(
    client: httpx.AsyncClient, database: Database, action: str, state: str
) -> None:
    booking = await put_booking(database, await begun(database))
    reader = await headers_with(database, Scope.BOOKINGS_READ, Scope.BOOKINGS_OVERRIDE)
    writer = await headers_with(database, Scope.BOOKINGS_WRITE)
    assert refusal(await act(client, booking, action)) == (403, "scope-missing")
    assert refusal(await act(client, booking, action, headers=reader)) == (404, "booking-not-found")
    stranger = {"reference": booking["reference"], "token": booking["token"] + "x"}
    assert refusal(await act(client, stranger, action)) == (404, "booking-not-found")
    assert (await row_of(database, booking))["state"] == "booked"
    assert (await act(client, booking, action, headers=writer)).json()["state"] == state


async def test_two_who_disagree_at_once_are_not_both_right(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    booking = await put_booking(database, await begun(database))
    answers = await asyncio.gather(*(act(client, booking, action, headers=admin) for action in MARKS))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len(await steps_of(database, booking)) == 1
