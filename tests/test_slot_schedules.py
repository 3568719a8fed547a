"""Schedules of slots: made, looked at slot by slot, posted, ended."""

from datetime import date, datetime
from typing import Any

import httpx
import pytest

from app.access.tables import AuditEntry
from app.consultations.schedule_tables import SlotSchedule
from app.consultations.tables import ConsultationSlot
from app.core.db import Database
from tests.clinics import ZONE, at, day, make_schedule, occurrences, open_clinic, post_until, schedule_wish
from tests.rows import counts, everything
from tests.wishes import book, post_slot, refusal

# Berlin's clock goes from 02:00 to 03:00, and from 03:00 back to 02:00.
SPRING, AUTUMN = "2031-03-30", "2031-10-26"
LONG_AGO = "2025-01-01"

# What is wrong: the change to a good wish, where the answer points, and the word for the rule.
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "every hour": ({"rrule": "FREQ=HOURLY"}, "/rrule", "string_pattern_mismatch"),
    "every second": ({"rrule": "FREQ=SECONDLY;COUNT=9"}, "/rrule", "string_pattern_mismatch"),
    "no rule": ({"rrule": "every tuesday"}, "/rrule", "string_pattern_mismatch"),
    "at an hour": ({"rrule": "FREQ=DAILY;BYHOUR=9"}, "/rrule", "rrule_part"),
    "at Easter": ({"rrule": "FREQ=YEARLY;BYEASTER=0"}, "/rrule", "rrule_part"),
    "said twice": ({"rrule": "FREQ=DAILY;COUNT=2;COUNT=3"}, "/rrule", "rrule_part"),
    "never again": ({"rrule": "FREQ=DAILY;INTERVAL=0"}, "/rrule", "rrule_number"),
    "two ends in the rule": ({"rrule": "FREQ=DAILY;COUNT=2;UNTIL=20300101"}, "/rrule", "rrule_combination"),
    "until a moment": ({"rrule": "FREQ=DAILY;UNTIL=20300101T000000Z"}, "/rrule", "rrule_until"),
    "no such day": ({"rrule": "FREQ=DAILY;UNTIL=20300231"}, "/rrule", "rrule_until"),
    "no weekday": ({"rrule": "FREQ=WEEKLY;BYDAY=XX"}, "/rrule", "rrule_day"),
    "month day of a week": ({"rrule": "FREQ=WEEKLY;BYMONTHDAY=3"}, "/rrule", "rrule_combination"),
    "long rule": ({"rrule": "FREQ=YEARLY;BYYEARDAY=" + "1," * 300 + "1"}, "/rrule", "string_too_long"),
    "two ends": ({"rrule": "FREQ=DAILY;COUNT=2", "valid_until": day(9)}, "/valid_until", "two_ends"),
    "ends before it begins": ({"valid_until": day(0)}, "/valid_until", "valid_until"),
    "ends after eleven years": ({"valid_until": day(4000)}, "/valid_until", "valid_until"),
    "begins in another age": ({"valid_from": "1999-12-31"}, "/valid_from", "date_range"),
    "begins at a moment": ({"valid_from": "2027-01-01T00:00:00"}, "/valid_from", "full_date"),
    "begins at a number": ({"valid_from": 20270101}, "/valid_from", "full_date"),
    "added before its begin": ({"rdates": [day(0).isoformat()]}, "/valid_from", "rdate_outside"),
    "added after ten years": ({"rdates": [day(4000).isoformat()]}, "/valid_from", "rdate_outside"),
    "ends before it has begun": ({"session_ends": "09:00"}, "/session_ends", "end_before_start"),
    "at no time": ({"session_starts": "24:00"}, "/session_starts", "string_pattern_mismatch"),
    "longer than the session": ({"length_minutes": 61}, "/length_minutes", "longer_than_session"),
    "no length": ({"length_minutes": 0}, "/length_minutes", "greater_than_equal"),
    "no zone": ({"time_zone": None}, "/time_zone", "missing"),
    "another zone": ({"location": "main", "time_zone": "Asia/Tokyo"}, "/time_zone", "time_zone_differs"),
    "nobody": ({"clinician": "dr-nobody"}, "/clinician", "unknown_reference"),
    "a room of nothing": ({"room": "room-1"}, "/room", "location_missing"),
    "horizon without end": ({"horizon_days": 367}, "/horizon_days", "less_than_equal"),
}


@pytest.mark.parametrize(("change", "pointer", "code"), BAD.values(), ids=BAD)
async def test_a_wrong_schedule_is_refused_and_nothing_is_made(
    client: httpx.AsyncClient,
    admin: dict[str, str],
    database: Database,
    change: dict[str, Any],
    pointer: str,
    code: str,
) -> None:
    await open_clinic(client, admin)
    answer = await client.post("/slot-schedules", json=schedule_wish(**change), headers=admin)
    assert refusal(answer) == (422, "invalid-input")
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert await counts(database, SlotSchedule) == [0]


async def test_a_schedule_is_made_read_and_listed_and_posts_nothing_by_itself(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    wish = schedule_wish(
        clinician="dr-rivera", location="main", room="room-1", condition="acute-lymphoblastic-leukemia",
        exdates=[day(4).isoformat(), day(3).isoformat(), day(4).isoformat()], valid_until=day(30), horizon_days=14,
    )  # fmt: skip
    made = (await client.post("/slot-schedules", json=wish, headers=admin)).json()
    assert made.pop("created_at").endswith("Z")
    schedule_id = made.pop("id")
    assert made == {
        **wish,
        "gap_minutes": 0,
        "clinician": {"slug": "dr-rivera", "name": "dr-rivera"},
        "location": {"slug": "main", "name": "Main Building"},
        "room": {"slug": "room-1", "name": "Room 1"},
        "condition": {"slug": "acute-lymphoblastic-leukemia", "name": "Acute Lymphoblastic Leukemia"},
        "exdates": [day(3).isoformat(), day(4).isoformat()],
        "rdates": [],
        "status": "active",
        "version": 1,
    }
    read = await client.get(f"/slot-schedules/{schedule_id}", headers=admin)
    assert (read.json()["id"], read.headers["etag"][:3]) == (schedule_id, '"1-')
    other = await make_schedule(client, admin, clinician="dr-wu")
    listed = (await client.get("/slot-schedules?limit=1", headers=admin)).json()
    assert [each["id"] for each in listed["items"]] == [other["id"]]
    rest = (await client.get(listed["next"], headers=admin)).json()
    assert [each["id"] for each in rest["items"]] == [schedule_id]
    for query, found in (("clinician=dr-wu", [other["id"]]), ("location=main", [schedule_id]), ("status=ended", [])):
        answer = await client.get(f"/slot-schedules?{query}", headers=admin)
        assert [each["id"] for each in answer.json()["items"]] == found
    assert await counts(database, ConsultationSlot) == [0]
    entries = await everything(database, AuditEntry, AuditEntry.action == "schedule.created")
    assert sorted(entry["subject"] for entry in entries) == sorted([schedule_id, other["id"]])


async def test_what_it_comes_to_is_shown_before_anything_is_posted(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    wish = schedule_wish(rrule="FREQ=WEEKLY;BYDAY=TU", valid_from="2031-01-01", gap_minutes=10, session_ends="10:15")
    answer = await client.post("/slot-schedules/preview?from=2031-03-25&to=2031-04-01", json=wish, headers=admin)
    # The clock has been turned between the two weeks: the same time on it is another moment.
    assert answer.json() == {
        "time_zone": ZONE,
        "first_day": "2031-03-25",
        "last_day": "2031-04-01",
        "counts": {"to_post": 4},
        "items": [
            {"occurrence": f"{on}T{begin}", "state": "to_post", "starts_at": starts, "ends_at": ends}
            for on, begin, starts, ends in (
                ("2031-03-25", "09:00", "2031-03-25T08:00:00Z", "2031-03-25T08:30:00Z"),
                ("2031-03-25", "09:40", "2031-03-25T08:40:00Z", "2031-03-25T09:10:00Z"),
                ("2031-04-01", "09:00", "2031-04-01T07:00:00Z", "2031-04-01T07:30:00Z"),
                ("2031-04-01", "09:40", "2031-04-01T07:40:00Z", "2031-04-01T08:10:00Z"),
            )
        ],
    }
    assert await counts(database, SlotSchedule, ConsultationSlot) == [0, 0]


async def test_a_turned_clock_is_told_for_each_slot_that_it_touches(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    nights = {"session_starts": "01:00", "session_ends": "04:00", "valid_from": LONG_AGO}
    short = await make_schedule(client, admin, **nights)
    assert await occurrences(client, admin, short, f"from={SPRING}&to={SPRING}") == {
        f"{SPRING}T01:00": "to_post",
        f"{SPRING}T01:30": "local_time_missing",
        f"{SPRING}T02:00": "local_time_missing",
        f"{SPRING}T02:30": "local_time_missing",
        f"{SPRING}T03:00": "to_post",
        f"{SPRING}T03:30": "to_post",
    }
    assert await occurrences(client, admin, short, f"from={AUTUMN}&to={AUTUMN}") == {
        f"{AUTUMN}T01:00": "to_post",
        f"{AUTUMN}T01:30": "local_time_ambiguous",
        f"{AUTUMN}T02:00": "local_time_ambiguous",
        f"{AUTUMN}T02:30": "local_time_ambiguous",
        f"{AUTUMN}T03:00": "to_post",
        f"{AUTUMN}T03:30": "to_post",
    }
    # From 01:30 to 03:30 it would last one hour in spring, and three in autumn.
    long = await make_schedule(client, admin, **nights | {"session_starts": "01:30"}, length_minutes=120)
    assert await occurrences(client, admin, long, f"from={SPRING}&to={SPRING}") == {
        f"{SPRING}T01:30": "local_time_missing"
    }
    assert await occurrences(client, admin, long, f"from={AUTUMN}&to={AUTUMN}") == {
        f"{AUTUMN}T01:30": "local_time_ambiguous"
    }


async def test_posting_posts_what_is_to_post_once(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    schedule = await make_schedule(
        client, admin, clinician="dr-rivera", location="main", room="room-1", capacity=2, mode="in_person"
    )
    first = await post_until(client, admin, schedule, day(2))
    assert (len(first["slot_ids"]), first["counts"], first["not_posted"]) == (4, {"posted": 4}, [])
    again = await post_until(client, admin, schedule, day(2))
    assert (again["slot_ids"], again["counts"]) == ([], {"posted": 4})
    more = await post_until(client, admin, schedule, day(3))
    assert (len(more["slot_ids"]), more["posted_until"]) == (2, day(3).isoformat())
    back = await post_until(client, admin, schedule, day(1))
    assert back["posted_until"] == day(3).isoformat()
    slot = (await client.get(f"/consultation-slots/{first['slot_ids'][0]}")).json()
    begin = at(day(1), "09:00")
    assert datetime.fromisoformat(slot["starts_at"]) == begin
    assert (slot["mode"], slot["capacity"], slot["seats_free"], slot["time_zone"]) == ("in_person", 2, 2, ZONE)
    assert [slot[name]["slug"] for name in ("clinician", "location", "room")] == ["dr-rivera", "main", "room-1"]
    kept = {str(row["id"]): row for row in await everything(database, ConsultationSlot)}
    row = kept[slot["id"]]
    assert (row["local_date"], row["local_minute"], row["occurrence"]) == (day(1), 540, f"{day(1)}T09:00")
    actions = [entry["action"] for entry in await everything(database, AuditEntry)]
    assert (actions.count("slot.created"), actions.count("schedule.posted")) == (6, 2)
    assert (await client.get(f"/slot-schedules/{schedule['id']}", headers=admin)).json()["posted_until"] == str(day(3))


async def test_an_overlap_is_told_and_hinders_no_other_slot(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    other = await post_slot(
        client, admin, clinician="dr-rivera",
        starts_at=at(day(1), "08:00").isoformat(), ends_at=at(day(1), "09:10").isoformat(),
    )  # fmt: skip
    why = {"reason": "Two families at once."}
    await post_slot(
        client, admin, clinician="dr-rivera", allow_overlap=why,
        starts_at=at(day(1), "09:30").isoformat(), ends_at=at(day(1), "10:00").isoformat(),
    )  # fmt: skip
    in_the_room = await post_slot(
        client, admin, clinician="dr-wu", location="main", room="room-1",
        starts_at=at(day(2), "09:59").isoformat(), ends_at=at(day(2), "10:30").isoformat(),
    )  # fmt: skip
    schedule = await make_schedule(client, admin, clinician="dr-rivera", location="main", room="room-1")
    posted = await post_until(client, admin, schedule, day(2))
    assert (len(posted["slot_ids"]), posted["counts"]) == (2, {"posted": 2, "overlaps": 2})
    assert [(each["occurrence"], each["overlaps_with"]) for each in posted["not_posted"]] == [
        (f"{day(1)}T09:00", other["id"]),
        (f"{day(2)}T09:30", in_the_room["id"]),
    ]
    assert await counts(database, ConsultationSlot) == [5]


async def test_a_slot_that_was_cancelled_is_not_posted_again(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    schedule = await make_schedule(client, admin)
    slot_id = (await post_until(client, admin, schedule, day(1)))["slot_ids"][0]
    await client.post(f"/consultation-slots/{slot_id}/cancel", headers=admin | {"If-Match": "*"})
    assert (await post_until(client, admin, schedule, day(1)))["slot_ids"] == []
    answer = await client.get(f"/slot-schedules/{schedule['id']}/occurrences?to={day(1)}", headers=admin)
    shown = [(each["slot_id"] == slot_id, each["slot_status"]) for each in answer.json()["items"]]
    assert shown == [(True, "cancelled"), (False, "open")]


async def test_a_slot_that_was_moved_is_shown_where_it_is(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    schedule = await make_schedule(client, admin)
    slot_id = (await post_until(client, admin, schedule, day(1)))["slot_ids"][0]
    times = {"starts_at": f"{day(2)}T15:00:00Z", "ends_at": f"{day(2)}T15:45:00Z"}
    moved = await client.patch(f"/consultation-slots/{slot_id}", json=times, headers=admin | {"If-Match": "*"})
    assert moved.status_code == 200
    answer = await client.get(f"/slot-schedules/{schedule['id']}/occurrences?to={day(1)}", headers=admin)
    shown = answer.json()["items"][0]
    assert (shown["occurrence"], shown["slot_id"]) == (f"{day(1)}T09:00", slot_id)
    assert {name: shown[name] for name in times} == times


async def test_what_has_begun_is_past(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    schedule = await make_schedule(
        client, admin, valid_from=LONG_AGO, session_starts="00:00", session_ends="24:00", length_minutes=720
    )
    states = await occurrences(client, admin, schedule, f"from={day(-1)}&to={day(1)}")
    assert [states[f"{day(-1)}T{begin}"] for begin in ("00:00", "12:00")] == ["past", "past"]
    assert [states[f"{day(1)}T{begin}"] for begin in ("00:00", "12:00")] == ["to_post", "to_post"]
    posted = await post_until(client, admin, schedule, day(1))
    assert {each["state"] for each in posted["not_posted"]} == set()


async def test_added_and_left_out_days(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    begin = date(2031, 1, 1)
    schedule = await make_schedule(
        client, admin, rrule="FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", length_minutes=60, valid_from=begin,
        exdates=["2031-02-28", "2031-05-30"], rdates=["2031-03-01", "2031-02-28"],
    )  # fmt: skip
    states = await occurrences(client, admin, schedule, "from=2031-01-01&to=2031-12-31")
    assert list(states) == [f"{on}T09:00" for on in ("2031-01-31", "2031-03-01", "2031-03-28")]


async def test_too_much_at_once_is_refused(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    schedule = await make_schedule(client, admin, session_starts="00:00", session_ends="24:00", length_minutes=5)
    address = f"/slot-schedules/{schedule['id']}"
    for answer, where, code in (
        (await client.get(f"{address}/occurrences?to={day(20)}", headers=admin), "to", "too_many_occurrences"),
        (await client.get(f"{address}/occurrences?to={day(500)}", headers=admin), "to", "too_far"),
        (await client.get(f"{address}/occurrences?to={day(0)}", headers=admin), "to", "end_before_start"),
        (
            await client.post(f"{address}/post", json={"until": str(day(20))}, headers=admin),
            "/until",
            "too_many_occurrences",
        ),
        (await client.post(f"{address}/post", json={"until": str(day(500))}, headers=admin), "/until", "too_far"),
        (await client.post(f"{address}/post", json={"until": str(day(-1))}, headers=admin), "/until", "in_the_past"),
    ):
        assert answer.status_code == 422
        (fault,) = answer.json()["errors"]
        assert (fault.get("parameter") or fault["pointer"], fault["code"]) == (where, code)


async def test_an_ended_schedule_keeps_its_slots_and_makes_no_more(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin)
    slot_id = (await post_until(client, admin, schedule, day(1)))["slot_ids"][0]
    booking = await book(client, slot_id)
    address = f"/slot-schedules/{schedule['id']}"
    assert refusal(await client.post(f"{address}/end", headers=admin)) == (428, "version-needed")
    stale = await client.post(f"{address}/end", headers=admin | {"If-Match": '"7"'})
    assert refusal(stale) == (412, "version-stale")
    for _ in range(2):
        ended = await client.post(f"{address}/end", headers=admin | {"If-Match": '"1"'})
        assert (ended.json()["status"], ended.json()["version"]) == ("ended", 2)
    assert refusal(await client.post(f"{address}/post", json={"until": str(day(2))}, headers=admin)) == (
        409, "schedule-ended",
    )  # fmt: skip
    put = await client.put(address, json=schedule_wish(), headers=admin | {"If-Match": "*"})
    assert refusal(put) == (409, "schedule-ended")
    assert booking["state"] == "booked"
    assert {row["status"] for row in await everything(database, ConsultationSlot)} == {"open"}
    assert len(await everything(database, AuditEntry, AuditEntry.action == "schedule.ended")) == 1


async def test_a_schedule_that_is_not_there(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    address = "/slot-schedules/01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"
    anything = admin | {"If-Match": "*"}
    for answer in (
        await client.get(address, headers=admin),
        await client.get(f"{address}/occurrences", headers=admin),
        await client.post(f"{address}/post", json={"until": str(day(1))}, headers=admin),
        await client.post(f"{address}/end", headers=anything),
        await client.put(address, json=schedule_wish(), headers=anything),
    ):
        assert refusal(answer) == (404, "schedule-not-found")
