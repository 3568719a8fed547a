"""Calendar feeds: who opens and revokes them, and what an address opens."""

import logging
import secrets
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.consultations.schedule_tables import CalendarFeed
from app.core.db import Database
from app.core.ids import digest
from app.core.settings import Settings
from tests.conftest import headers_with
from tests.doors import started
from tests.processes import serving
from tests.rows import everything
from tests.subscriptions import make_feed, open_places, post_at_main, subscribe, titles
from tests.test_logs import Lines
from tests.wishes import book, refusal

WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "of nobody": ({}, "/location", "one_of_two"),
    "of two": ({"clinician": "dr-wu", "location": "main"}, "/location", "one_of_two"),
    "of an unknown clinician": ({"clinician": "dr-nobody"}, "/clinician", "unknown_reference"),
    "of an unknown location": ({"location": "nowhere"}, "/location", "unknown_reference"),
}


@pytest.mark.parametrize(("wish", "pointer", "code"), WRONG.values(), ids=WRONG)
async def test_a_wrong_feed_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, wish: dict[str, Any], pointer: str, code: str
) -> None:
    await open_places(client, admin)
    answer = await client.post("/calendar-feeds", json=wish, headers=admin)
    assert refusal(answer) == (422, "invalid-input")
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(pointer, code)]
    assert await everything(database, CalendarFeed) == []


async def test_a_secret_is_told_once_and_only_its_digest_is_kept(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_places(client, admin)
    mine, theirs = await make_feed(client, admin), await make_feed(client, admin, location="main")
    secret = mine["url"].removeprefix("/calendars/").removesuffix(".ics")
    assert len(secret) == len("cp_feed_") + 43
    shown = {name: value for name, value in mine.items() if name != "url"}
    assert shown["clinician"] == {"slug": "dr-wu", "name": "Dr. Wu"}
    assert (await client.get(f"/calendar-feeds/{mine['id']}", headers=admin)).json() == shown
    listed = (await client.get("/calendar-feeds?limit=1", headers=admin)).json()
    rest = (await client.get(listed["next"], headers=admin)).json()
    assert [feed["id"] for feed in listed["items"] + rest["items"]] == [theirs["id"], mine["id"]]
    assert rest["items"] == [shown]
    (row,) = await everything(database, CalendarFeed, CalendarFeed.id == UUID(mine["id"]))
    assert row["secret_hash"] == digest(secret)
    kept = [*await everything(database, CalendarFeed), *await everything(database, AuditEntry)]
    assert secret not in str(kept)


async def test_a_revoked_address_is_answered_like_one_that_never_was(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    await open_places(client, admin)
    feed, other = await make_feed(client, admin), await make_feed(client, admin)
    # Another process, that has answered from it before.
    async with started(settings) as elsewhere:
        assert [(await each.get(feed["url"])).status_code for each in (client, elsewhere)] == [200, 200]
        gone = await client.delete(f"/calendar-feeds/{feed['id']}", headers=admin)
        assert (gone.status_code, gone.json()["id"]) == (200, feed["id"])
        answers = []
        for each in (client, elsewhere):
            for secret in (None, secrets.token_urlsafe(32), f"cp_feed_{secrets.token_urlsafe(32)}", "x", "%00", "%C3"):
                address = feed["url"] if secret is None else f"/calendars/{secret}.ics"
                answer = await each.get(address, headers={"If-None-Match": "*"})
                body = {name: value for name, value in answer.json().items() if name != "request_id"}
                headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
                answers.append((answer.status_code, body, headers))
        assert answers[0][0] == 404
        assert answers[0][1]["code"] == "calendar-feed-not-found"
        assert [answer for answer in answers if answer != answers[0]] == []
        assert (await elsewhere.get(other["url"])).status_code == 200
    for method in ("GET", "DELETE"):
        answer = await client.request(method, f"/calendar-feeds/{feed['id']}", headers=admin)
        assert refusal(answer) == (404, "calendar-feed-not-found")
    assert [each["id"] for each in (await client.get("/calendar-feeds", headers=admin)).json()["items"]] == [
        other["id"]
    ]
    trail = [entry["action"] for entry in await everything(database, AuditEntry) if entry["subject"] == feed["id"]]
    assert sorted(trail) == ["calendar_feed.created", "calendar_feed.revoked"]


async def test_a_secret_opens_its_calendar_and_nothing_else(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await open_places(client, admin)
    booking = await book(client, (await post_at_main(client, admin))["id"])
    feed = await make_feed(client, admin)
    secret = feed["url"].removeprefix("/calendars/").removesuffix(".ics")
    bearer = {"Authorization": f"Bearer {secret}"}
    address = f"/consultation-bookings/{booking['reference']}"
    for method, path, expected in (
        ("GET", "/calendar-feeds", 401),
        ("GET", f"/calendar-feeds/{feed['id']}", 401),
        ("DELETE", f"/calendar-feeds/{feed['id']}", 401),
        ("DELETE", feed["url"], 405),
        ("GET", "/consultation-bookings", 401),
        ("GET", address, 404),
        ("GET", f"{address}/calendar.ics", 404),
        ("POST", f"{address}/cancel", 404),
        ("GET", f"/previews/{secret}", 404),
    ):
        assert (path, (await client.request(method, path, headers=bearer)).status_code) == (path, expected)
    # Nor does anything else open it: a key, a booking's token, the feed's id.
    for other in (admin["Authorization"].removeprefix("Bearer "), booking["token"], feed["id"], digest(secret).hex()):
        assert (await client.get(f"/calendars/{other}.ics", headers=admin)).status_code == 404
    # With a credential that it does not need, nobody keeps it.
    seen = await client.get(feed["url"], headers=admin)
    assert (seen.status_code, seen.headers["cache-control"]) == (200, "no-store")


async def test_only_who_may_read_bookings_opens_their_times_to_others(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_places(client, admin)
    feed = await make_feed(client, admin)
    others = await headers_with(database, *(scope for scope in Scope if scope is not Scope.BOOKINGS_READ))
    reader = await headers_with(database, Scope.BOOKINGS_READ)
    for headers, expected in ((others, 403), ({}, 401)):
        for method, path in (("POST", ""), ("GET", ""), ("GET", f"/{feed['id']}"), ("DELETE", f"/{feed['id']}")):
            body = {"clinician": "dr-wu"} if method == "POST" else None
            answer = await client.request(method, f"/calendar-feeds{path}", json=body, headers=headers)
            assert (method, path, answer.status_code) == (method, path, expected)
    assert (await subscribe(client, await make_feed(client, reader))).walk("VEVENT") == []


async def test_no_secret_is_logged_known_or_not(
    client: httpx.AsyncClient, admin: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lines = Lines(caplog)
    await open_places(client, admin)
    feed, unknown = await make_feed(client, admin), f"cp_feed_{secrets.token_urlsafe(32)}"
    known = feed["url"].removeprefix("/calendars/").removesuffix(".ics")
    lines.new()
    for method, end in (("GET", ".ics"), ("HEAD", ".ics"), ("POST", ".ics"), ("GET", ""), ("GET", ".ics/x")):
        for secret in (known, unknown):
            answer = await client.request(method, f"/calendars/{secret}{end}")
            assert secret not in answer.text
            assert secret not in str(answer.headers)
    written = lines.text()
    assert [secret for secret in (known, unknown) if secret in written] == []
    routes = [line["route"] for line in lines.new()]
    assert routes[:4] == ["/calendars/{secret}.ics"] * 4
    assert len(routes) == 10


def test_a_server_writes_no_secret_anywhere(settings: Settings, tmp_path: Path) -> None:
    unknown = f"cp_feed_{secrets.token_urlsafe(32)}"
    with (
        serving(settings, tmp_path, is_open=False) as served,
        httpx.Client(base_url=served.address, trust_env=False) as client,
    ):
        for method in ("HEAD", "GET", "DELETE", "OPTIONS"):
            client.request(method, f"/calendars/{unknown}.ics?{unknown}", headers={"Referer": unknown})
    asked = [event for event in served.events() if event["event"] == "request"]
    assert [event["route"] for event in asked][:2] == ["/calendars/{secret}.ics"] * 2
    assert len(asked) == 4
    assert unknown not in served.log.read_text() + served.told


async def test_titles_follow_the_feeds_owner(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await open_places(client, admin)
    one = await book(client, (await post_at_main(client, admin, days=1))["id"])
    other = await book(client, (await post_at_main(client, admin, days=2, clinician="dr-rivera"))["id"])
    elsewhere = await book(
        client, (await post_at_main(client, admin, days=3, location=None, room=None, mode="video"))["id"]
    )
    assert await titles(client, await make_feed(client, admin)) == [
        f"Consultation {one['reference']}, in person", f"Consultation {elsewhere['reference']}, by video",
    ]  # fmt: skip
    assert await titles(client, await make_feed(client, admin, location="main")) == [
        f"Consultation {one['reference']} with Dr. Wu, in person",
        f"Consultation {other['reference']} with Dr. Rivera, in person",
    ]
