"""Posting a consultation slot, and reading one."""

from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from app.access.callers import Scope
from app.access.tables import AuditEntry, IdempotencyRecord
from app.consultations.tables import ConsultationSlot, SlotStatus
from app.core import clock
from app.core.db import Database
from tests.conftest import headers_with
from tests.rows import change_slot, counts, everything, run
from tests.wishes import book, new_key, post_slot, slot_wish

CONDITION = {"slug": "acute-lymphoblastic-leukemia", "name": "Acute Lymphoblastic Leukemia"}
CATEGORY = {"slug": "hematologic-malignancies", "name": "Hematologic Malignancies"}

# What is wrong: the change to a good wish, where the answer points, and the word for the rule.
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "naive begin": ({"starts_at": "2031-05-06T09:00:00"}, "/starts_at", "instant_without_offset"),
    "naive end": ({"ends_at": "2031-05-06T09:00:00"}, "/ends_at", "instant_without_offset"),
    "seconds since 1970": ({"starts_at": 1935918000}, "/starts_at", "instant"),
    "a day": ({"starts_at": "2031-05-06"}, "/starts_at", "instant"),
    "no such day": ({"starts_at": "2031-02-30T09:00:00Z"}, "/starts_at", "datetime_from_date_parsing"),
    "no such hour": ({"starts_at": "2031-05-06T25:00:00Z"}, "/starts_at", "datetime_from_date_parsing"),
    "no such offset": ({"starts_at": "2031-05-06T09:00:00+99:00"}, "/starts_at", "datetime_from_date_parsing"),
    "before the calendar": ({"starts_at": "0001-01-01T00:00:00+14:00"}, "/starts_at", "instant"),
    "after the calendar": ({"ends_at": "9999-12-31T23:59:59-12:00"}, "/ends_at", "instant"),
    "on no clock of Tokyo": ({"starts_at": "9999-12-31T20:00:00Z", "time_zone": "Asia/Tokyo"}, "/starts_at", "instant"),
    "line break": ({"starts_at": "2031-05-06T09:00:00Z\n"}, "/starts_at", "datetime_from_date_parsing"),
    "no begin": ({"starts_at": None}, "/starts_at", "instant"),
    "end before begin": ({"ends_at": "2020-05-06T09:00:00Z"}, "/ends_at", "end_before_start"),
    "end at begin": (dict.fromkeys(("starts_at", "ends_at"), "2031-05-06T09:00:00Z"), "/ends_at", "end_before_start"),
    "in the past": ({"starts_at": "2020-05-06T09:00:00Z"}, "/starts_at", "in_the_past"),
    "unknown zone": ({"time_zone": "Mars/Olympus"}, "/time_zone", "time_zone"),
    "no zone": ({"time_zone": None}, "/time_zone", "missing"),
    "zone differs": ({"location": "main", "time_zone": "Europe/Paris"}, "/time_zone", "time_zone_differs"),
    "two topics": ({"condition": CONDITION["slug"], "category": CATEGORY["slug"]}, "/condition", "one_topic"),
    "unknown clinician": ({"clinician": "dr-nobody"}, "/clinician", "unknown_reference"),
    "unknown room": ({"location": "main", "room": "room-0", "time_zone": "Asia/Tokyo"}, "/room", "unknown_reference"),
    "room without location": ({"room": "room-1"}, "/room", "location_missing"),
    "overlap without a reason": ({"allow_overlap": {"reason": " "}}, "/allow_overlap/reason", "blank"),
    "unknown location": ({"location": "nowhere"}, "/location", "unknown_reference"),
    "unknown condition": ({"condition": "no-condition"}, "/condition", "unknown_reference"),
    "unknown category": ({"category": "no-category"}, "/category", "unknown_reference"),
    "not a slug": ({"clinician": "Dr. Nobody"}, "/clinician", "string_pattern_mismatch"),
    "unknown mode": ({"mode": "telepathy"}, "/mode", "enum"),
    "no seat": ({"capacity": 0}, "/capacity", "greater_than_equal"),
    "too many seats": ({"capacity": 51}, "/capacity", "less_than_equal"),
    "true": ({"capacity": True}, "/capacity", "int_type"),
    "half a seat": ({"capacity": 1.5}, "/capacity", "int_type"),
    "seats as text": ({"capacity": "1"}, "/capacity", "int_type"),
    "control character": ({"external_id": "a\x00b"}, "/external_id", "string_pattern_mismatch"),
    "blank": ({"external_id": "\u200b "}, "/external_id", "blank"),
    "unknown field": ({"colour": "ultramarine"}, "/colour", "extra_forbidden"),
}


async def make_places(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    """Make two clinicians and a location known."""
    for slug in ("dr-rivera", "dr-wu"):
        answer = await client.post("/clinicians", json={"slug": slug, "name": slug}, headers=admin)
        assert answer.status_code == 201
    main = {"slug": "main", "name": "Main Building", "time_zone": "Asia/Tokyo"}
    assert (await client.post("/locations", json=main, headers=admin)).status_code == 201
    room = {"slug": "room-1", "name": "Room 1"}
    assert (await client.post("/locations/main/rooms", json=room, headers=admin)).status_code == 201


async def test_a_posted_slot_is_answered_with_every_member(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await make_places(client, admin)
    begin = (clock.now() + timedelta(days=9)).replace(microsecond=0)
    wish = slot_wish(
        starts_at=begin.isoformat().replace("+00:00", "Z"),
        ends_at=(begin + timedelta(hours=2)).isoformat(),
        mode="in_person",
        capacity=50,
        clinician="dr-rivera",
        location="main",
        room="room-1",
        category=CATEGORY["slug"],
        external_id="their-1",
    )
    del wish["time_zone"]
    answer = await client.post("/consultation-slots", json=wish, headers=admin)
    assert answer.status_code == 201
    slot = answer.json()
    assert slot == {
        "id": slot["id"],
        "starts_at": f"{begin:%Y-%m-%dT%H:%M:%SZ}",
        "ends_at": f"{begin + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}",
        "time_zone": "Asia/Tokyo",
        "mode": "in_person",
        "capacity": 50,
        "seats_free": 50,
        "status": "open",
        "version": 1,
        "clinician": {"slug": "dr-rivera", "name": "dr-rivera"},
        "location": {"slug": "main", "name": "Main Building"},
        "room": {"slug": "room-1", "name": "Room 1"},
        "category": CATEGORY,
    }
    assert (await client.get(f"/consultation-slots/{slot['id']}")).json() == slot


async def test_what_a_slot_does_not_have_is_left_out(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    for_anything = await post_slot(client, admin)
    assert not {"clinician", "location", "category", "condition", "external_id"} & set(for_anything)
    for_condition = await post_slot(client, admin, condition=CONDITION["slug"])
    assert for_condition["condition"] == CONDITION


async def test_an_instant_may_have_any_offset(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin, starts_at="2031-05-06T01:30:00.25+05:30", ends_at="2031-05-05t20:00:00.5z")
    assert (slot["starts_at"], slot["ends_at"]) == ("2031-05-05T20:00:00.250000Z", "2031-05-05T20:00:00.500000Z")


async def test_each_bad_wish_is_refused_with_a_422_of_its_own(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await make_places(client, admin)
    told = {}
    for name, (change, _, _) in BAD.items():
        answer = await client.post("/consultation-slots", json=slot_wish() | change, headers=admin)
        errors = answer.json().pop("errors")
        told[name] = [(answer.status_code, fault["pointer"], fault["code"]) for fault in errors]
        assert [value for value in change.values() if str(value).strip() in str(errors)] == []
    assert told == {name: [(422, pointer, code)] for name, (_, pointer, code) in BAD.items()}
    assert await counts(database, ConsultationSlot) == [0]


@pytest.mark.parametrize("status", [SlotStatus.OPEN, SlotStatus.CLOSED])
async def test_a_clinicians_slots_may_touch_but_not_overlap(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, status: SlotStatus
) -> None:
    await make_places(client, admin)
    whole: dict[str, Any] = {"starts_at": "2031-05-06T09:00:00Z", "ends_at": "2031-05-06T10:00:00Z"}
    inside: dict[str, Any] = {"starts_at": "2031-05-06T09:59:00Z", "ends_at": "2031-05-06T10:30:00Z"}
    after: dict[str, Any] = {"starts_at": "2031-05-06T10:00:00Z", "ends_at": "2031-05-06T11:00:00Z"}
    slot = await post_slot(client, admin, clinician="dr-rivera", **whole)
    await run(database, change_slot(slot["id"], status=status))
    overlap = await client.post("/consultation-slots", json=slot_wish(clinician="dr-rivera", **inside), headers=admin)
    assert (overlap.status_code, overlap.json()["code"]) == (409, "slot-overlaps")
    await post_slot(client, admin, clinician="dr-rivera", **after)
    await post_slot(client, admin, clinician="dr-wu", **inside)
    await post_slot(client, admin, **inside)
    await run(database, change_slot(slot["id"], status=SlotStatus.CANCELLED))
    await post_slot(client, admin, clinician="dr-rivera", **whole)
    why = {"reason": "Two families at once."}
    posted = await post_slot(client, admin, clinician="dr-rivera", **inside, allow_overlap=why)
    assert "allow_overlap" not in posted
    (kept,) = [row for row in await everything(database, ConsultationSlot) if str(row["id"]) == posted["id"]]
    assert kept["overlap_reason"] == why["reason"]


async def test_rooms_are_listed_by_slug_and_belong_to_their_location(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    await make_places(client, admin)
    more = {"slug": "room-0", "name": "Room 0"}
    assert (await client.post("/locations/main/rooms", json=more, headers=admin)).status_code == 201
    taken = await client.post("/locations/main/rooms", json=more, headers=admin)
    assert (taken.status_code, taken.json()["code"]) == (409, "slug-taken")
    nowhere = await client.post("/locations/nowhere/rooms", json=more, headers=admin)
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "location-not-found")
    assert (await client.get("/locations/nowhere/rooms")).status_code == 404
    first = (await client.get("/locations/main/rooms?limit=1")).json()
    assert [room["slug"] for room in first["items"]] == ["room-0"]
    second = (await client.get(first["next"])).json()
    assert second == {"items": [{"slug": "room-1", "name": "Room 1"}]}


async def test_a_room_holds_one_consultation_at_a_time(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await make_places(client, admin)
    where: dict[str, Any] = {"location": "main", "room": "room-1", "time_zone": "Asia/Tokyo"}
    times: dict[str, Any] = {"starts_at": "2031-05-06T09:00:00Z", "ends_at": "2031-05-06T10:00:00Z"}
    await post_slot(client, admin, clinician="dr-rivera", **where, **times)
    second = await client.post(
        "/consultation-slots", json=slot_wish(clinician="dr-wu", **where, **times), headers=admin
    )
    assert (second.status_code, second.json()["code"]) == (409, "slot-overlaps")


async def test_a_slot_keeps_its_begin_on_the_clock_of_its_zone(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    # 1 a.m. UTC is 3 a.m. in Berlin's summer, and the day before in New York.
    times = {"starts_at": "2031-07-01T01:00:00Z", "ends_at": "2031-07-01T02:00:00Z"}
    await post_slot(client, admin, **times)
    await post_slot(client, admin, **times | {"time_zone": "America/New_York"})
    kept = {row["time_zone"]: row for row in await everything(database, ConsultationSlot)}
    local = {zone: (row["local_date"], row["local_weekday"], row["local_minute"]) for zone, row in kept.items()}
    assert local == {
        "Europe/Berlin": (date(2031, 7, 1), 2, 180),
        "America/New_York": (date(2031, 6, 30), 1, 21 * 60),
    }


async def test_an_external_id_is_given_once(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await post_slot(client, admin, external_id="their-1")
    again = await client.post("/consultation-slots", json=slot_wish(external_id="their-1"), headers=admin)
    assert (again.status_code, again.json()["code"]) == (409, "external-id-taken")


async def test_only_a_key_with_the_scope_may_post(client: httpx.AsyncClient, database: Database) -> None:
    reader = await headers_with(database, Scope.BOOKINGS_READ, Scope.BOOKINGS_WRITE)
    unknown = {"Authorization": "Bearer cp_live_unknown"}
    told = []
    for headers in ({}, unknown, reader):
        answer = await client.post("/consultation-slots", json=slot_wish(), headers=headers)
        told.append((answer.status_code, answer.headers.get("www-authenticate"), answer.json()["code"]))
    assert told == [
        (401, "Bearer", "credential-invalid"),
        (401, "Bearer", "credential-invalid"),
        (403, None, "scope-missing"),
    ]
    assert await counts(database, ConsultationSlot) == [0]


async def test_one_key_posts_one_slot(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    key, wish = new_key(), slot_wish()
    first = await client.post("/consultation-slots", json=wish, headers=admin | key)
    again = await client.post("/consultation-slots", json=wish, headers=admin | key)
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    short = await client.post("/consultation-slots", json=wish, headers=admin | {"Idempotency-Key": "short"})
    assert (short.status_code, short.json()["code"]) == (400, "idempotency-key-invalid")
    assert await counts(database, ConsultationSlot, IdempotencyRecord) == [1, 1]
    entries = await everything(database, AuditEntry, AuditEntry.action == "slot.created")
    assert [entry["subject"] for entry in entries] == [first.json()["id"]]


async def test_a_slots_tag_tells_its_version_and_the_seats(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin, capacity=2)
    address = f"/consultation-slots/{slot['id']}"
    before = await client.get(address)
    assert before.headers["etag"].startswith('"1-')
    assert before.headers["cache-control"] == "no-cache"
    held = await client.get(address, headers={"If-None-Match": before.headers["etag"]})
    assert (held.status_code, held.content) == (304, b"")
    await book(client, slot["id"])
    after = await client.get(address, headers={"If-None-Match": before.headers["etag"]})
    assert (after.status_code, after.json()["seats_free"], after.json()["version"]) == (200, 1, 1)


async def test_a_slot_that_is_not_there(client: httpx.AsyncClient) -> None:
    unknown = await client.get("/consultation-slots/01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "slot-not-found")
    malformed = await client.get("/consultation-slots/Mal-Formed")
    assert (malformed.status_code, malformed.json()["errors"][0]["parameter"]) == (422, "slot_id")
    assert "Mal-Formed" not in malformed.text
