"""Consultations as a calendar that programs subscribe to: iCalendar (RFC 5545) with the names of RFC 7986.

Its lines are written here: the calendar library takes a third of a millisecond an entry, and there can be thousands.
It has no METHOD: a subscription is no message but what is so now, and what is not in it any more is gone.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.interop.calendar_file import MODES, clean
from app.interop.calendar_zone import zone_definition

MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
# How often programs are asked to look; some look as they like.
REFRESH: Final = "PT15M"
# In an entry's title; all of them stand in its text.
_MOST_NAMED: Final = 3
_MOST_OCTETS: Final = 75


def calendar_feed(name: str, bookings: Sequence[Any], *, says_clinician: bool) -> bytes:
    """The calendar with this name; the same bytes for the same bookings, of which those of a slot are together.

    A slot is one entry. Where it has one seat only, the entry is the booking's own, as in its calendar file: it keeps
    its UID wherever the booking goes. A group's is the slot's, so that a group of twenty is no wall of twenty entries.
    """
    zones: dict[str, int] = {}
    entries: list[str] = []
    for _, group in groupby(bookings, lambda booking: booking.slot_id):
        entries += _entry(list(group), zones, says_clinician=says_clinician)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Carepath//Carepath//EN",
        f"NAME:{_text(name)}",
        # What programs knew before RFC 7986.
        f"X-WR-CALNAME:{_text(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}",
        f"X-PUBLISHED-TTL:{REFRESH}",
    ]
    head = b"".join(map(_folded, lines))
    definitions = b"".join(zone_definition(zone, year).to_ical() for zone, year in sorted(zones.items()))
    return head + definitions + b"".join(map(_folded, entries)) + b"END:VCALENDAR\r\n"


def _entry(group: list[Any], zones: dict[str, int], *, says_clinician: bool) -> Iterator[str]:
    slot = group[0]
    yield "BEGIN:VEVENT"
    if slot.capacity == 1:
        yield f"UID:{slot.booking_id}"
        yield f"SEQUENCE:{slot.version - 1}"
    else:
        yield f"UID:{slot.slot_id}"
    yield f"DTSTAMP:{_instant(max(booking.changed_at or booking.created_at for booking in group))}"
    yield from _times(slot, zones)
    yield "STATUS:CONFIRMED"
    # In a shared calendar others see that the time is taken, and no more.
    yield "CLASS:PRIVATE"
    references = [booking.reference for booking in group]
    yield f"SUMMARY:{_text(_summary(slot, references, says_clinician=says_clinician))}"
    noun, all_of_them = "Reference" if len(references) == 1 else "References", ", ".join(references)
    yield f"DESCRIPTION:{_text(f'{noun}: {all_of_them}')}"
    place = [name for name in (slot.location_name, slot.room_name) if name is not None]
    if place:
        yield f"LOCATION:{_text(', '.join(place))}"
    yield "END:VEVENT"


def _times(slot: Any, zones: dict[str, int]) -> Iterator[str]:
    zone = ZoneInfo(slot.time_zone)
    times = {"DTSTART": slot.starts_at.astimezone(zone), "DTEND": slot.ends_at.astimezone(zone)}
    # A time that clocks show twice in one night means its first showing (RFC 5545, 3.3.5): the second is said in UTC,
    # and so is what is UTC by whatever name.
    if any(time.fold or time.tzname() == "UTC" for time in times.values()):
        yield from (f"{name}:{_instant(time)}" for name, time in times.items())
        return
    zones[slot.time_zone] = min(zones.get(slot.time_zone, slot.starts_at.year), slot.starts_at.year)
    yield from (f"{name};TZID={slot.time_zone}:{time:%Y%m%dT%H%M%S}" for name, time in times.items())


def _summary(slot: Any, references: list[str], *, says_clinician: bool) -> str:
    named = ", ".join(references[:_MOST_NAMED])
    if len(references) > _MOST_NAMED:
        named += f" and {len(references) - _MOST_NAMED} more"
    noun = "Consultation" if len(references) == 1 else "Consultations"
    whom = f" with {slot.clinician_name}" if says_clinician and slot.clinician_name is not None else ""
    return f"{noun} {named}{whom}, {MODES[slot.mode]}"


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(words: str) -> str:
    said = clean(words).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return said.replace("\n", "\\n")


def _folded(line: str) -> bytes:
    """The line in pieces of 75 octets at most, of which none ends within a character (RFC 5545, 3.1)."""
    rest, pieces, most = line.encode(), [], _MOST_OCTETS
    while len(rest) > most:
        end = most
        while rest[end] & 0xC0 == 0x80:  # noqa: PLR2004 - how UTF-8 marks what goes on
            end -= 1
        pieces.append(rest[:end])
        # The blank that a piece begins with counts.
        rest, most = rest[end:], _MOST_OCTETS - 1
    return b"\r\n ".join([*pieces, rest]) + b"\r\n"
