"""The time zone in a calendar file: whoever reads it finds the same instants."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest

from app.interop.calendar_file import calendar_file
from tests.calendars import EVENT, at, instants, observances, onsets, read, span, strictly

# Ordinary ones on both halves of the globe, half hours, quarters, and those whose winter is the exception by law.
ZONES = (
    "Africa/Casablanca",
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Chatham",
)


def changes_of(zone: ZoneInfo, year: int) -> list[datetime]:
    """The hours of a year after which this zone has another offset."""
    hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(365 * 24)]
    offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
    return [hour for hour, now, later in zip(hours, offsets, offsets[1:], strict=False) if now != later]


@pytest.mark.parametrize("name", ZONES)
def test_the_zone_in_the_file_is_right_on_both_sides_of_every_change(name: str) -> None:
    zone = ZoneInfo(name)
    for change in changes_of(zone, 2027) or [EVENT.starts_at]:
        for minutes in (-36 * 60, -90, -60, -30, -1, 0, 1, 30, 60, 90, 36 * 60):
            event = at(change + timedelta(minutes=minutes), time_zone=name)
            content = calendar_file(event)
            assert instants(content) == [event.starts_at, event.ends_at]
            if b"BEGIN:VTIMEZONE" in content:
                said = read(content).vevent
                walls = [time.value.replace(tzinfo=None) for time in (said.dtstart, said.dtend)]
                assert [strictly(content, wall) for wall in walls] == [event.starts_at, event.ends_at]
                # And by the zone's name, for readers that have a database of their own.
                assert [wall.replace(tzinfo=zone).astimezone(UTC) for wall in walls] == [event.starts_at, event.ends_at]


def test_every_zone_that_a_slot_may_have_can_be_said() -> None:
    for name in (files("tzdata") / "zones").read_text().split():
        event = replace(EVENT, time_zone=name)
        content = calendar_file(event)
        wall = read(content).vevent.dtstart.value.replace(tzinfo=None)
        if "BEGIN:VTIMEZONE" in content.decode():
            assert strictly(content, wall) == event.starts_at
        else:
            assert wall == event.starts_at.replace(tzinfo=None)


def test_a_zone_without_a_rule_is_told_change_by_change() -> None:
    # Morocco's clocks go back before Ramadan and forward after it; before that of 2030 they do so in December 2029.
    content = calendar_file(at(datetime(2026, 12, 1, tzinfo=UTC), time_zone="Africa/Casablanca"))
    assert b"RRULE" not in content
    years = [onset.year for onset, _ in onsets(content)]
    assert [years.count(year) for year in (2025, 2026, 2027, 2029, 2035)] == [2, 2, 2, 3, 2]


def test_a_zone_with_a_rule_is_told_by_its_rule() -> None:
    content = calendar_file(EVENT)
    assert [said["RRULE"] for said in observances(content)] == [
        "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3",
        "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10",
    ]
    assert [said["DTSTART"] for said in observances(content)] == ["20260329T020000", "20261025T030000"]


@pytest.mark.parametrize("name", ["Africa/Casablanca", "America/Santiago", "Asia/Gaza", "Europe/Berlin"])
def test_a_definition_is_good_for_later_files(name: str) -> None:
    first = calendar_file(replace(EVENT, time_zone=name))
    for days in range(1, 9 * 365, 30):
        later = EVENT.starts_at + timedelta(days=days)
        assert strictly(first, later.astimezone(ZoneInfo(name)).replace(tzinfo=None)) == later


@pytest.mark.parametrize("name", ["Europe/Berlin", "Europe/Dublin", "Africa/Casablanca", "Australia/Lord_Howe"])
def test_summer_time_is_the_larger_offset(name: str) -> None:
    content = calendar_file(replace(EVENT, time_zone=name))
    for said in observances(content):
        is_larger = span(said["TZOFFSETTO"]) > span(said["TZOFFSETFROM"])
        assert said["BEGIN"] == ("DAYLIGHT" if is_larger else "STANDARD")


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "GMT"])
def test_universal_time_needs_no_definition(name: str) -> None:
    content = calendar_file(replace(EVENT, time_zone=name))
    assert b"VTIMEZONE" not in content
    assert b"\r\nDTSTART:20270112T090000Z\r\n" in content


def test_the_hour_that_clocks_show_twice_is_unambiguous() -> None:
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    # 02:30 in Berlin, both of them.
    assert b"DTSTART;TZID=Europe/Berlin:20261025T023000" in calendar_file(
        replace(EVENT, starts_at=first, ends_at=first + timedelta(minutes=29))
    )
    assert b"DTSTART:20261025T013000Z" in calendar_file(at(second))
