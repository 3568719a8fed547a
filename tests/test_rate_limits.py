"""Anonymous writes are limited for each address; callers with an API key are not."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.core.limits import address_of
from app.core.settings import Settings
from app.main import create_app
from tests.doors import client_of
from tests.wishes import bearer, book, booking_wish, new_key, post_slot

LIMIT = 3
ADDRESS = "/consultation-bookings"
UNKNOWN_SLOT = booking_wish("01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79")


@pytest.fixture
async def clients(settings: Settings) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two clients, at two addresses, of an application that limits."""
    limited = settings.model_copy(update={"rate_limits": True, "anonymous_writes_per_minute": LIMIT})
    app = create_app(limited)
    async with (
        app.router.lifespan_context(app),
        client_of(app, address="203.0.113.7") as one,
        client_of(app, address="203.0.113.8") as other,
    ):
        yield [one, other]


async def statuses(client: httpx.AsyncClient, headers: dict[str, str], *, count: int = LIMIT + 1) -> list[int]:
    """What so many attempts to book get."""
    return [
        (await client.post(ADDRESS, json=UNKNOWN_SLOT, headers=new_key() | headers)).status_code for _ in range(count)
    ]


async def test_too_many_writes_from_one_address_are_refused(
    clients: list[httpx.AsyncClient], admin: dict[str, str]
) -> None:
    one, other = clients
    assert await statuses(one, {}) == [422] * LIMIT + [429]
    refused = await one.post(ADDRESS, json=UNKNOWN_SLOT, headers=new_key())
    assert (refused.status_code, refused.json()["code"]) == (429, "rate-limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert await statuses(other, {}, count=1) == [422]
    # Reading goes on, and so do callers with a key.
    assert (await one.get("/consultation-slots")).status_code == 200
    assert await statuses(one, admin, count=LIMIT * 2) == [422] * LIMIT * 2


async def test_a_holder_counts_as_anonymous_and_no_header_buys_more(
    clients: list[httpx.AsyncClient], admin: dict[str, str]
) -> None:
    one, other = clients
    slot = await post_slot(one, admin)
    booking = await book(one, slot["id"])
    cancel = f"{ADDRESS}/{booking['reference']}/cancel"
    assert [(await one.post(cancel, headers=bearer(booking))).status_code for _ in range(2)] == [200, 200]
    disguised = {"X-Forwarded-For": "198.51.100.1", "Forwarded": "for=198.51.100.1", "X-Real-IP": "198.51.100.1"}
    assert (await one.post(cancel, headers=bearer(booking) | disguised)).status_code == 429
    assert (await other.post(cancel, headers=bearer(booking))).status_code == 200


async def test_a_key_that_is_none_counts_as_anonymous(clients: list[httpx.AsyncClient]) -> None:
    headers = {"Authorization": "Bearer cp_live_synthetic"}
    assert await statuses(clients[0], headers) == [401] * LIMIT + [429]


async def test_the_name_of_the_scheme_has_no_case(clients: list[httpx.AsyncClient], admin: dict[str, str]) -> None:
    headers = {"Authorization": admin["Authorization"].replace("Bearer", "bearer")}
    assert await statuses(clients[0], headers) == [422] * (LIMIT + 1)


async def test_limits_can_be_switched_off(client: httpx.AsyncClient, settings: Settings) -> None:
    assert not settings.rate_limits
    assert await statuses(client, {}, count=35) == [422] * 35


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("", "203.0.113.7", False),
    ],
)
def test_an_ipv6_customer_is_one_address(one: str, other: str, is_same: bool) -> None:
    assert (address_of(one) == address_of(other)) is is_same
