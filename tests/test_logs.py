"""Logs: one JSON line a request, made of chosen fields, with nothing in it that a client or a patient has sent."""

import json
import logging
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.core.logs import JsonLines
from app.core.settings import Settings
from tests.doors import every_read
from tests.processes import serving
from tests.wishes import bearer, booking_wish, new_key, slot_wish

SECRET = "hunter2"
ID = "01993b2e5f7c7d0c8a2b6f4e1d3c5a79"
FIELDS = ["at", "level", "event", "request_id", "method", "route", "status", "milliseconds"]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> "Lines":
    """What the process would write from now on."""
    caplog.set_level(logging.INFO)
    return Lines(caplog)


class Lines:
    """Log lines, as the process formats them."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def text(self) -> str:
        """All of them."""
        return "\n".join(JsonLines().format(record) for record in self._caplog.records if record.name != "httpx")

    def new(self) -> list[dict[str, Any]]:
        """Those since the last call, but for what a process tells by its clock."""
        found = [dict(json.loads(line)) for line in self.text().splitlines()]
        self._caplog.clear()
        return [line for line in found if line["event"] not in {"answered_from_memory", "audit_sealed"}]


async def test_each_request_is_one_line_with_the_template_of_its_route(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], lines: Lines
) -> None:
    reads = await every_read(app, client, admin)
    for method in ("GET", "HEAD"):
        for read in reads:
            lines.new()
            answer = await client.request(method, read.address, headers=read.headers | {"X-Request-Id": ID})
            (line,) = lines.new()
            assert list(line) == FIELDS
            assert (line["level"], line["event"], line["request_id"]) == ("info", "request", ID)
            assert (line["method"], line["route"], line["status"]) == (method, read.route, answer.status_code)
            assert line["milliseconds"] > 0


async def test_what_matches_no_route_is_unmatched(client: httpx.AsyncClient, lines: Lines) -> None:
    for method, address, expected in (
        ("GET", f"/{SECRET}", ("GET", "unmatched", 404)),
        ("GET", f"/conditions/a/{SECRET}", ("GET", "unmatched", 404)),
        (SECRET.upper(), "/nowhere", ("OTHER", "unmatched", 404)),
    ):
        await client.request(method, address)
        (line,) = lines.new()
        assert (line["method"], line["route"], line["status"]) == expected


async def test_a_refusal_is_a_line_like_any_other(client: httpx.AsyncClient, lines: Lines) -> None:
    for method, address, expected in (
        ("GET", f"/conditions/{SECRET}?{SECRET}", ("/conditions/{slug}", 404)),
        ("GET", f"/conditions?letter={SECRET}", ("/conditions", 422)),
        ("GET", f"/consultation-bookings/{SECRET}", ("/consultation-bookings/{reference}", 401)),
        ("DELETE", f"/conditions/{SECRET}", ("/conditions/{slug}", 405)),
    ):
        await client.request(method, address)
        (line,) = lines.new()
        assert (line["level"], line["event"], (line["route"], line["status"])) == ("info", "request", expected)


async def test_an_error_is_told_by_its_kind_and_lines_but_not_its_text(
    app: FastAPI, client: httpx.AsyncClient, lines: Lines
) -> None:
    async def fail() -> None:
        raise ValueError(f"{SECRET} again") from KeyError(SECRET)

    app.add_api_route("/synthetic-failure", fail)
    await client.get("/synthetic-failure", headers={"X-Request-Id": ID})
    assert SECRET not in lines.text()
    failure, request = lines.new()
    assert (failure["level"], failure["event"], failure["error"]) == ("error", "unhandled", "ValueError")
    assert failure["lines"][-1].startswith("test_logs.py:")
    assert failure["lines"][-1].endswith(" fail")
    assert (failure["request_id"], request["request_id"], request["status"]) == (ID, ID, 500)


async def test_a_patient_and_a_token_leave_no_trace_in_the_logs(
    client: httpx.AsyncClient, admin: dict[str, str], lines: Lines
) -> None:
    patient = {"name": f"{SECRET} Patient", "email": f"{SECRET}@example.com", "phone": "+4930901827"}
    slot = (await client.post("/consultation-slots", json=slot_wish(external_id=SECRET), headers=admin)).json()
    wish = booking_wish(slot["id"], patient=patient, reason=f"{SECRET} reason")
    booking = (await client.post("/consultation-bookings", json=wish, headers=new_key())).json()
    for refused in (wish, wish | {"reason": [SECRET]}, wish | {SECRET: 1}):
        answer = await client.post("/consultation-bookings", json=refused, headers=new_key())
        assert answer.status_code in {409, 422}
    address = f"/consultation-bookings/{booking['reference']}"
    assert (await client.get(address, headers=bearer(booking))).json()["patient"] == patient
    await client.get(f"{address}?token={booking['token']}", headers={"Authorization": f"Basic {SECRET}"})
    await client.post(f"{address}/cancel", headers=bearer(booking))
    written = lines.text()
    assert len(written.splitlines()) >= 7
    for trace in (
        SECRET,
        "+4930901827",
        booking["token"],
        booking["reference"],
        admin["Authorization"][7:],
        slot["id"],
    ):
        assert trace not in written


@pytest.mark.parametrize("template", ["sqlite"], indirect=True)
def test_everything_that_a_server_writes_is_json_without_what_was_sent(settings: Settings, tmp_path: Path) -> None:
    with (
        serving(settings, tmp_path, is_open=False) as served,
        httpx.Client(base_url=served.address, trust_env=False) as client,
    ):
        # HEAD and GET share a connection: a body after HEAD would be read as the next answer.
        for method in ("HEAD", "GET", "HEAD", "GET"):
            answer = client.request(method, "/conditions?limit=1&letter=a", headers={"User-Agent": SECRET})
            assert answer.status_code == 200
        for address in (f"/{SECRET}", f"/conditions/{SECRET}", f"/conditions?cursor={SECRET}", f"/{SECRET}?{SECRET}"):
            client.get(address, headers={"Authorization": f"Bearer {SECRET}", "Cookie": SECRET})
        client.post("/consultation-bookings", content=f"{SECRET}[", headers=new_key())
        with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as raw:
            raw.sendall(f"GET / HTTP/1.1 {SECRET}\r\nHost: {SECRET}\r\n\r\n".encode())
            assert raw.recv(100).startswith(b"HTTP/1.1 400")
    events = served.events()
    assert SECRET not in served.log.read_text()
    assert [event["level"] for event in events if event["level"] not in {"info", "warning"}] == []
    requests = [event for event in events if event["event"] == "request"]
    assert [(event["method"], event["status"]) for event in requests][:4] == [("HEAD", 200), ("GET", 200)] * 2
    assert len(requests) == 9
    assert {event["event"] for event in events} == {"request", "library"}
