"""Finding consultation slots: what is listed, in which order, and that all of it can be booked."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.access.callers import Scope
from app.consultations import slot_queries
from app.consultations.tables import SlotStatus
from app.core import clock
from app.core.db import Database
from tests.conftest import headers_with
from tests.pages import publish
from tests.rows import change_slot, run
from tests.wishes import book, post_slot

CONDITION, CATEGORY = "acute-lymphoblastic-leukemia", "hematologic-malignancies"
SIBLING, STRANGER, STRANGE_CATEGORY = "synthetic-sibling", "synthetic-condition", "synthetic-category"

# A filter's name and value, and the word for what is wrong with it.
BAD = {
    ("condition", "no-condition"): "unknown_reference",
    ("category", "no-category"): "unknown_reference",
    ("clinician", "dr-nobody"): "unknown_reference",
    ("location", "nowhere"): "unknown_reference",
    ("condition", "Not A Slug"): "string_pattern_mismatch",
    ("mode", "telepathy"): "enum",
    ("from", "2031-05-06T09:00:00"): "instant_without_offset",
    ("to", "tomorrow"): "instant",
    ("status", "open-ish"): "enum",
    ("limit", "0"): "greater_than_equal",
    ("limit", "101"): "less_than_equal",
    ("cursor", "bm90LWEtY3Vyc29y"): "cursor",
    ("colour", "ultramarine"): "extra_forbidden",
}


async def listed(client: httpx.AsyncClient, query: str = "", headers: dict[str, str] | None = None) -> list[str]:
    """The ids of the slots that this query finds."""
    answer = await client.get(f"/consultation-slots?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return [slot["id"] for slot in answer.json()["items"]]


async def posted(client: httpx.AsyncClient, admin: dict[str, str], **changes: Any) -> str:
    """Post a slot; returns its id."""
    return str((await post_slot(client, admin, **changes))["id"])


async def make_past(database: Database, slot_id: str) -> None:
    """Let a slot have begun a minute ago."""
    begin = clock.now() - timedelta(minutes=1)
    await run(database, change_slot(slot_id, starts_at=begin, ends_at=begin + timedelta(minutes=30)))


async def test_the_soonest_comes_first(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    late, soon, middle = [await posted(client, admin, days=days) for days in (30, 10, 20)]
    assert await listed(client) == [soon, middle, late]


async def test_a_topic_finds_what_is_offered_for_it(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(
        database, SIBLING, category={"slug": CATEGORY, "name": "Hematologic Malignancies"}, treatment_options=[]
    )
    await publish(database, STRANGER)
    topics = [
        {"condition": CONDITION},
        {"condition": SIBLING},
        {"category": CATEGORY},
        {"condition": STRANGER},
        {"category": STRANGE_CATEGORY},
        {},
    ]
    own, sibling, group, stranger, strange_group, anything = [
        await posted(client, admin, days=days, **topic) for days, topic in enumerate(topics, start=1)
    ]
    assert await listed(client, f"condition={CONDITION}") == [own, group, anything]
    assert await listed(client, f"condition={SIBLING}") == [sibling, group, anything]
    assert await listed(client, f"category={CATEGORY}") == [own, sibling, group, anything]
    assert await listed(client, f"category={STRANGE_CATEGORY}") == [stranger, strange_group, anything]
    assert await listed(client, f"condition={CONDITION}&category={STRANGE_CATEGORY}") == [anything]


async def test_a_window_is_half_open(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    nine, ten = [
        await posted(client, admin, starts_at=f"2031-05-06T{hour}:00:00Z", ends_at=f"2031-05-06T{hour}:30:00Z")
        for hour in ("09", "10")
    ]
    assert await listed(client, "from=2031-05-06T09:00:00Z&to=2031-05-06T12:00:00%2B02:00") == [nine]
    assert await listed(client, "from=2031-05-06T12:00:00%2B02:00") == [ten]
    assert await listed(client, "from=2031-05-06T09:00:00.000001Z") == [ten]
    assert await listed(client, "to=2031-05-06T09:00:00Z") == []


async def test_mode_clinician_and_location_must_all_hold(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await client.post("/clinicians", json={"slug": "dr-wu", "name": "Dr. Wu"}, headers=admin)
    await client.post("/locations", json={"slug": "main", "name": "Main", "time_zone": "Europe/Berlin"}, headers=admin)
    bare = await posted(client, admin, days=1, mode="phone")
    with_wu = await posted(client, admin, days=2, clinician="dr-wu")
    at_main = await posted(client, admin, days=3, mode="in_person", location="main")
    both = await posted(client, admin, days=4, mode="in_person", location="main", clinician="dr-wu")
    assert await listed(client, "mode=phone") == [bare]
    assert await listed(client, "clinician=dr-wu") == [with_wu, both]
    assert await listed(client, "location=main") == [at_main, both]
    assert await listed(client, "location=main&clinician=dr-wu&mode=in_person") == [both]
    assert await listed(client, "location=main&mode=video") == []


async def test_a_filter_that_cannot_hold_is_refused_by_name(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await posted(client, admin)
    told = {}
    for name, value in BAD:
        answer = await client.get("/consultation-slots", params={name: value})
        (fault,) = answer.json()["errors"]
        told[name, value] = (answer.status_code, fault["parameter"], fault["code"])
        assert value not in fault["detail"]
    assert told == {(name, value): (422, name, code) for (name, value), code in BAD.items()}


async def test_only_what_can_be_booked_is_listed_and_all_of_it_can_be(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    free, partly, full, closed, cancelled, past = [
        await posted(client, admin, days=days, capacity=2) for days in range(1, 7)
    ]
    for slot_id in (partly, full, full):
        await book(client, slot_id)
    await run(database, change_slot(closed, status=SlotStatus.CLOSED))
    await run(database, change_slot(cancelled, status=SlotStatus.CANCELLED))
    await make_past(database, past)
    found = await listed(client)
    assert found == [free, partly]
    for slot_id in found:
        await book(client, slot_id)
    assert await listed(client) == [free]


async def test_staff_see_slots_of_every_status(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    full, closed, cancelled, past = [await posted(client, admin, days=days) for days in range(1, 5)]
    await book(client, full)
    await run(database, change_slot(closed, status=SlotStatus.CLOSED))
    await run(database, change_slot(cancelled, status=SlotStatus.CANCELLED))
    await make_past(database, past)
    assert await listed(client, "status=open", admin) == [past, full]
    assert await listed(client, "status=closed", admin) == [closed]
    assert await listed(client, "status=cancelled", admin) == [cancelled]
    assert await listed(client, "status=all", admin) == [past, full, closed, cancelled]
    assert await listed(client, headers=admin) == []


async def test_a_status_asks_for_a_scope(client: httpx.AsyncClient, database: Database) -> None:
    reader = await headers_with(database, Scope.BOOKINGS_READ)
    told = [
        (await client.get("/consultation-slots", params=query, headers=headers)).status_code
        for query in ({}, {"status": "open"})
        for headers in ({}, {"Authorization": "Bearer cp_live_unknown"}, reader)
    ]
    assert told == [200, 401, 200, 401, 401, 403]


async def test_pages_follow_one_another_without_gap_or_repeat(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    # Three of the five begin at the same moment: only the id tells them apart.
    moment = {"starts_at": "2031-05-06T09:00:00.5Z", "ends_at": "2031-05-06T10:00:00Z"}
    slots = [await posted(client, admin, days=days) for days in (1, 2)]
    slots += sorted([await posted(client, admin, **moment) for _ in range(3)])
    address = "/consultation-slots?mode=video&limit=2&from=2020-01-01T00%3A00%3A00%2B01%3A00"
    pages = []
    while address:
        answer = await client.get(address)
        pages.append([slot["id"] for slot in answer.json()["items"]])
        address = answer.json().get("next", "")
        assert answer.headers.get("link") == (f'<{address}>; rel="next"' if address else None)
    assert pages == [slots[:2], slots[2:4], slots[4:]]


@pytest.mark.parametrize(("days", "is_bound"), [(-400, False), (-2, False), (-0.5, True), (1, True)])
async def test_a_begin_long_ago_is_no_bound_that_an_index_is_read_from(
    client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch, days: float, is_bound: bool
) -> None:
    slot = await posted(client, admin)
    real, bounds = slot_queries.listing, []

    def listing(asked: frozenset[str], dialect: str) -> Any:
        bounds.append("starts_from" in asked)
        return real(asked, dialect)

    monkeypatch.setattr(slot_queries, "listing", listing)
    begin = (clock.now() + timedelta(days=days)).isoformat().replace("+", "%2B")
    assert await listed(client, f"from={begin}") == [slot]
    assert bounds == [is_bound]
