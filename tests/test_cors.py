"""Pages of other origins: shut out by default, let in where the settings name them, refusals included."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.core.settings import Settings
from app.main import create_app
from tests.doors import client_of

ORIGIN = "https://hospital.example"
OTHER = "https://other.example"


@pytest.fixture
async def open_client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that lets one origin in, and fails at one address."""
    app = create_app(settings.model_copy(update={"cors_origins": (ORIGIN, "http://localhost:3000")}))

    async def fail() -> None:
        raise RuntimeError

    app.add_api_route("/synthetic-failure", fail)
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield client


def preflight(method: str, *headers: str, origin: str = ORIGIN) -> dict[str, str]:
    """What a browser asks before it sends a request."""
    return {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": ", ".join(headers),
    }


async def test_without_origins_nobody_is_let_in(client: httpx.AsyncClient) -> None:
    for answer in (
        await client.get("/conditions", headers={"Origin": ORIGIN}),
        await client.options("/conditions", headers=preflight("GET")),
    ):
        assert [name for name in answer.headers if name.startswith("access-control-")] == []


async def test_a_browser_may_ask_before_it_books(open_client: httpx.AsyncClient) -> None:
    for headers in (("authorization", "content-type", "idempotency-key"), ("if-none-match", "x-request-id")):
        answer = await open_client.options("/consultation-bookings", headers=preflight("POST", *headers))
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
        assert [header for header in headers if header not in allowed] == []
        assert "Origin" in answer.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_other_origins_and_methods_stay_out(open_client: httpx.AsyncClient) -> None:
    answer = await open_client.options("/conditions", headers=preflight("GET", origin=OTHER))
    assert (answer.status_code, answer.headers.get("Access-Control-Allow-Origin")) == (400, None)
    assert (await open_client.options("/conditions", headers=preflight("DELETE"))).status_code == 400
    for origin in (OTHER, "null", f"{ORIGIN}.evil.example", f"{ORIGIN}:444", "http://hospital.example"):
        answer = await open_client.get("/conditions", headers={"Origin": origin})
        assert (answer.status_code, answer.headers.get("Access-Control-Allow-Origin")) == (200, None)


async def test_a_page_can_read_what_matters_of_the_headers(open_client: httpx.AsyncClient) -> None:
    answer = await open_client.get("/conditions", headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    exposed = {name.strip() for name in answer.headers["Access-Control-Expose-Headers"].split(",")}
    assert exposed >= {"ETag", "Idempotent-Replayed", "Link", "Location", "Retry-After", "X-Request-Id"}


@pytest.mark.parametrize("address", ["/conditions", "/conditions/acute-lymphoblastic-leukemia", "/nowhere"])
async def test_a_shared_cache_is_told_that_origins_differ(open_client: httpx.AsyncClient, address: str) -> None:
    # Also when the first reader was no browser: what the cache kept of that answer would be given to one.
    for headers in ({"Origin": ORIGIN}, {"Origin": OTHER}, {}, {"If-None-Match": "*"}):
        answer = await open_client.get(address, headers=headers)
        assert (headers, "Origin" in answer.headers.get("Vary", "")) == (headers, True)


async def test_a_page_can_read_every_refusal(open_client: httpx.AsyncClient) -> None:
    large = b" " * (64 * 1024 + 1)
    requests = {
        401: ("GET", "/consultation-bookings", b""),
        404: ("GET", "/nowhere", b""),
        405: ("DELETE", "/conditions", b""),
        413: ("POST", "/consultation-bookings", large),
        422: ("GET", "/conditions?limit=0", b""),
        500: ("GET", "/synthetic-failure", b""),
    }
    for status, (method, address, content) in requests.items():
        answer = await open_client.request(method, address, content=content, headers={"Origin": ORIGIN})
        assert answer.status_code == status
        assert (status, answer.headers.get("Access-Control-Allow-Origin")) == (status, ORIGIN)
