"""Who may see a booking: its holder, staff with the scope, and for everybody else there is none."""

from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import ApiKey, AuditEntry
from app.consultations.tables import ConsultationBooking
from app.core import clock
from app.core.db import Database
from app.core.ids import digest, new_secret
from tests.conftest import headers_with
from tests.rows import change_booking, counts, everything, run
from tests.wishes import PATIENT, bearer, book, booking_wish, confirmation, new_key, post_slot

READ = ("GET", "")
# The doors of one booking, and what is asked of those that want to be told something.
DOORS: dict[str, tuple[str, str]] = {
    "read": READ,
    "calendar": ("GET", "/calendar.ics"),
    "confirm": ("POST", "/confirm"),
    "cancel": ("POST", "/cancel"),
    "reschedule": ("POST", "/reschedule"),
    "fulfil": ("POST", "/fulfil"),
    "no-show": ("POST", "/no-show"),
}
WISHES = {"/confirm": confirmation(), "/reschedule": {"slot_id": "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"}}
each_door = pytest.mark.parametrize(("method", "action"), DOORS.values(), ids=DOORS)
# A number that was not given out to anybody here, with the check symbol that belongs to it.
UNKNOWN = "00000-00011"


async def ask(
    client: httpx.AsyncClient, method: str, action: str, reference: str, headers: dict[str, str], **wish: Any
) -> httpx.Response:
    """Knock at a door of a booking."""
    address = f"/consultation-bookings/{reference}{action}"
    return await client.request(method, address, headers=headers, json=wish or WISHES.get(action))


def credential(token: str, scheme: str = "Bearer") -> dict[str, str]:
    """The headers of whoever has this token."""
    return {"Authorization": f"{scheme} {token}"}


async def two_bookings(client: httpx.AsyncClient, admin: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two bookings of one slot."""
    slot = await post_slot(client, admin, capacity=2)
    return await book(client, slot["id"]), await book(client, slot["id"])


def seen(answer: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The whole answer, without what names the request."""
    body = answer.json()
    headers = dict(answer.headers)
    assert body.pop("request_id") == headers.pop("x-request-id")
    return answer.status_code, body, headers


@each_door
async def test_whoever_may_not_see_a_booking_gets_the_answer_for_one_that_is_not_there(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, method: str, action: str
) -> None:
    mine, other = await two_bookings(client, admin)
    reference, last = mine["reference"], mine["reference"][-1]
    wrong_symbol = reference[:-1] + ("0" if last != "0" else "1")
    scopeless = await headers_with(database, Scope.SLOTS_WRITE)
    wrong_scope = await headers_with(
        database, Scope.BOOKINGS_WRITE if method == "GET" else Scope.BOOKINGS_READ, Scope.BOOKINGS_OVERRIDE
    )
    revoked = await headers_with(database, *Scope)
    hashed = digest(revoked["Authorization"].removeprefix("Bearer "))
    await run(database, update(ApiKey).where(col(ApiKey.secret_hash) == hashed).values(revoked_at=clock.now()))
    before = await counts(database, AuditEntry)
    denied = {
        "another booking's token": (reference, bearer(other)),
        "a malformed token": (reference, credential("garbage")),
        "a token with a letter more": (reference, credential(mine["token"] + "A")),
        "a token in other letters": (reference, credential(mine["token"].swapcase())),
        "an unknown token": (reference, credential(new_secret("cp_booking_"))),
        "an unknown key": (reference, credential(new_secret("cp_live_"))),
        "a revoked key": (reference, revoked),
        "a key without scopes for bookings": (reference, scopeless),
        "a key with the other scope": (reference, wrong_scope),
        "a key for an unknown reference": (UNKNOWN, admin),
        "a token for an unknown reference": (UNKNOWN, bearer(mine)),
        "a key for a malformed reference": ("not-a-reference", admin),
        "a token for a malformed reference": ("%00", bearer(mine)),
        "a wrong check symbol": (wrong_symbol, bearer(mine)),
        "a reference with a symbol more": (reference + "0", bearer(mine)),
        "an id of a row": ("01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79", admin),
    }
    told = {name: seen(await ask(client, method, action, said, who)) for name, (said, who) in denied.items()}
    status, body, headers = told["an unknown token"]
    assert (status, body["code"], headers["cache-control"]) == (404, "booking-not-found", "no-store")
    assert told == dict.fromkeys(denied, (status, body, headers))
    assert await counts(database, AuditEntry) == before
    assert {row["state"] for row in await everything(database, ConsultationBooking)} == {"booked"}


@each_door
async def test_without_a_bearer_token_a_credential_is_asked_for(
    client: httpx.AsyncClient, admin: dict[str, str], method: str, action: str
) -> None:
    mine, _ = await two_bookings(client, admin)
    for headers in ({}, credential(mine["token"], "Basic"), credential(mine["token"], "Token"), credential("")):
        for reference in (mine["reference"], UNKNOWN, "not-a-reference"):
            answer = await ask(client, method, action, reference, headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "credential-invalid")
            assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "action"), [DOORS[name] for name in ("read", "calendar", "confirm", "cancel", "reschedule")]
)
async def test_its_holder_and_staff_with_the_scope_reach_a_booking(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, method: str, action: str
) -> None:
    staff = await headers_with(database, Scope.BOOKINGS_READ if method == "GET" else Scope.BOOKINGS_WRITE)
    if action == "/confirm":
        # Whether these are the same words is told to whoever may read them.
        staff = await headers_with(database, Scope.BOOKINGS_READ, Scope.BOOKINGS_WRITE)
    holders, staffs = await two_bookings(client, admin)
    free = await post_slot(client, admin, capacity=2)
    lower = {"Authorization": f"bearer  {holders['token']}"}
    for booking, who in ((holders, bearer(holders)), (holders, lower), (staffs, staff)):
        wish = {"slot_id": free["id"]} if action == "/reschedule" else {}
        answer = await ask(client, method, action, booking["reference"], who, **wish)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert booking["reference"] in answer.text
        assert booking["token"] not in answer.text


async def test_a_reference_may_be_written_as_it_is_heard(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    (row,) = await everything(database, ConsultationBooking)
    await run(database, change_booking(row["id"], reference=UNKNOWN))
    for said in (UNKNOWN, "0000000011", "ooooo-ooo1l", "OOOOO000il", "0-0-0-0-0-0-0-0-1-1", "00000 00011"):
        answer = await ask(client, *READ, said, bearer(booking))
        assert (answer.status_code, answer.json().get("reference")) == (200, UNKNOWN)


async def test_each_look_at_a_patient_is_noted_once_and_without_what_was_seen(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    mine, other = await two_bookings(client, admin)
    address = f"/consultation-bookings/{mine['reference']}"
    fresh = await client.get(address, headers=bearer(mine))
    held = await client.get(address, headers=bearer(mine) | {"If-None-Match": fresh.headers["etag"]})
    assert (fresh.status_code, held.status_code) == (200, 304)
    assert (await client.head(address, headers=admin)).status_code == 200
    await client.get("/consultation-bookings", headers=admin)
    entries = await everything(database, AuditEntry, col(AuditEntry.action) == "patient.read")
    ids = {row["reference"]: str(row["id"]) for row in await everything(database, ConsultationBooking)}
    (key_id,) = (str(row["id"]) for row in await everything(database, ApiKey))
    everything_told = ["name", "email", "phone", "reason", "notes"]
    assert sorted((entry["subject"], entry["actor"], entry["fields"]) for entry in entries) == sorted(
        [
            (ids[mine["reference"]], "booking_holder", everything_told),
            (ids[mine["reference"]], "booking_holder", everything_told),
            (ids[mine["reference"]], f"api_key:{key_id}", everything_told),
            (ids[mine["reference"]], f"api_key:{key_id}", ["name"]),
            (ids[other["reference"]], f"api_key:{key_id}", ["name"]),
        ]
    )
    assert [entry for entry in entries for value in PATIENT.values() if value in str(entry)] == []


async def test_the_answer_to_a_booking_carries_nothing_of_what_the_patient_told(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    slot = await post_slot(client, admin)
    answer = await client.post("/consultation-bookings", json=booking_wish(slot["id"]), headers=new_key())
    booking = answer.json()
    policy = {"allowed_actions", "cancel_until", "reschedule_until", "reschedule_count", "reschedules_left"}
    assert set(booking) == {"reference", "token", "state", "slot", "created_at", "version"} | policy
    assert answer.headers["location"] == f"/consultation-bookings/{booking['reference']}"
    # How many seats are free is the slot's to say: it changes, and this answer is repeated.
    assert booking["slot"] == {name: value for name, value in slot.items() if name != "seats_free"}
    assert [value for value in (*PATIENT.values(), "Synthetic reason.") if value in answer.text] == []
