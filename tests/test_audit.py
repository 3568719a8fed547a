"""`GET /audit`: who did what, for whoever may know; and each look at it is in it."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.core.crypto import load_keyring
from app.core.db import Database
from app.core.settings import Settings
from tests.conftest import headers_with
from tests.rows import everything
from tests.trails import Trail
from tests.wishes import bearer, book, post_slot, read

ADDRESS = "/audit"


@pytest.fixture
async def reader(database: Database) -> dict[str, str]:
    """The headers of somebody who may read the trail and nothing else."""
    return await headers_with(database, Scope.AUDIT_READ)


async def entries(client: httpx.AsyncClient, headers: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    """The entries that this query finds."""
    answer = await client.get(f"{ADDRESS}?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_only_who_has_the_scope_reads_the_trail(client: httpx.AsyncClient, database: Database) -> None:
    others = await headers_with(database, *(scope for scope in Scope if scope is not Scope.AUDIT_READ))
    before = len(await everything(database, AuditEntry))
    told = []
    for headers in ({}, {"Authorization": "Bearer cp_live_unknown"}, {"Authorization": "Bearer cp_booking_x"}, others):
        answer = await client.get(ADDRESS, headers=headers)
        told.append((answer.status_code, answer.json()["code"], answer.headers.get("www-authenticate")))
    assert told == [(401, "credential-invalid", "Bearer")] * 3 + [(403, "scope-missing", None)]
    assert len(await everything(database, AuditEntry)) == before


async def test_the_trail_tells_who_did_what_to_what_and_when(
    client: httpx.AsyncClient, admin: dict[str, str], reader: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    booking = await book(client, slot["id"])
    await read(client, booking)
    newest, booked, posted = (await entries(client, reader))[:3]
    assert (newest["actor"], newest["action"]) == ("booking_holder", "patient.read")
    assert newest["subject"] == booked["subject"]
    assert set(newest["fields"]) >= {"name", "email", "phone", "reason"}
    assert (booked["actor"], booked["action"], booked["fields"]) == ("anonymous", "booking.booked", ["state"])
    assert (posted["action"], posted["subject"]) == ("slot.created", slot["id"])
    assert posted["actor"].startswith("api_key:")
    (row,) = await everything(database, AuditEntry, AuditEntry.subject == slot["id"])
    assert (UUID(posted["id"]), posted["at"]) == (row["id"], row["at"].isoformat().replace("+00:00", "Z"))
    assert {(entry["outcome"], entry["sealed"]) for entry in (newest, booked, posted)} == {("done", False)}


async def test_a_look_at_the_trail_is_one_more_entry(
    client: httpx.AsyncClient, reader: dict[str, str], database: Database
) -> None:
    before = len(await everything(database, AuditEntry))
    queries = ("", "actor=command_line&from=2020-01-01T00:00:00Z&limit=1", "subject=nothing")
    answers = [await client.get(f"{ADDRESS}?{query}", headers=reader) for query in queries]
    assert len(answers[0].json()["items"]) == before
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    looks = await entries(client, reader, "action=audit.read")
    # Names of filters, never what was looked for.
    assert [look["fields"] for look in looks] == [["subject"], ["actor", "from"], []]
    assert {(look["actor"][:8], look["subject"]) for look in looks} == {("api_key:", "audit_entries")}


async def test_the_trail_is_filtered_by_who_what_on_what_and_when(
    client: httpx.AsyncClient, admin: dict[str, str], reader: dict[str, str]
) -> None:
    first, second = [await post_slot(client, admin) for _ in range(2)]
    for slot in (first, second, first):
        headers = admin | {"If-Match": "*"}
        done = "open" if slot["status"] == "closed" else "close"
        slot["status"] = {"open": "open", "close": "closed"}[done]
        assert (await client.post(f"/consultation-slots/{slot['id']}/{done}", headers=headers)).status_code == 200
    told = await entries(client, reader, f"subject={first['id']}")
    assert [entry["action"] for entry in told] == ["slot.opened", "slot.closed", "slot.created"]
    opened, closed, created = told
    assert [entry["subject"] for entry in await entries(client, reader, "action=slot.closed")] == [
        second["id"],
        first["id"],
    ]
    assert created in await entries(client, reader, f"actor={created['actor']}")
    assert await entries(client, reader, f"actor=anonymous&subject={first['id']}") == []
    span = f"subject={first['id']}&from={closed['at']}&to={opened['at']}"
    assert await entries(client, reader, span) == [closed]


async def test_pages_follow_one_another_while_others_act(
    client: httpx.AsyncClient, admin: dict[str, str], reader: dict[str, str]
) -> None:
    ids = [(await post_slot(client, admin))["id"] for _ in range(5)]
    pages, address = [], f"{ADDRESS}?action=slot.created&limit=2"
    while address:
        answer = await client.get(address, headers=reader)
        pages.append([entry["subject"] for entry in answer.json()["items"]])
        address = answer.json().get("next", "")
        assert answer.headers.get("link") == (f'<{address}>; rel="next"' if address else None)
        await post_slot(client, admin)
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


async def test_an_entry_says_whether_it_is_sealed(
    client: httpx.AsyncClient, reader: dict[str, str], database: Database, settings: Settings
) -> None:
    assert {entry["sealed"] for entry in await entries(client, reader)} == {False}
    await Trail(database, load_keyring(settings.keyring_path), settings.audit_head_path).seal()
    look, *older = await entries(client, reader)
    assert look["sealed"]
    assert {entry["sealed"] for entry in older} == {True}
    assert not (await entries(client, reader))[0]["sealed"]


async def test_a_filter_that_cannot_hold_is_refused_by_name(client: httpx.AsyncClient, reader: dict[str, str]) -> None:
    wrong = {"from": "yesterday", "to": "2026-01-01", "actor": "a\x00b", "action": "", "limit": "101", "cursor": "!"}
    told = {}
    for name, value in (wrong | {"patient": "Sam"}).items():
        answer = await client.get(ADDRESS, params={name: value}, headers=reader)
        told[name] = (answer.status_code, [fault["parameter"] for fault in answer.json()["errors"]])
    assert told == {name: (422, [name]) for name in told}
    assert await entries(client, reader, "action=audit.read") == []


async def test_the_trail_of_a_booking_names_nothing_that_the_patient_told(
    client: httpx.AsyncClient, admin: dict[str, str], reader: dict[str, str]
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    await client.get("/consultation-bookings", headers=admin)
    await client.get(f"/consultation-bookings/{booking['reference']}", headers=bearer(booking))
    answer = await client.get(f"{ADDRESS}?action=patient.read", headers=reader)
    assert len(answer.json()["items"]) == 2
    assert [word for word in ("Synthetic", "@", "+49", booking["token"]) if word in answer.text] == []
