"""How many seats one caller may hold at once."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.access.callers import Scope
from app.consultations.tables import ConsultationBooking
from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from tests.conftest import headers_with
from tests.doors import client_of
from tests.lives import run_out
from tests.rows import counts
from tests.wishes import act, book, confirmation, hold, hold_wish, new_key, post_slot, refusal

MOST = 10
ADDRESS = "/consultation-bookings"


@pytest.fixture
async def clients(settings: Settings) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two clients, at two addresses, of an application that limits holds, and many other writes."""
    assert settings.holds_per_caller == MOST
    app = create_app(settings.model_copy(update={"rate_limits": True, "anonymous_writes_per_minute": 1000}))
    async with (
        app.router.lifespan_context(app),
        client_of(app, address="203.0.113.7") as one,
        client_of(app, address="203.0.113.8") as other,
    ):
        yield [one, other]


async def attempt(client: httpx.AsyncClient, slot_id: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """Try to hold a seat."""
    return await client.post(ADDRESS, json=hold_wish(slot_id), headers=new_key() | (headers or {}))


async def test_an_address_holds_ten_seats_and_no_more(
    clients: list[httpx.AsyncClient], admin: dict[str, str], settings: Settings, database: Database
) -> None:
    one, other = clients
    slot = await post_slot(one, admin, capacity=30)
    held = [await hold(one, slot["id"]) for _ in range(MOST)]
    refused = await attempt(one, slot["id"])
    assert refusal(refused) == (429, "too-many-holds")
    # Until the first of them expires.
    assert settings.hold_seconds - 60 < int(refused.headers["retry-after"]) <= settings.hold_seconds
    assert await counts(database, ConsultationBooking) == [MOST]
    # A booking is no hold, another address is another caller, and so is whoever has a key.
    await book(one, slot["id"])
    await hold(other, slot["id"])
    await hold(one, slot["id"], headers=admin)
    assert (await attempt(one, slot["id"])).status_code == 429
    # Each of these makes room for one.
    for number, action in enumerate(("confirm", "cancel")):
        answer = await act(one, held[number], action, confirmation() if action == "confirm" else None)
        assert answer.status_code == 200
        assert [(await attempt(one, slot["id"])).status_code for _ in range(2)] == [201, 429]
    await run_out(database, held[2])
    assert [(await attempt(one, slot["id"])).status_code for _ in range(2)] == [201, 429]


async def test_a_key_holds_ten_seats_wherever_it_is_used(
    clients: list[httpx.AsyncClient], admin: dict[str, str], database: Database
) -> None:
    one, other = clients
    slot = await post_slot(one, admin, capacity=30)
    mine, theirs = [await headers_with(database, Scope.BOOKINGS_READ) for _ in range(2)]
    for number in range(MOST):
        await hold(clients[number % 2], slot["id"], headers=mine)
    for client in clients:
        assert refusal(await attempt(client, slot["id"], mine)) == (429, "too-many-holds")
    await hold(one, slot["id"], headers=theirs)
    await hold(other, slot["id"])


async def test_a_repeat_is_no_further_hold(clients: list[httpx.AsyncClient], admin: dict[str, str]) -> None:
    slot = await post_slot(clients[0], admin, capacity=30)
    for _ in range(MOST - 1):
        await hold(clients[0], slot["id"])
    key = new_key()
    answers = [await clients[0].post(ADDRESS, json=hold_wish(slot["id"]), headers=key) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    refused = new_key()
    assert (await clients[0].post(ADDRESS, json=hold_wish(slot["id"]), headers=refused)).status_code == 429
    # The refusal left nothing: the same attempt succeeds once there is room.
    await act(clients[0], answers[0].json(), "cancel")
    again = await clients[0].post(ADDRESS, json=hold_wish(slot["id"]), headers=refused)
    assert (again.status_code, "idempotent-replayed" in again.headers) == (201, False)


async def test_the_limit_can_be_switched_off(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin, capacity=MOST + 2)
    held = [await hold(client, slot["id"]) for _ in range(MOST + 2)]
    assert [booking["state"] for booking in held] == ["held"] * (MOST + 2)
