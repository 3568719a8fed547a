"""A booking as a calendar file, by its own door, read by somebody else's program."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.access.tables import AuditEntry
from app.core.db import Database
from tests import calendars
from tests.lives import row_of, run_out
from tests.rows import counts
from tests.wishes import PATIENT, act, bearer, book, confirmation, hold, post_slot

CONDITION, CATEGORY = "acute-lymphoblastic-leukemia", "hematologic-malignancies"
ZONES = ("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")


async def fetch(
    client: httpx.AsyncClient, booking: dict[str, Any], headers: dict[str, str] | None = None
) -> httpx.Response:
    """The calendar file of a booking; as its holder, unless these are somebody else's headers."""
    address = f"/consultation-bookings/{booking['reference']}/calendar.ics"
    return await client.get(address, headers=headers or bearer(booking))


async def entry(client: httpx.AsyncClient, booking: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    """What a calendar makes of it, and that the file, its type and its lines are as they have to be."""
    answer = await fetch(client, booking, headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="consultation.ics"'
    assert {len(line) <= 75 and b"\n" not in line for line in answer.content.split(b"\r\n")} == {True}
    calendar = calendars.read(answer.content)
    kind, *parameters = answer.headers["content-type"].split("; ")
    assert (kind, set(parameters)) == ("text/calendar", {"charset=utf-8", f"method={calendar.method.value}"})
    return calendar


def told(calendar: Any) -> tuple[str, str, int, str]:
    """Method, status, sequence and the summary's first word."""
    event = calendar.vevent
    return (
        calendar.method.value,
        event.status.value,
        int(event.sequence.value),
        event.summary.value.split()[0],
    )


async def test_it_holds_when_where_with_whom_and_what_to_bring(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await client.post("/clinicians", json={"slug": "dr-wu", "name": "Dr. Wu"}, headers=admin)
    await client.post(
        "/locations", json={"slug": "main", "name": "Main, B", "time_zone": "Europe/Berlin"}, headers=admin
    )
    slot = await post_slot(client, admin, condition=CONDITION, clinician="dr-wu", location="main", mode="in_person")
    booking = await book(client, slot["id"])
    event = (await entry(client, booking)).vevent
    assert event.uid.value == str((await row_of(database, booking))["id"])
    assert (event.summary.value, event.location.value) == ("Consultation with Dr. Wu", "Main, B")
    description = event.description.value
    assert booking["reference"] in description
    bring = booking["condition"]["what_to_bring"]
    assert bring["text"] in description
    assert [item for item in bring["items"] if f"- {item}" not in description.split("\n")] == []
    assert len(bring["items"]) > 1


@pytest.mark.parametrize("topic", [{"condition": CONDITION}, {"category": CATEGORY}])
async def test_it_names_no_diagnosis_and_nobody(
    client: httpx.AsyncClient, admin: dict[str, str], topic: dict[str, str]
) -> None:
    slot = await post_slot(client, admin, **topic)
    booking = await book(client, slot["id"], condition=CONDITION)
    content = (await fetch(client, booking)).content.replace(b"\r\n ", b"").decode()
    for word in (CONDITION, CATEGORY, "leukemia", "hematologic", "malignanc", *PATIENT.values(), "synthetic reason"):
        assert word.casefold() not in content.casefold()
    assert booking["token"] not in content
    assert "CLASS:PRIVATE" in content


@pytest.mark.parametrize("zone", ZONES)
async def test_its_times_are_the_slots_in_the_slots_zone(
    client: httpx.AsyncClient, admin: dict[str, str], zone: str
) -> None:
    for starts_at, ends_at in (("2031-01-15T09:00:00Z", "2031-01-15T09:30:00Z"),
                               ("2031-07-15T09:00:00Z", "2031-07-15T09:30:00Z")):  # fmt: skip
        slot = await post_slot(client, admin, starts_at=starts_at, ends_at=ends_at, time_zone=zone)
        content = (await fetch(client, await book(client, slot["id"]))).content
        assert calendars.instants(content) == [datetime.fromisoformat(at) for at in (starts_at, ends_at)]
        assert (f"TZID:{zone}".encode() in content) == (zone != "UTC")
        assert (b"BEGIN:VTIMEZONE" in content) == (zone != "UTC")


async def test_it_keeps_its_name_and_its_sequence_rises_with_each_change(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    old, new = [await post_slot(client, admin, days=days) for days in (1, 2)]
    booking = await hold(client, old["id"])
    steps = (
        (None, None, ("PUBLISH", "TENTATIVE", 0, "Consultation")),
        ("confirm", confirmation(), ("PUBLISH", "CONFIRMED", 1, "Consultation")),
        ("reschedule", {"slot_id": new["id"]}, ("PUBLISH", "CONFIRMED", 2, "Consultation")),
        ("cancel", None, ("CANCEL", "CANCELLED", 3, "Cancelled:")),
    )
    uids, stamps = set(), []
    for action, wish, expected in steps:
        if action is not None:
            assert (await act(client, booking, action, wish)).status_code == 200
        calendar = await entry(client, booking)
        assert told(calendar) == expected
        uids.add(calendar.vevent.uid.value)
        stamps.append(calendar.vevent.dtstamp.value)
        moved = new if expected[2] >= 2 else old
        begin = calendar.vevent.dtstart.value.astimezone(UTC)
        assert begin == datetime.fromisoformat(moved["starts_at"])
    assert len(uids) == 1
    assert stamps == sorted(stamps)


async def test_a_slot_that_is_cancelled_takes_its_entries_back(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    slot = await post_slot(client, admin)
    booking = await book(client, slot["id"])
    await client.post(f"/consultation-slots/{slot['id']}/cancel", headers=admin | {"If-Match": "*"})
    assert told(await entry(client, booking)) == ("CANCEL", "CANCELLED", 1, "Cancelled:")


async def test_a_hold_that_is_over_takes_its_entry_back_although_nobody_tidies_up(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    booking = await hold(client, slot["id"])
    before = told(await entry(client, booking))
    await run_out(database, booking)
    after = told(await entry(client, booking))
    assert (before[:2], after[:2]) == (("PUBLISH", "TENTATIVE"), ("CANCEL", "CANCELLED"))
    # One for the step by hand that let it run out, one for its end.
    assert after[2] == before[2] + 2
    # What the next one who wants the seat makes of it is the same to a calendar.
    await book(client, slot["id"])
    assert told(await entry(client, booking)) == after


async def test_it_is_read_again_only_when_it_changed(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    before = await counts(database, AuditEntry)
    first = await fetch(client, booking)
    tag = first.headers["etag"]
    assert tag.startswith('"1-')
    assert first.headers["cache-control"] == "no-store"
    again = await fetch(client, booking, bearer(booking) | {"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    # It holds nothing of the patient, so a look at it is no look at the patient.
    assert await counts(database, AuditEntry) == before
    await act(client, booking, "cancel")
    changed = await fetch(client, booking, bearer(booking) | {"If-None-Match": tag})
    assert (changed.status_code, changed.headers["etag"][:3]) == (200, '"2-')


async def test_staff_read_it_too(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    assert (await fetch(client, booking, admin)).content == (await fetch(client, booking)).content
