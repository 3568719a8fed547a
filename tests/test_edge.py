"""What every request meets, whatever its door: an id, HEAD like GET, and tags for what was read before."""

import re
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from app.core.conditional import PUBLIC, REVALIDATE
from tests.doors import Read, doors, every_read
from tests.wishes import book, post_slot

NOT_KEPT = ("/health/live", "/health/ready", "/docs", "/docs/{name}")
NEVER_STORED = ("/previews/{token}",)
KEPT_BY_ONE = ("/calendars/{secret}.ics",)
# Says which slot is free.
OF_SLOTS = ("/conditions/{slug}/next-available",)
KEPT_BY_ALL = ("/conditions", "/categories", "/treatment-options", "/problems", "/sitemap", "/infobutton", "/search")


@pytest.fixture
async def reads(app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str]) -> list[Read]:
    """A GET that answers 200, for every route that has one."""
    return await every_read(app, client, admin)


def without_id(answer: httpx.Response) -> dict[str, str]:
    """The headers of an answer that two equal requests have in common."""
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


async def test_head_answers_what_get_does_without_the_body(client: httpx.AsyncClient, reads: list[Read]) -> None:
    for read in reads:
        by_get = await client.get(read.address, headers=read.headers)
        by_head = await client.head(read.address, headers=read.headers)
        assert (read.route, by_get.status_code, by_head.status_code) == (read.route, 200, 200)
        assert (read.route, without_id(by_head)) == (read.route, without_id(by_get))
        assert int(by_head.headers["Content-Length"]) == len(by_get.content)


@pytest.mark.usefixtures("client")
async def test_head_sends_no_body_to_any_server(app: FastAPI) -> None:
    # httpx would drop one; a server might not.
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "http_version": "1.1", "method": "HEAD", "query_string": b"", "headers": []}
    for address in ("/conditions", "/docs", "/nowhere"):
        await app(scope | {"path": address, "raw_path": address.encode()}, receive, send)
    assert [message["status"] for message in sent if message["type"] == "http.response.start"] == [200, 200, 404]
    assert {message["body"] for message in sent if message["type"] == "http.response.body"} == {b""}


async def test_head_of_what_is_refused_has_no_body_either(client: httpx.AsyncClient, app: FastAPI) -> None:
    writes_only = [route for route, methods in doors(app).items() if "GET" not in methods]
    assert writes_only
    for address in (*writes_only, "/nowhere", "/conditions?limit=0", "/consultation-bookings"):
        by_get, by_head = await client.get(address), await client.head(address)
        assert by_get.status_code in {401, 404, 405, 422}
        assert (by_head.status_code, by_head.content) == (by_get.status_code, b"")
        assert without_id(by_head) == without_id(by_get)


async def test_every_read_has_a_strong_tag_that_is_answered_with_304(
    client: httpx.AsyncClient, reads: list[Read]
) -> None:
    for read in reads:
        if read.route in NOT_KEPT:
            continue
        first = await client.get(read.address, headers=read.headers)
        tag = first.headers["ETag"]
        assert (read.route, re.fullmatch(r'"\d+-[0-9a-f]{20}"', tag) is not None) == (read.route, True)
        for sent in (tag, f"W/{tag}", "*", f'"other", {tag}', f'"other",W/{tag} , "third"'):
            for method in ("GET", "HEAD"):
                headers = read.headers | {"If-None-Match": sent}
                again = await client.request(method, read.address, headers=headers)
                assert (read.route, sent, again.status_code, again.content) == (read.route, sent, 304, b"")
                assert again.headers["ETag"] == tag
                assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
                assert again.headers.get("Content-Type") is None
        for sent in ('"other"', tag.strip('"'), f"{tag[:-1]}0", "", '"0-"'):
            other = await client.get(read.address, headers=read.headers | {"If-None-Match": sent})
            assert (read.route, sent, other.status_code) == (read.route, sent, 200)


async def test_a_tag_changes_with_what_it_stands_for(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin, capacity=2)
    addresses = (f"/consultation-slots/{slot['id']}", "/consultation-slots")
    before = [(await client.get(address)).headers["ETag"] for address in addresses]
    await book(client, slot["id"])
    for address, tag in zip(addresses, before, strict=True):
        again = await client.get(address, headers={"If-None-Match": tag})
        assert again.status_code == 200
        # The version before the hyphen is for admins' changes; a booking is none.
        assert again.headers["ETag"].partition("-")[0] == tag.partition("-")[0]


async def test_how_long_an_answer_may_be_kept(client: httpx.AsyncClient, reads: list[Read]) -> None:
    found = {read.route: (await client.get(read.address)).headers.get("Cache-Control") for read in reads}
    credentials = {read.route for read in reads if read.headers}
    assert found == {
        route: "no-store"
        if route in credentials or route in NEVER_STORED
        else None
        if route in NOT_KEPT
        else PUBLIC
        if route.startswith(KEPT_BY_ALL) and route not in OF_SLOTS
        else "private, no-cache"
        if route in KEPT_BY_ONE
        else REVALIDATE
        for route in found
    }
    assert PUBLIC == "public, max-age=60, stale-while-revalidate=600, stale-if-error=86400"
    assert REVALIDATE == "no-cache"


async def test_no_cache_keeps_what_a_caller_with_a_credential_gets(
    client: httpx.AsyncClient, reads: list[Read], admin: dict[str, str]
) -> None:
    for read in reads:
        credential = read.headers or admin
        for headers in (credential, credential | {"If-None-Match": "*"}, {"Authorization": "Basic hunter2"}):
            answer = await client.get(read.address, headers=headers)
            assert (read.route, answer.headers.get_list("Cache-Control")) == (read.route, ["no-store"])
    for address in ("/nowhere", "/conditions?limit=0"):
        for headers in ({}, admin):
            answer = await client.get(address, headers=headers)
            assert (address, answer.headers.get_list("Cache-Control")) == (address, ["no-store"])


async def test_a_uuid_is_taken_over_as_the_request_id(client: httpx.AsyncClient) -> None:
    for sent in ("01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79", "01993b2e5f7c7d0c8a2b6f4e1d3c5a79"):
        for address in ("/conditions", "/nowhere"):
            answer = await client.get(address, headers={"X-Request-Id": sent})
            assert answer.headers.get_list("X-Request-Id") == [sent]
        assert answer.json()["request_id"] == sent


async def test_anything_else_is_replaced_as_the_request_id(client: httpx.AsyncClient) -> None:
    uuid = "01993b2e5f7c7d0c8a2b6f4e1d3c5a79"
    for sent in ("", "short", "Synthetic Patient", "a" * 65, f"{uuid}\t", f"{uuid}0", f'{uuid[:-1]}"', "49-30-901820"):
        answer = await client.get("/nowhere", headers={"X-Request-Id": sent})
        made = answer.headers["X-Request-Id"]
        assert made not in {sent, uuid}
        assert (UUID(made).hex, answer.json()["request_id"]) == (made, made)
    assert len({(await client.get("/conditions")).headers["X-Request-Id"] for _ in range(5)}) == 5


async def test_no_browser_guesses_a_type(client: httpx.AsyncClient, reads: list[Read]) -> None:
    for address in ("/nowhere", *(read.address for read in reads)):
        assert (await client.get(address)).headers["X-Content-Type-Options"] == "nosniff"
