"""Lists in pages, wherever there is a list: each item once, and no cursor but one that was given out."""

import base64
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.core.db import Database
from tests.clinics import schedule_wish
from tests.pages import publish, treatment
from tests.wishes import book, post_slot

SLUG = "acute-lymphoblastic-leukemia"
SOME_ID = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"
NEVER_GIVEN_OUT = [
    "",
    "garbage",
    "%00",
    "%F0%9F%A6%A5",
    "W10=====",
    "a" * 400,
    "a" * 401,
    *(
        base64.urlsafe_b64encode(content).decode()
        for content in (
            b"",
            b"\xff\xfe",
            b"null",
            b"{}",
            b"[]",
            b"[1]",
            b"[[]]",
            b'"text"',
            b"[null, null]",
            b'["a\\u0000"]',
            f'["a\\u0000", "{SOME_ID}"]'.encode(),
            b'["1", "2", "3"]',
            b"[" * 290,
            b"1" * 290,
        )
    ),
]


def lists(app: FastAPI) -> list[str]:
    """The address of every list that comes in pages."""
    found = [
        address.format(slug=SLUG)
        for address, operations in app.openapi()["paths"].items()
        # A search has no pages without a question: tests/test_search.py asks some.
        if address != "/search"
        and any(parameter["name"] == "cursor" for parameter in operations.get("get", {}).get("parameters", []))
    ]
    assert len(found) >= 7
    return found


def pack(*values: object) -> str:
    """A cursor as the API makes it, of any values."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


def name_of(item: dict[str, Any]) -> str:
    """What tells an item from the others of its list."""
    return str(item.get("slug") or item.get("id") or item.get("reference") or item.get("number"))


async def follow(
    client: httpx.AsyncClient, address: str, headers: dict[str, str] | None = None
) -> list[list[dict[str, Any]]]:
    """Every page of a list, from this address to the last."""
    pages = []
    while address:
        answer = await client.get(address, headers=headers)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        assert len(pages) < 100
        address = answer.json().get("next", "")
        assert answer.headers.get("Link", "") == (f'<{address}>; rel="next"' if address else "")
    return pages


async def post(client: httpx.AsyncClient, admin: dict[str, str], address: str, **wish: Any) -> None:
    """Make one more of what is listed there."""
    answer = await client.post(address, json=wish, headers=admin)
    assert answer.status_code == 201, answer.text


@pytest.fixture
async def filled(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    """Five more of everything that is listed; what can be alike to the order is."""
    await post(client, admin, "/locations", slug=SLUG, name="Synthetic", time_zone="UTC")
    for number in range(5):
        await publish(
            database,
            f"synthetic-{number}",
            name="Synthetic",
            category={"slug": f"synthetic-{number}", "name": "Synthetic"},
            treatment_options=[treatment(f"synthetic-{number}")],
        )
        await publish(database, SLUG, summary=f"Synthetic {number}.")
        for place in ("clinicians", "locations"):
            wish = {"slug": f"synthetic-{number}", "name": "Synthetic"}
            zone = {"time_zone": "UTC"} if place == "locations" else {}
            assert (await client.post(f"/{place}", json=wish | zone, headers=admin)).status_code == 201
        times = {"starts_at": "2099-01-01T09:00:00Z", "ends_at": "2099-01-01T10:00:00Z"}
        await post(client, admin, f"/locations/{SLUG}/rooms", slug=f"synthetic-{number}", name="Synthetic")
        await post(client, admin, "/slot-schedules", **schedule_wish())
        await post(client, admin, "/absences", clinician="synthetic-0", **times)
        await post(client, admin, "/calendar-feeds", clinician="synthetic-0")
        slot = await post_slot(client, admin, **times, capacity=2)
        await book(client, slot["id"])


@pytest.mark.usefixtures("filled")
async def test_following_next_shows_each_item_once(
    client: httpx.AsyncClient, app: FastAPI, admin: dict[str, str]
) -> None:
    # The feed of changes goes on for ever: tests/test_changes.py follows it.
    for address in set(lists(app)) - {"/changes"}:
        # Each look at the trail is a line in the trail: only what came before stays as it is.
        only = "&action=booking.booked" if address == "/audit" else ""
        (whole,) = await follow(client, f"{address}?limit=100{only}", admin)
        assert len(whole) >= 5
        for limit in (1, 2, len(whole)):
            pages = await follow(client, f"{address}?limit={limit}{only}", admin)
            assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
            assert [item for page in pages for item in page] == whole


async def test_what_is_added_meanwhile_moves_nothing(client: httpx.AsyncClient, database: Database) -> None:
    for letter in "bdfh":
        await publish(database, f"synthetic-{letter}", name=f"Synthetic {letter}")
    first = (await client.get("/conditions?limit=2&category=synthetic-category")).json()
    await publish(database, "synthetic-a", name="Synthetic a")
    await publish(database, "synthetic-g", name="Synthetic g")
    rest = await follow(client, first["next"])
    seen = [name_of(card)[-1] for page in [first["items"], *rest] for card in page]
    assert seen == ["b", "d", "f", "g", "h"]


async def test_next_keeps_the_filters(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    other = {"slug": "synthetic-other", "name": "Synthetic Other"}
    for letter in "abcdef":
        await publish(database, f"synthetic-{letter}", **({} if letter in "ace" else {"category": other}))
        await post_slot(client, admin, mode="video" if letter in "ace" else "phone", external_id=letter)
    cards = await follow(client, "/conditions?limit=1&letter=s&category=synthetic-category")
    assert [[name_of(card) for card in page] for page in cards] == [["synthetic-a"], ["synthetic-c"], ["synthetic-e"]]
    times = "from=2020-01-01T10%3A00%3A00%2B01%3A00&to=2099-02-01T00:00:00Z"
    slots = await follow(client, f"/consultation-slots?limit=1&mode=video&status=all&{times}", admin)
    assert [[slot["mode"] for slot in page] for page in slots] == [["video"]] * 3


async def test_a_limit_is_between_1_and_100(client: httpx.AsyncClient, app: FastAPI, admin: dict[str, str]) -> None:
    await post(client, admin, "/locations", slug=SLUG, name="Synthetic", time_zone="UTC")
    for address in lists(app):
        for limit in ("0", "101", "-1", "many", "", "1e2", "9" * 30, "%00"):
            answer = await client.get(f"{address}?limit={limit}", headers=admin)
            assert (address, limit, answer.status_code) == (address, limit, 422)
            assert [fault["parameter"] for fault in answer.json()["errors"]] == ["limit"]
        for limit in ("1", "100"):
            assert (await client.get(f"{address}?limit={limit}", headers=admin)).status_code == 200


async def test_an_unknown_parameter_is_refused(client: httpx.AsyncClient, app: FastAPI, admin: dict[str, str]) -> None:
    for address in lists(app):
        answer = await client.get(f"{address}?page=2", headers=admin)
        assert (address, answer.status_code) == (address, 422)
        assert [fault["parameter"] for fault in answer.json()["errors"]] == ["page"]
        # Whatever stands where a name belongs is not sent back.
        answer = await client.get(f"{address}?%3Cb%3Esecret=2", headers=admin)
        assert (answer.status_code, "secret" in answer.text) == (422, False)


async def test_a_cursor_that_was_never_given_out_is_refused(
    client: httpx.AsyncClient, app: FastAPI, admin: dict[str, str]
) -> None:
    for address in lists(app):
        for cursor in NEVER_GIVEN_OUT:
            answer = await client.get(f"{address}?cursor={cursor}", headers=admin)
            assert (address, cursor, answer.status_code) == (address, cursor, 422)
            assert [fault["parameter"] for fault in answer.json()["errors"]] == ["cursor"]


async def test_a_cursor_of_the_wrong_kind_is_refused(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    cursors = [
        ("/categories", ("99999999999999999999", "a")),
        ("/categories", ("2147483648", "a")),
        ("/categories", ("1.5", "a")),
        ("/conditions", ("synthetic", "no-id")),
        ("/consultation-slots", ("2099-01-01T09:00:00", SOME_ID)),
        ("/consultation-slots", ("9999-12-31T23:59:59-23:59", SOME_ID)),
        ("/consultation-slots", ("0001-01-01T00:00:00+23:59", SOME_ID)),
        ("/consultation-slots", ("2099-01-01", SOME_ID)),
        ("/consultation-slots", ("soon", SOME_ID)),
        ("/consultation-slots", ("2099-01-01T09:00:00Z", "no-id")),
        ("/consultation-bookings", ("no-id",)),
    ]
    for address, values in cursors:
        answer = await client.get(address, params={"cursor": pack(*values)}, headers=admin)
        assert (address, values, answer.status_code) == (address, values, 422)
        assert [fault["parameter"] for fault in answer.json()["errors"]] == ["cursor"]


@pytest.mark.parametrize(("address", "values"), [("/clinicians", ("a\ud800",)), ("/conditions", ("a\ud800", SOME_ID))])
async def test_a_cursor_with_half_a_character_is_refused(
    client: httpx.AsyncClient, address: str, values: tuple[str, ...]
) -> None:
    assert (await client.get(address, params={"cursor": pack(*values)})).status_code == 422
