"""A month of free slots: the days are those of a wall clock, and the sums are those of the list."""

import calendar
import random
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from app.consultations import slot_calendar
from app.consultations.local_days import span_of
from app.consultations.slot_filters import SlotFilter
from app.content import slugs
from app.content.editorial_tables import Subject
from app.core import clock
from app.core.db import Database, rows
from tests.plans import explain, reads_all_slots
from tests.rows import make_slot
from tests.slot_samples import CONDITION, SIBLING, ZONES, Sample, furnish, soonest_first
from tests.test_slot_search import walked, wishes
from tests.wishes import book, refusal

# A month in which Berlin and New York turn their clocks, years from now: nothing of it is in the past.
MONTH, FIRST = "2032-03", date(2032, 3, 1)

# A query, the parameter that is named, and the word for what is wrong with it.
BAD = {
    ("", "month", "missing"),
    ("month=2032-13", "month", "string_pattern_mismatch"),
    ("month=1999-12", "month", "string_pattern_mismatch"),
    ("month=2032-03-01", "month", "string_pattern_mismatch"),
    ("month=2032-03&time_zone=Berlin", "time_zone", "time_zone"),
    ("month=2032-03&clinician=dr-nobody", "clinician", "unknown_reference"),
    ("month=2032-03&condition=no-condition", "condition", "unknown_reference"),
    ("month=2032-03&status=open", "status", "extra_forbidden"),
    ("month=2032-03&first_available=mode", "first_available", "extra_forbidden"),
}


async def month_of(client: httpx.AsyncClient, month: str = MONTH, **wanted: Any) -> dict[str, Any]:
    """The days of a month by their names."""
    answer = await client.get("/consultation-slots/calendar", params=wanted | {"month": month})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["month"], told.get("time_zone")) == (month, wanted.get("time_zone"))
    year, number = map(int, month.split("-"))
    days = [f"{month}-{day:02}" for day in range(1, calendar.monthrange(year, number)[1] + 1)]
    assert [day["day"] for day in told["days"]] == days
    return {day.pop("day"): day for day in told["days"]}


def plain(samples: list[Sample], month: str, zone: str | None) -> dict[str, Any]:
    """The same by a look at each slot; days without any are left out."""
    days: dict[str, Any] = {}
    for sample in soonest_first(samples):
        day = str((sample.starts_at.astimezone(ZoneInfo(zone)) if zone else sample.local).date())
        if not sample.is_open or not day.startswith(month):
            continue
        told = days.setdefault(day, {"slots": 0, "free": 0})
        told["slots"] += 1
        if sample.is_free:
            told["free"] += 1
            told.setdefault("first_free_at", sample.starts_at.isoformat().replace("+00:00", "Z"))
    return days


async def test_a_month_is_what_a_plain_look_at_each_slot_finds(client: httpx.AsyncClient, database: Database) -> None:
    samples = await furnish(database, 11, slots=400, first=FIRST - timedelta(days=3), days=37)
    chance = random.Random(12)
    for zone in (None, *ZONES):
        for wanted in [{}, wishes(chance), wishes(chance)]:
            found = [sample for sample in samples if sample.matches(wanted)]
            told = await month_of(client, **wanted, **({"time_zone": zone} if zone else {}))
            assert {day: each for day, each in told.items() if each["slots"]} == plain(found, MONTH, zone)
            assert all(each == {"slots": 0, "free": 0} for each in told.values() if not each["slots"])


async def test_what_is_free_is_what_the_list_shows(client: httpx.AsyncClient, database: Database) -> None:
    await furnish(database, 13, slots=200, first=FIRST + timedelta(days=2), days=25)
    for wanted in ({}, {"condition": CONDITION}, {"weekday": "friday", "time_from": "12:00"}):
        days = await month_of(client, **wanted)
        listed = await walked(client, wanted)
        assert sum(day["free"] for day in days.values()) == len(listed) > 0
        first = min(day["first_free_at"] for day in days.values() if day["free"])
        assert first == (await client.get(f"/consultation-slots/{listed[0]}")).json()["starts_at"]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        # The clock is turned on, and back; at midnight too; and by half an hour.
        ("Europe/Berlin", date(2030, 3, 31), 23),
        ("Europe/Berlin", date(2030, 10, 27), 25),
        ("Africa/Cairo", date(2030, 4, 26), 23),
        ("Australia/Lord_Howe", date(2030, 4, 7), 24.5),
        ("Pacific/Kiritimati", date(2030, 6, 30), 24),
    ],
)
async def test_a_day_is_as_long_as_it_is_there(
    client: httpx.AsyncClient, database: Database, zone: str, day: date, hours: float
) -> None:
    begin, end = (
        datetime(each.year, each.month, each.day, tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo("UTC"))
        for each in (day, day + timedelta(days=1))
    )
    assert (end - begin).total_seconds() == 3_600 * hours
    for moment in (begin - timedelta(minutes=1), begin, end - timedelta(minutes=1), end):
        for in_zone in (zone, "UTC"):
            length = timedelta(minutes=1)
            await make_slot(database, starts_at=moment, ends_at=moment + length, time_zone=in_zone, mode="video")
    told = (await month_of(client, f"{day:%Y-%m}", time_zone=zone))[str(day)]
    assert (told["slots"], told["first_free_at"]) == (4, begin.isoformat().replace("+00:00", "Z"))
    own = await month_of(client, f"{day:%Y-%m}", time_from="00:00", time_to="24:00")
    assert own[str(day)]["slots"] >= 2


async def test_an_empty_month_has_all_its_days(client: httpx.AsyncClient) -> None:
    for month in ("2028-02", "2000-01", "2079-12"):
        assert all(day == {"slots": 0, "free": 0} for day in (await month_of(client, month)).values())


async def test_what_is_full_closed_or_over_is_not_free(client: httpx.AsyncClient, database: Database) -> None:
    now = clock.now().replace(microsecond=0)
    begin = (now + timedelta(days=40)).replace(hour=12)
    full = await make_slot(database, starts_at=begin, ends_at=begin + timedelta(hours=1))
    for status in ("closed", "cancelled"):
        await make_slot(database, starts_at=begin, ends_at=begin + timedelta(hours=1), status=status)
    await make_slot(database, starts_at=now - timedelta(hours=1), ends_at=now)
    month, day = f"{begin:%Y-%m}", f"{begin:%Y-%m-%d}"
    assert (await month_of(client, month))[day] == {
        "slots": 1,
        "free": 1,
        "first_free_at": begin.isoformat().replace("+00:00", "Z"),
    }
    await book(client, str(full))
    assert (await month_of(client, month))[day] == {"slots": 1, "free": 0}
    before = await month_of(client, f"{now - timedelta(hours=1):%Y-%m}")
    assert before[f"{now - timedelta(hours=1):%Y-%m-%d}"] == {"slots": 0, "free": 0}


async def test_a_month_is_fresh_and_conditional(client: httpx.AsyncClient, database: Database) -> None:
    begin = (clock.now() + timedelta(days=40)).replace(microsecond=0)
    slot_id = await make_slot(database, starts_at=begin, ends_at=begin + timedelta(hours=1))
    address = f"/consultation-slots/calendar?month={begin:%Y-%m}"
    first = await client.get(address)
    assert first.headers["cache-control"] == "no-cache"
    tag = {"If-None-Match": first.headers["etag"]}
    assert (await client.get(address, headers=tag)).status_code == 304
    # The process's own write is seen at once.
    await book(client, str(slot_id))
    assert (await client.get(address, headers=tag)).status_code == 200


async def test_a_former_slug_shows_the_same_month(client: httpx.AsyncClient, database: Database) -> None:
    await furnish(database, 14, slots=60, first=FIRST, days=20)
    before = await month_of(client, condition=SIBLING)
    async with database.write() as session:
        await slugs.rename(session, Subject.CONDITION, SIBLING, "renamed-sibling", by="test")
    assert await month_of(client, condition=SIBLING) == before
    assert any(day["free"] for day in before.values())


async def test_what_cannot_be_shown_is_refused_by_name(client: httpx.AsyncClient) -> None:
    told = set()
    for query, _, _ in BAD:
        answer = await client.get(f"/consultation-slots/calendar?{query}")
        assert refusal(answer) == (422, "invalid-input"), query
        (fault,) = answer.json()["errors"]
        told.add((query, fault["parameter"], fault["code"]))
    assert told == BAD


@pytest.mark.parametrize("wanted", [SlotFilter(), SlotFilter(condition=CONDITION), SlotFilter(clinician="dr-a")])
async def test_a_month_is_found_by_an_index(database: Database, wanted: SlotFilter) -> None:
    # A month is little of it: a planner reads all of a table of which it needs much.
    await furnish(database, 15, slots=3_000, first=clock.now().date(), days=9_000)
    month = clock.now().date().replace(day=1) + timedelta(days=100)
    values = wanted.values() | {"min_notice": 0} | span_of(month, month + timedelta(days=27))
    query = slot_calendar.counts(frozenset(wanted.values()), in_zone=False)
    async with database.looking.connect() as connection:
        if database.writer is None:
            async with database.writing.begin() as writing:
                await writing.exec_driver_sql("ANALYZE")
        plan = [str(row[-1]) for row in await rows(connection, explain(query), values)]
    assert any("ix_consultation_slots_" in step for step in plan), plan
    assert not [step for step in plan if reads_all_slots(step)], plan
