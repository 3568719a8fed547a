"""What a subscribed calendar shows, and when it is another."""

from datetime import datetime, timedelta

import httpx
import pytest
from sqlmodel import col

from app.consultations.tables import BookingState, Clinician, ConsultationBooking
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from tests import calendars
from tests.lives import put_ended, row_of
from tests.rows import change_slot, everything, make_slot, new_booking, new_slot, run
from tests.subscriptions import entries, make_feed, open_places, post_at_main, span, subscribe, titles
from tests.wishes import PATIENT, act, book, hold

WORD = "Zqplanted"


async def test_an_entry_tells_when_where_and_which_and_nothing_of_the_patient(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_places(client, admin)
    slot = await post_at_main(client, admin, condition="acute-lymphoblastic-leukemia")
    patient = PATIENT | {"name": f"{WORD} Patient", "email": f"{WORD}@example.com"}
    booking = await book(client, slot["id"], patient=patient, reason=f"{WORD} reason")
    feed = await make_feed(client, admin)
    calendar = await subscribe(client, feed)
    (entry,) = calendar.walk("VEVENT")
    assert span(entry) == tuple(datetime.fromisoformat(slot[name]) for name in ("starts_at", "ends_at"))
    row = await row_of(database, booking)
    told = {name: str(entry[name]) for name in ("UID", "SEQUENCE", "STATUS", "CLASS", "LOCATION", "DESCRIPTION")}
    assert told == {
        "UID": str(row["id"]),
        "SEQUENCE": "0",
        "STATUS": "CONFIRMED",
        "CLASS": "PRIVATE",
        "LOCATION": "Main; East, B, Room 4",
        "DESCRIPTION": f"Reference: {booking['reference']}",
    }
    assert entry["DTSTAMP"].dt == row["created_at"].replace(microsecond=0)
    assert (str(calendar["NAME"]), str(calendar["X-WR-CALNAME"])) == ("Consultations: Dr. Wu",) * 2
    assert {str(calendar[name].to_ical().decode()) for name in ("REFRESH-INTERVAL", "X-PUBLISHED-TTL")} == {"PT15M"}
    assert calendar["REFRESH-INTERVAL"].params == {"VALUE": "DURATION"}
    assert "METHOD" not in calendar
    content = (await client.get(feed["url"])).content
    calendars.read(content)
    plain = content.replace(b"\r\n ", b"").decode().casefold()
    for word in (WORD, booking["token"], "leukemia", PATIENT["phone"], row["secret_hash"].hex()):
        assert word.casefold() not in plain


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Etc/UTC"])
async def test_its_times_hold_over_every_turn_of_the_clock(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, zone: str
) -> None:
    await open_places(client, admin)
    (clinician,) = await everything(database, Clinician, col(Clinician.slug) == "dr-wu")
    # At every hour of the day, on 288 days.
    first = clock.now().replace(minute=30, second=0, microsecond=0)
    spans, statements = [], []
    for hours in range(0, 300 * 24, 25):
        begin = first + timedelta(hours=hours)
        spans.append((begin, begin + timedelta(minutes=45)))
        slot_id, times = new_id(), {"starts_at": begin, "ends_at": spans[-1][1], "time_zone": zone}
        statements += [new_slot(id=slot_id, clinician_id=clinician["id"], **times), new_booking(slot_id)]
    await run(database, *statements)
    calendar = await subscribe(client, await make_feed(client, admin))
    assert [span(entry) for entry in calendar.walk("VEVENT")] == spans
    definitions = calendar.walk("VTIMEZONE")
    assert [str(each["TZID"]) for each in definitions] == ([] if "UTC" in zone else [zone])


async def test_what_is_held_cancelled_or_expired_is_not_there_and_what_took_place_is(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_places(client, admin)
    held = await post_at_main(client, admin, days=1)
    await hold(client, held["id"])
    (clinician,) = await everything(database, Clinician, col(Clinician.slug) == "dr-wu")
    shown = []
    for days, state in enumerate((BookingState.FULFILLED, BookingState.NO_SHOW, BookingState.CANCELLED,
                                  BookingState.EXPIRED), 1):  # fmt: skip
        begin = clock.now() - timedelta(days=days)
        slot_id = await make_slot(
            database, starts_at=begin, ends_at=begin + timedelta(hours=1), clinician_id=clinician["id"]
        )
        booking = await put_ended(database, slot_id, state)
        if state in (BookingState.FULFILLED, BookingState.NO_SHOW):
            shown.append(f"Consultation {booking['reference']}, by phone")
    assert await titles(client, await make_feed(client, admin)) == shown[::-1]


async def test_a_booking_keeps_its_name_wherever_it_goes_and_the_tag_tells(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    await open_places(client, admin)
    old, new = [await post_at_main(client, admin, days=days) for days in (1, 2)]
    feed = await make_feed(client, admin)
    tags, seen = [], []

    async def look() -> None:
        first = await client.get(feed["url"])
        tags.append(first.headers["etag"])
        again = await client.get(feed["url"], headers={"If-None-Match": tags[-1]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tags[-1])
        for answer in (first, again):
            assert answer.headers["cache-control"] == "private, no-cache"
            assert (answer.headers["referrer-policy"], answer.headers["x-robots-tag"]) == ("no-referrer", "noindex")
        seen.append([(str(each["UID"]), int(each["SEQUENCE"]), span(each)[0]) for each in await entries(client, feed)])

    await look()
    booking = await book(client, old["id"])
    await look()
    assert (await act(client, booking, "reschedule", {"slot_id": new["id"]})).status_code == 200
    await look()
    assert (await act(client, booking, "cancel")).status_code == 200
    await look()
    ((uid, before, begin),), ((same, after, moved),) = seen[1:3]
    assert (uid, before, begin) == (same, 0, datetime.fromisoformat(old["starts_at"]))
    assert (after, moved) == (1, datetime.fromisoformat(new["starts_at"]))
    assert (seen[0], seen[3]) == ([], [])
    assert (tags[0], len(set(tags))) == (tags[3], 3)


async def test_a_group_is_one_entry_with_all_its_references(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_places(client, admin)
    slot = await post_at_main(client, admin, capacity=8)
    feed, booked = await make_feed(client, admin, location="main"), []
    for names in ("{0}", "{0}, {1}", "{0}, {1}, {2}", "{0}, {1}, {2} and 1 more", "{0}, {1}, {2} and 2 more"):
        booked.append((await book(client, slot["id"]))["reference"])
        (entry,) = await entries(client, feed)
        noun = "Consultation" if len(booked) == 1 else "Consultations"
        assert entry["SUMMARY"] == f"{noun} {names.format(*booked)} with Dr. Wu, in person"
        assert str(entry["DESCRIPTION"]).partition(": ")[2] == ", ".join(booked)
        assert (str(entry["UID"]), "SEQUENCE" in entry) == (slot["id"], False)
    stamps = [row["created_at"] for row in await everything(database, ConsultationBooking)]
    assert entry["DTSTAMP"].dt == max(stamps).replace(microsecond=0)
    # What the worker has laid aside is looked for no more.
    await run(database, change_slot(slot["id"], archived_at=clock.now()))
    assert await entries(client, feed) == []
