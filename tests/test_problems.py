"""Refusals, the framework's and the server's own included: problems (RFC 9457) that never send back what was sent."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from fastapi import FastAPI

from app.core.errors import all_refusals
from tests.doors import doors
from tests.wishes import PATIENT, booking_wish, new_key, slot_wish

MEMBERS = ["type", "title", "status", "detail", "code", "request_id"]
SECRET = "hunter2"
LIMIT = 64 * 1024


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that an answer is; it must be whole."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert list(body)[: len(MEMBERS)] == MEMBERS
    assert all(body[member] for member in MEMBERS)
    assert body["type"] == f"/problems/{code}"
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert SECRET not in answer.text + str(answer.headers)
    return body


async def test_an_address_of_nothing_is_not_found(client: httpx.AsyncClient) -> None:
    for address in (f"/{SECRET}", f"/conditions/a/b/{SECRET}", "/conditions/", "//", "/%00", f"/problems/{SECRET}"):
        assert_problem(await client.get(address), 404, "not-found")


async def test_a_method_that_a_route_lacks_is_told_with_those_it_has(client: httpx.AsyncClient, app: FastAPI) -> None:
    for route, methods in doors(app).items():
        address = route.replace("{slot_id}", "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79").replace("{", "").replace("}", "")
        allowed = methods | ({"HEAD"} if "GET" in methods else set())
        for method in {"DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "SYNTHETIC", "POST", "GET"} - allowed:
            answer = await client.request(method, address)
            assert_problem(answer, 405, "method-not-allowed")
            assert (route, set(answer.headers["Allow"].split(", "))) == (route, allowed)


async def test_a_body_that_says_it_is_too_large_is_not_read(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    body = b"[" + b" " * LIMIT + b"]"
    for address in ("/clinicians", "/consultation-bookings/7K3M9-QRT2X/cancel", "/nowhere"):
        assert_problem(await client.post(address, content=body, headers=admin), 413, "body-too-large")
    assert_problem(await client.request("GET", "/conditions", content=body), 413, "body-too-large")


async def test_a_body_that_grows_too_large_is_refused(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    async def grow() -> AsyncIterator[bytes]:
        for _ in range(LIMIT // 1024 + 1):
            yield b" " * 1024

    headers = admin | {"Content-Type": "application/json"}
    for address in ("/clinicians", "/consultation-bookings/7K3M9-QRT2X/cancel", "/nowhere"):
        assert_problem(await client.post(address, content=grow(), headers=headers), 413, "body-too-large")


async def test_a_body_of_64_kib_is_read(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    body = json.dumps({"slug": "synthetic", "name": "Synthetic"}).ljust(LIMIT).encode()
    headers = admin | {"Content-Type": "application/json"}
    assert (await client.post("/clinicians", content=body, headers=headers)).status_code == 201


async def test_a_body_that_cannot_be_read_is_refused_as_a_whole(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    contents = {
        "cut off": b'{"slug": "hunter2"',
        "no JSON": b"hunter2",
        "not UTF-8": b'{"slug": "hunter2 \xff"}',
        "too deep": b'{"slug": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        "a huge number": b'{"slug": ' + b"9" * 5_000 + b"}",
    }
    headers = admin | {"Content-Type": "application/json"}
    for why, content in contents.items():
        answer = await client.post("/clinicians", content=content, headers=headers)
        (fault,) = assert_problem(answer, 422, "invalid-input")["errors"]
        assert (why, fault["code"], fault["pointer"]) == (why, "json_invalid", "")


async def test_a_body_that_is_something_else_is_refused(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    contents = {
        b"": [""],
        b"null": [""],
        b'["hunter2"]': [""],
        b'{"slug": NaN, "name": Infinity}': ["/slug", "/name"],
        b'{"slug": "a", "name": "hunter2 \\ud800"}': ["/name"],
        b'{"slug": "a", "name": "hunter2 \\u0000"}': ["/name"],
        b'{"slug": "a", "name": "a", "hunter2 as a name": 1}': [""],
    }
    headers = admin | {"Content-Type": "application/json"}
    for content, pointers in contents.items():
        answer = await client.post("/clinicians", content=content, headers=headers)
        faults = assert_problem(answer, 422, "invalid-input")["errors"]
        assert (content, [fault["pointer"] for fault in faults]) == (content, pointers)


async def test_not_every_one_of_a_thousand_faults_is_told(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    body = {f"field_{number}": number for number in range(1_000)}
    answer = await client.post("/clinicians", json=body, headers=admin)
    assert len(assert_problem(answer, 422, "invalid-input")["errors"]) == 20


async def test_what_is_wrong_is_named_and_never_sent_back(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    bad_booking = {
        "slot_id": SECRET,
        "condition": f"{SECRET} {SECRET}",
        "patient": {"name": f"{SECRET}\u0007", "email": f"{SECRET}@", "phone": f"+49{SECRET}"},
        "reason": [SECRET],
        "consent": {"text_version": ""},
        f"{SECRET} as a name": 1,
    }
    answer = await client.post("/consultation-bookings", json=bad_booking, headers=new_key())
    told = {fault["pointer"]: fault for fault in assert_problem(answer, 422, "invalid-input")["errors"]}
    assert set(told) == {
        "",
        "/slot_id",
        "/condition",
        "/patient/name",
        "/patient/email",
        "/patient/phone",
        "/reason",
        "/consent/text_version",
    }
    assert all(sorted(fault) == ["code", "detail", "pointer"] for fault in told.values())
    bad_slot = slot_wish(starts_at=f"2099-{SECRET}", ends_at=1, time_zone=SECRET, mode=SECRET, capacity=SECRET)
    answer = await client.post("/consultation-slots", json=bad_slot, headers=admin)
    pointers = {fault["pointer"] for fault in assert_problem(answer, 422, "invalid-input")["errors"]}
    assert pointers == {"/starts_at", "/ends_at", "/time_zone", "/mode", "/capacity"}
    for address, parameter in (
        (f"/consultation-slots/{SECRET}", "slot_id"),
        (f"/consultation-slots?from={SECRET}", "from"),
        (f"/consultation-slots?mode={SECRET}", "mode"),
        (f"/consultation-slots?clinician={SECRET}", "clinician"),
        (f"/conditions?limit={SECRET}", "limit"),
        (f"/conditions?cursor={SECRET}", "cursor"),
    ):
        faults = assert_problem(await client.get(address), 422, "invalid-input")["errors"]
        assert [fault["parameter"] for fault in faults] == [parameter]
        # The framework's own sentence quotes a character of it.
        assert "`" not in faults[0]["detail"]


async def test_a_json_body_says_that_it_is_json(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    for media_type in ("text/plain", "application/x-www-form-urlencoded"):
        headers = admin | {"Content-Type": media_type}
        content = b'{"slug": "synthetic", "name": "Synthetic"}'
        assert_problem(await client.post("/clinicians", content=content, headers=headers), 422, "invalid-input")


async def test_a_missing_or_wrong_credential_names_the_scheme(client: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": f"Bearer cp_live_{SECRET}"}, {"Authorization": f"Basic {SECRET}"}):
        answer = await client.post("/clinicians", json={"slug": "a", "name": "A"}, headers=headers)
        assert_problem(answer, 401, "credential-invalid")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_an_error_that_nobody_foresaw_keeps_its_text(app: FastAPI, client: httpx.AsyncClient) -> None:
    async def fail() -> None:
        raise ValueError(SECRET)

    app.add_api_route("/synthetic-failure", fail, methods=["GET", "POST"])
    for method in ("GET", "POST"):
        assert_problem(await client.request(method, "/synthetic-failure"), 500, "internal-error")


async def test_an_unknown_slot_is_the_fault_of_the_request(client: httpx.AsyncClient) -> None:
    unknown = booking_wish("01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79", patient=PATIENT | {"name": SECRET})
    answer = await client.post("/consultation-bookings", json=unknown, headers=new_key())
    (fault,) = assert_problem(answer, 422, "invalid-input")["errors"]
    assert (fault["pointer"], fault["code"]) == ("/slot_id", "unknown_reference")


async def test_every_problem_has_a_page_for_people(client: httpx.AsyncClient) -> None:
    refusals = list(all_refusals())
    assert len({refusal.code for refusal in refusals}) == len(refusals) >= 20
    for refusal in refusals:
        page = await client.get(f"/problems/{refusal.code}")
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert f"<h1>{refusal.title}</h1>" in page.text
        assert f"HTTP status {refusal.status}" in page.text
        assert page.headers["Content-Security-Policy"] == "default-src 'none'"
