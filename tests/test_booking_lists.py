"""The list of bookings, for staff."""

import httpx

from app.access.callers import Scope
from app.consultations.tables import BookingState, ConsultationBooking
from app.core.db import Database
from tests.conftest import headers_with
from tests.rows import change_booking, everything, run
from tests.wishes import PATIENT, bearer, book, post_slot

ADDRESS = "/consultation-bookings"


async def listed(client: httpx.AsyncClient, headers: dict[str, str], query: str = "") -> list[str]:
    """The references of the bookings that this query finds."""
    answer = await client.get(f"{ADDRESS}?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [booking["reference"] for booking in answer.json()["items"]]


async def test_only_staff_with_the_scope_see_the_list(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    other_scopes = await headers_with(database, Scope.SLOTS_WRITE, Scope.BOOKINGS_WRITE)
    reader = await headers_with(database, Scope.BOOKINGS_READ)
    unknown = {"Authorization": "Bearer cp_live_unknown"}
    told = []
    for headers in ({}, unknown, bearer(booking), other_scopes, reader):
        answer = await client.get(ADDRESS, headers=headers)
        told.append((answer.status_code, answer.json().get("code"), answer.headers.get("www-authenticate")))
    refused = (401, "credential-invalid", "Bearer")
    assert told == [refused, refused, refused, (403, "scope-missing", None), (200, None, None)]


async def test_the_list_tells_the_patients_name_and_nothing_else_of_them(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    answer = await client.get(ADDRESS, headers=admin)
    del booking["token"]
    assert answer.json() == {"items": [booking | {"patient": {"name": PATIENT["name"]}}]}
    assert answer.headers["cache-control"] == "no-store"


async def test_the_list_is_newest_first_and_filtered_by_slot_and_state(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    one, two = [await post_slot(client, admin, capacity=2) for _ in range(2)]
    first, second, third = [await book(client, slot["id"]) for slot in (one, two, one)]
    await client.post(f"{ADDRESS}/{first['reference']}/cancel", headers=bearer(first))
    newest_first = [third["reference"], second["reference"], first["reference"]]
    assert await listed(client, admin) == newest_first
    assert await listed(client, admin, f"slot_id={one['id']}") == [third["reference"], first["reference"]]
    assert await listed(client, admin, "state=booked") == newest_first[:2]
    assert await listed(client, admin, f"slot_id={one['id']}&state=cancelled") == [first["reference"]]
    assert await listed(client, admin, "slot_id=01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79") == []


async def test_pages_follow_one_another_and_keep_their_filter(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin, capacity=5)
    booked = [(await book(client, slot["id"]))["reference"] for _ in range(5)]
    pages, address = [], f"{ADDRESS}?state=booked&limit=2"
    while address:
        answer = await client.get(address, headers=admin)
        pages.append([booking["reference"] for booking in answer.json()["items"]])
        address = answer.json().get("next", "")
        assert answer.headers.get("link") == (f'<{address}>; rel="next"' if address else None)
    assert pages == [[booked[4], booked[3]], [booked[2], booked[1]], [booked[0]]]


async def test_a_filter_that_cannot_hold_is_refused_by_name(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    told = {}
    for name, value in {"state": "sleeping", "slot_id": "no-id", "limit": "0", "cursor": "!", "patient": "Sam"}.items():
        answer = await client.get(ADDRESS, params={name: value}, headers=admin)
        told[name] = (answer.status_code, [fault["parameter"] for fault in answer.json()["errors"]])
    assert told == {name: (422, [name]) for name in told}


async def test_a_booking_whose_life_went_on_is_listed_with_its_state(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await book(client, (await post_slot(client, admin))["id"])
    (row,) = await everything(database, ConsultationBooking)
    await run(database, change_booking(row["id"], state=BookingState.NO_SHOW))
    answer = await client.get(ADDRESS, headers=admin)
    assert [(item["state"], item["version"]) for item in answer.json()["items"]] == [("no_show", 2)]
