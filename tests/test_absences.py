"""Absences and public holidays: schedules post nothing there, and what stands there already is told."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import httpx
import pytest

from app.access.tables import AuditEntry
from app.consultations import schedule_expansion, schedule_posting, schedules
from app.consultations.schedule_tables import Absence
from app.consultations.tables import ConsultationSlot
from app.core import clock
from app.core.db import Database
from tests.clinics import at, day, make_schedule, occurrences, open_clinic, post_until
from tests.rows import counts, everything
from tests.test_slot_change_races import waits
from tests.wishes import book, post_slot, refusal


def absence_wish(first: date, last: date, **changes: Any) -> dict[str, Any]:
    """Away from the first day's noon to the last day's."""
    wish = {
        "clinician": "dr-rivera",
        "starts_at": at(first, "12:00").isoformat(),
        "ends_at": at(last, "12:00").isoformat(),
    }
    return wish | changes


async def be_away(client: httpx.AsyncClient, admin: dict[str, str], first: date, last: date, **changes: Any) -> Any:
    """Write an absence down; what was answered."""
    answer = await client.post("/absences", json=absence_wish(first, last, **changes), headers=admin)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/absences/{answer.json()['id']}"
    return answer.json()


NOBODY: dict[str, tuple[dict[str, Any], str, str]] = {
    "of nobody": ({"clinician": None}, "/location", "one_of_two"),
    "of two": ({"location": "main"}, "/location", "one_of_two"),
    "of an unknown clinician": ({"clinician": "dr-nobody"}, "/clinician", "unknown_reference"),
    "of an unknown location": ({"clinician": None, "location": "nowhere"}, "/location", "unknown_reference"),
    "ends before it begins": ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at", "end_before_start"),
    "without offset": ({"starts_at": "2031-01-01T00:00:00"}, "/starts_at", "instant_without_offset"),
}


@pytest.mark.parametrize(("change", "pointer", "code"), NOBODY.values(), ids=NOBODY)
async def test_a_wrong_absence_is_refused(
    client: httpx.AsyncClient,
    admin: dict[str, str],
    database: Database,
    change: dict[str, Any],
    pointer: str,
    code: str,
) -> None:
    await open_clinic(client, admin)
    answer = await client.post("/absences", json=absence_wish(day(1), day(2), **change), headers=admin)
    assert refusal(answer) == (422, "invalid-input")
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert await counts(database, Absence) == [0]


async def test_nothing_is_posted_into_an_absence_until_it_is_deleted(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    mine = await make_schedule(client, admin, clinician="dr-rivera", session_starts="11:30", session_ends="12:30")
    theirs = await make_schedule(client, admin, clinician="dr-wu", session_starts="11:30", session_ends="12:30")
    away = await be_away(client, admin, day(1), day(2), note="Congress.")
    assert away["affected"] == {"slots": 0, "bookings": 0, "slot_ids": [], "booking_references": []}
    # To touch is not to overlap: up to 12:00, and from 12:00 on.
    assert await occurrences(client, admin, mine, f"to={day(2)}") == {
        f"{day(1)}T11:30": "to_post",
        f"{day(1)}T12:00": "excluded_by_absence",
        f"{day(2)}T11:30": "excluded_by_absence",
        f"{day(2)}T12:00": "to_post",
    }
    posted = await post_until(client, admin, mine, day(2))
    assert (len(posted["slot_ids"]), {each["absence_id"] for each in posted["not_posted"]}) == (2, {away["id"]})
    assert len((await post_until(client, admin, theirs, day(2)))["slot_ids"]) == 4
    gone = await client.delete(f"/absences/{away['id']}", headers=admin)
    assert (gone.status_code, gone.json()["note"]) == (200, "Congress.")
    assert refusal(await client.delete(f"/absences/{away['id']}", headers=admin)) == (404, "absence-not-found")
    assert refusal(await client.get(f"/absences/{away['id']}", headers=admin)) == (404, "absence-not-found")
    assert len((await post_until(client, admin, mine, day(2)))["slot_ids"]) == 2
    entries = [entry["action"] for entry in await everything(database, AuditEntry) if entry["subject"] == away["id"]]
    assert sorted(entries) == ["absence.created", "absence.deleted"]


async def test_a_location_that_is_closed(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await open_clinic(client, admin)
    there = await make_schedule(client, admin, location="main", length_minutes=60)
    elsewhere = await make_schedule(client, admin, length_minutes=60)
    await be_away(client, admin, day(1), day(2), clinician=None, location="main")
    for schedule, second in ((there, "excluded_by_absence"), (elsewhere, "to_post")):
        states = await occurrences(client, admin, schedule, f"to={day(2)}")
        assert list(states.values()) == ["to_post", second]


async def test_what_stands_in_an_absence_is_told_and_stays(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    schedule = await make_schedule(client, admin, clinician="dr-rivera", location="main", capacity=2)
    slot_ids = (await post_until(client, admin, schedule, day(2)))["slot_ids"]
    bookings = [await book(client, slot_ids[number]) for number in (2, 2, 3, 0)]
    await client.post(f"/consultation-slots/{slot_ids[3]}/cancel", headers=admin | {"If-Match": "*"})
    await post_slot(
        client, admin, clinician="dr-wu",
        starts_at=at(day(2), "09:00").isoformat(), ends_at=at(day(2), "10:00").isoformat(),
    )  # fmt: skip
    before = await everything(database, ConsultationSlot)
    for whose in ({}, {"clinician": None, "location": "main"}):
        away = await be_away(client, admin, day(1), day(2), **whose)
        assert away["affected"] == {
            "slots": 1,
            "bookings": 2,
            "slot_ids": [slot_ids[2]],
            "booking_references": [booking["reference"] for booking in bookings[:2]],
        }
        read = await client.get(f"/absences/{away['id']}", headers=admin)
        assert read.json() == away
    assert await everything(database, ConsultationSlot) == before


async def test_absences_are_listed_soonest_first(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await open_clinic(client, admin)
    late, soon, closed = [
        (await be_away(client, admin, day(first), day(first + 2), **whose))["id"]
        for first, whose in ((20, {}), (5, {}), (10, {"clinician": None, "location": "main"}))
    ]
    queries = {
        "": [soon, closed, late],
        "clinician=dr-rivera": [soon, late],
        "location=main": [closed],
        f"from={day(12)}T00:00:00Z": [closed, late],
        f"to={day(12)}T00:00:00Z": [soon, closed],
        f"from={day(8)}T00:00:00Z&to={day(9)}T00:00:00Z": [],
    }
    for query, found in queries.items():
        answer = await client.get(f"/absences?{query}", headers=admin)
        assert (query, [each["id"] for each in answer.json()["items"]]) == (query, found)
    first = (await client.get("/absences?limit=2", headers=admin)).json()
    second = (await client.get(first["next"], headers=admin)).json()
    assert [each["id"] for each in first["items"] + second["items"]] == [soon, closed, late]


async def test_public_holidays_are_left_out_where_the_location_says_whose(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    # Women's Day is a holiday in Berlin, and not in the rest of Germany; Labor Day is one everywhere there.
    await open_clinic(client, admin, holidays="DE-BE")
    schedule = await make_schedule(
        client, admin, location="main", rrule="FREQ=YEARLY;BYMONTH=3,5;BYMONTHDAY=1,8", length_minutes=60,
        valid_from="2031-01-01",
    )  # fmt: skip
    window = "from=2031-03-01&to=2031-05-31"
    answer = await client.get(f"/slot-schedules/{schedule['id']}/occurrences?{window}", headers=admin)
    shown = [(each["occurrence"][5:10], each["state"], each.get("holiday")) for each in answer.json()["items"]]
    assert shown == [
        ("03-01", "to_post", None),
        ("03-08", "excluded_by_holiday", "Women's Day"),
        ("05-01", "excluded_by_holiday", "Labor Day"),
        ("05-08", "to_post", None),
    ]
    for holidays, states in (("DE-BY", ["to_post", "excluded_by_holiday"]), (None, ["to_post", "to_post"])):
        changed = await client.patch("/locations/main", json={"holidays": holidays}, headers=admin | {"If-Match": "*"})
        assert changed.status_code == 200
        assert list((await occurrences(client, admin, schedule, window)).values())[1:3] == states


async def test_who_writes_an_absence_down_while_a_schedule_is_posted_sees_what_was_posted(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    for whose in ({}, {"clinician": None, "location": "main"}):
        schedule = await make_schedule(client, admin, clinician="dr-rivera", location="main", valid_from=day(2))
        async with database.write() as session:
            row = await schedules.lock(session, UUID(schedule["id"]))
            source = schedule_expansion.source_of(row, schedule_id=row.id)
            # From here on the absence would come too late to be seen, and nothing is written yet.
            await schedule_expansion.expand(session, source, first=day(0), last=day(2), now=clock.now(), steady=True)
            away = asyncio.create_task(be_away(client, admin, day(1), day(3), **whose))
            assert await waits(away)
            posted = await schedule_posting.post(session, row, first=day(0), until=day(2), by="api_key:synthetic")
        assert (await away)["affected"]["slots"] == len(posted.slot_ids) == 2
        await client.delete(f"/absences/{(await away)['id']}", headers=admin)
        for slot_id in posted.slot_ids:
            await client.post(f"/consultation-slots/{slot_id}/cancel", headers=admin | {"If-Match": "*"})
