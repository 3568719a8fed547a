"""What is held on a person is told whole, to who may ask, and nothing of anybody else."""

import logging
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.consultations.tables import BookingState
from app.core import clock, crypto, keyring_file, logs
from app.core.db import Database
from app.core.settings import Settings
from tests.conftest import headers_with
from tests.patients import DOORS, OTHER, PERSON, REASON, ask, make_patient
from tests.rows import everything
from tests.wishes import bearer, book, post_slot

each_door = pytest.mark.parametrize("door", DOORS)


@pytest.mark.parametrize(
    "wish",
    [
        {"email": PERSON["email"].upper()},
        {"email": PERSON["email"].lower()},
        {"email": f"{PERSON['email'].split('@')[0].swapcase()}@PLANTED.example.COM"},
        {"phone": PERSON["phone"]},
        {"phone": PERSON["phone"], "email": None},
    ],
)
async def test_a_person_is_found_however_the_contact_is_written(
    client: httpx.AsyncClient, admin: dict[str, str], wish: dict[str, Any]
) -> None:
    slot = await post_slot(client, admin, capacity=2)
    booking = await book(client, slot["id"], patient=PERSON)
    await book(client, slot["id"], patient=OTHER)
    (found,) = (await ask(client, admin, **wish))["bookings"]
    assert found["reference"] == booking["reference"]
    receipt = await ask(client, admin, DOORS[1], **wish)
    assert (receipt["bookings"], receipt["cancelled"]) == (1, 1)


async def test_who_is_not_known_has_an_empty_export(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await book(client, (await post_slot(client, admin))["id"], patient=OTHER)
    assert (await ask(client, admin))["bookings"] == []
    assert (await ask(client, admin, DOORS[1]))["bookings"] == 0
    assert await everything(database, AuditEntry, col(AuditEntry.action) == "patient.read") == []
    # That somebody asked is on record all the same, without whom they asked for.
    asked = await everything(database, AuditEntry, col(AuditEntry.action).startswith("privacy."))
    assert sorted(entry["action"] for entry in asked) == ["privacy.erased", "privacy.exported"]
    assert not any(PERSON["email"].casefold() in str(entry).casefold() for entry in asked)


async def test_a_person_is_found_under_every_key_of_the_ring(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    ends_at = clock.now() + timedelta(days=2)
    keyring = crypto.load_keyring(settings.keyring_path)
    await make_patient(database, keyring, state=BookingState.BOOKED, ends_at=ends_at)
    before = keyring.primary
    keyring_file.add_primary(settings.keyring_path)
    newer = crypto.load_keyring(settings.keyring_path)
    assert newer.primary != before
    await make_patient(database, newer, state=BookingState.BOOKED, ends_at=ends_at)
    found = (await ask(client, admin))["bookings"]
    assert [booking["patient"] for booking in found] == [PERSON] * 2
    assert (await ask(client, admin, DOORS[1], phone=PERSON["phone"]))["bookings"] == 2
    assert (await ask(client, admin))["bookings"] == []


@each_door
async def test_only_the_scope_opens_the_door(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, door: str
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"], patient=PERSON)
    others = await headers_with(database, *(scope for scope in Scope if scope is not Scope.PRIVACY))
    refused = [
        await client.post(door, json={"email": PERSON["email"]}, headers=headers)
        for headers in ({}, bearer(booking), {"Authorization": "Bearer cp_test_nobody"}, others)
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [
        (401, "credential-invalid"),
        (401, "credential-invalid"),
        (401, "credential-invalid"),
        (403, "scope-missing"),
    ]
    assert len((await ask(client, await headers_with(database, Scope.PRIVACY)))["bookings"]) == 1


@each_door
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"email": None, "phone": None}, ""),
        ({"email": PERSON["email"], "phone": PERSON["phone"]}, ""),
        ({"email": PERSON["name"]}, "/email"),
        ({"email": PERSON["phone"]}, "/email"),
        ({"email": [PERSON["email"]]}, "/email"),
        ({"phone": PERSON["email"]}, "/phone"),
        ({"phone": "030 1938475699"}, "/phone"),
        ({"email": PERSON["email"], "name": PERSON["name"]}, "/name"),
        ({"email": PERSON["email"], PERSON["name"]: 1}, ""),
        ([PERSON["email"]], ""),
        (PERSON["email"], ""),
    ],
)
async def test_what_names_no_one_person_is_refused_without_an_echo(
    client: httpx.AsyncClient, admin: dict[str, str], door: str, body: Any, pointer: str
) -> None:
    answer = await client.post(door, json=body, headers=admin)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-input")
    assert pointer in {fault["pointer"] for fault in answer.json()["errors"]}
    assert not [value for value in (*PERSON.values(), "030 1938475699") if value in answer.text]


async def test_nothing_of_it_is_logged(
    client: httpx.AsyncClient, admin: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    await book(client, (await post_slot(client, admin))["id"], patient=PERSON, reason=REASON)
    with caplog.at_level(logging.INFO):
        for door in DOORS:
            for body in ({"email": PERSON["email"]}, {"phone": PERSON["phone"]}, PERSON, {"email": PERSON["name"]}):
                await client.post(door, json=body, headers=admin)
    lines = [logs.JsonLines().format(record) for record in caplog.records]
    assert sum('"request"' in line for line in lines) == 8
    assert [line for line in lines for value in (*PERSON.values(), REASON) if value.casefold() in line.casefold()] == []
