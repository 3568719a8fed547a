"""Slots by day, time of day, room and the rest, against a plain look at each of them; and the first of each."""

import random
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.consultations import first_available
from app.consultations.first_available import FirstAvailable
from app.consultations.slot_filters import SlotFilter
from app.content import slugs
from app.content.editorial_tables import Subject
from app.core import clock
from app.core.db import Database, rows
from tests.plans import explain, reads_all_slots
from tests.rows import make_slot
from tests.slot_samples import (
    CATEGORY,
    CLINICIANS,
    CONDITION,
    PLACES,
    SIBLING,
    STRANGE_CATEGORY,
    STRANGER,
    WEEK,
    Sample,
    furnish,
    soonest_first,
)
from tests.wishes import booking_wish, new_key

# A filter's name and value, and what is wrong: the parameter that is named, and the word.
BAD = {
    ("weekday=someday", "weekday", "enum"),
    ("weekday=1", "weekday", "enum"),
    ("time_from=8:00", "time_from", "string_pattern_mismatch"),
    ("time_from=24:00", "time_from", "string_pattern_mismatch"),
    ("time_to=24:01", "time_to", "string_pattern_mismatch"),
    ("time_from=10:00&time_to=10:00", "time_to", "end_before_start"),
    ("time_from=10:00&time_to=09:59", "time_to", "end_before_start"),
    ("first_available=room", "first_available", "enum"),
    ("first_available=mode&status=open", "first_available", "one_of_two"),
    ("room=one", "room", "location_missing"),
    ("room=nowhere&location=berlin", "room", "unknown_reference"),
    # It is a room of another place.
    ("room=two&location=kolkata", "room", "unknown_reference"),
}


def wishes(chance: random.Random) -> dict[str, Any]:
    """Some filters."""
    begin, end = sorted(chance.sample(range(25), 2))
    possible: dict[str, Any] = {
        "condition": chance.choice([CONDITION, SIBLING, STRANGER]),
        "category": chance.choice([CATEGORY, STRANGE_CATEGORY]),
        "clinician": chance.choice(CLINICIANS),
        "location": chance.choice([*PLACES]),
        "mode": chance.choice(["in_person", "video", "phone"]),
        "weekday": chance.sample(WEEK, chance.randint(1, 3)),
        "time_from": f"{min(begin, 23):02}:{chance.choice(('00', '30'))}",
        "time_to": f"{end:02}:00",
    }
    if possible["time_to"] <= possible["time_from"]:
        del possible["time_to"]
    wanted = {name: possible[name] for name in chance.sample([*possible], chance.randint(1, 2))}
    if wanted.get("location") == "berlin" and chance.random() < 0.5:
        wanted["room"] = chance.choice(["one", "two"])
    return wanted


async def walked(client: httpx.AsyncClient, wanted: dict[str, Any], *, limit: int = 40) -> list[str]:
    """The ids of what these filters find, page by page."""
    found: list[str] = []
    answer = await client.get("/consultation-slots", params=wanted | {"limit": limit})
    while True:
        assert answer.status_code == 200, answer.text
        found += [slot["id"] for slot in answer.json()["items"]]
        if "next" not in answer.json():
            return found
        answer = await client.get(answer.json()["next"])


async def test_each_filter_finds_what_a_plain_look_finds(client: httpx.AsyncClient, database: Database) -> None:
    samples = await furnish(database, 1, slots=300, first=clock.now().date() + timedelta(days=2), days=40)
    chance = random.Random(2)
    sizes = set()
    alone: list[dict[str, Any]] = [
        {"weekday": ["sunday"]},
        {"weekday": ["monday", "monday"]},
        {"weekday": [*WEEK]},
        {"time_from": "18:30"},
        {"time_to": "06:00"},
        {"time_from": "23:00", "time_to": "24:00"},
        {"location": "berlin", "room": "one"},
        {"location": "kolkata", "room": "one"},
    ]
    for wanted in [*alone, *(wishes(chance) for _ in range(40))]:
        expected = [sample.id for sample in soonest_first(samples) if sample.is_free and sample.matches(wanted)]
        assert await walked(client, wanted) == expected, wanted
        sizes.add(len(expected))
    assert len(sizes) > 10


def firsts(samples: list[Sample], of: str) -> list[str]:
    """The soonest of each."""
    found: dict[Any, str] = {}
    for sample in soonest_first(samples):
        party = sample.row["mode"] if of == "mode" else getattr(sample, of)
        if sample.is_free and party is not None:
            found.setdefault(party, sample.id)
    return list(found.values())


async def test_the_first_of_each_is_the_first_of_its_list(client: httpx.AsyncClient, database: Database) -> None:
    samples = await furnish(database, 3, slots=300, first=clock.now().date() - timedelta(days=3), days=25)
    chance = random.Random(4)
    for of in FirstAvailable:
        assert len(firsts(samples, of)) >= 3
        for wanted in [{}, *(wishes(chance) for _ in range(8))]:
            expected = firsts([sample for sample in samples if sample.matches(wanted)], of)
            assert await walked(client, wanted | {"first_available": of}) == expected, (of, wanted)
            assert await walked(client, wanted | {"first_available": of}, limit=1) == expected, (of, wanted)


async def test_a_first_slot_can_be_booked_and_then_the_next_is_the_first(
    client: httpx.AsyncClient, database: Database
) -> None:
    await furnish(database, 5, slots=60, first=clock.now().date() + timedelta(days=1), days=10)
    seen = []
    for _ in range(4):
        (first, *_) = (await client.get("/consultation-slots?first_available=mode")).json()["items"]
        for _ in range(first["seats_free"]):
            answer = await client.post("/consultation-bookings", json=booking_wish(first["id"]), headers=new_key())
            assert answer.status_code == 201, answer.text
        seen.append((first["starts_at"], first["id"]))
    assert seen == sorted(set(seen))


async def test_the_clock_of_the_zone_decides(client: httpx.AsyncClient, database: Database) -> None:
    # One moment: Sunday evening, Monday 22:30 and Monday 01:30.
    moment = clock.now().replace(year=2031, month=1, day=6, hour=11, minute=30, second=0, microsecond=0)
    apia = await make_slot(database, starts_at=moment, ends_at=moment + timedelta(hours=1), time_zone="Pacific/Apia")
    pago = await make_slot(
        database, starts_at=moment, ends_at=moment + timedelta(hours=1), time_zone="Pacific/Pago_Pago"
    )
    assert await walked(client, {"weekday": "tuesday", "time_to": "00:31"}) == [str(apia)]
    assert await walked(client, {"weekday": "monday", "time_from": "00:30", "time_to": "00:31"}) == [str(pago)]


async def test_a_turned_clock_shows_an_hour_twice_and_both_are_found(
    client: httpx.AsyncClient, database: Database
) -> None:
    # 02:30 in Berlin, before and after the clock is turned back on 2030-10-27.
    ids = []
    for hour in (0, 1):
        moment = clock.now().replace(year=2030, month=10, day=27, hour=hour, minute=30, second=0, microsecond=0)
        ids.append(
            await make_slot(
                database, starts_at=moment, ends_at=moment + timedelta(minutes=30), time_zone="Europe/Berlin"
            )
        )
    wanted = {"weekday": "sunday", "time_from": "02:30", "time_to": "02:31"}
    assert await walked(client, wanted) == [str(each) for each in ids]


async def test_what_cannot_be_looked_for_is_refused_by_name(client: httpx.AsyncClient, database: Database) -> None:
    await furnish(database, 6, slots=1, first=clock.now().date() + timedelta(days=1), days=1)
    told = set()
    for query, _, _ in BAD:
        answer = await client.get(f"/consultation-slots?{query}")
        assert answer.status_code == 422, (query, answer.text)
        (fault,) = answer.json()["errors"]
        told.add((query, fault["parameter"], fault["code"]))
    assert told == BAD


@pytest.mark.parametrize("of", [*FirstAvailable, None])
async def test_a_former_slug_finds_the_same(
    client: httpx.AsyncClient, database: Database, of: FirstAvailable | None
) -> None:
    await furnish(database, 7, slots=80, first=clock.now().date() + timedelta(days=1), days=10)
    wanted = {"condition": SIBLING} | ({"first_available": of} if of else {})
    before = await walked(client, wanted)
    assert before
    async with database.write() as session:
        await slugs.rename(session, Subject.CONDITION, SIBLING, "renamed-sibling", by="test")
    assert await walked(client, wanted) == before


async def test_the_first_ones_are_found_by_an_index(database: Database) -> None:
    await furnish(database, 8, slots=2_000, first=clock.now().date() + timedelta(days=1), days=60)
    if database.writer is None:
        async with database.writing.begin() as writing:
            await writing.exec_driver_sql("ANALYZE")
    for of in FirstAvailable:
        index = f"ix_consultation_slots_{of if of is FirstAvailable.MODE else f'{of}_id'}"
        for wanted in (SlotFilter(), SlotFilter(condition=CONDITION), SlotFilter(weekdays=(1,))):
            values = wanted.values() | {"min_notice": 0, "limit": 20}
            query = first_available.listing(of, frozenset(wanted.values()))
            async with database.looking.connect() as connection:
                plan = [str(row[-1]) for row in await rows(connection, explain(query), values)]
            assert any(index in step for step in plan), plan
            assert not [step for step in plan if reads_all_slots(step)], plan
