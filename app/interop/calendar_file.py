"""A booking as a calendar file: iCalendar (RFC 5545), published and withdrawn as RFC 5546 says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vCalAddress

from app.consultations.tables import BookingState, SlotMode
from app.interop.calendar_zone import zone_definition

_STATUS: Final[Mapping[BookingState, str]] = {
    BookingState.HELD: "TENTATIVE",
    BookingState.BOOKED: "CONFIRMED",
    BookingState.FULFILLED: "CONFIRMED",
    BookingState.NO_SHOW: "CONFIRMED",
    BookingState.CANCELLED: "CANCELLED",
    BookingState.EXPIRED: "CANCELLED",
}
MODES: Final[Mapping[SlotMode, str]] = {
    SlotMode.IN_PERSON: "in person",
    SlotMode.VIDEO: "by video",
    SlotMode.PHONE: "by phone",
}
# RFC 5545 allows no control character but the tab in a text, and says a break in letters. Readers that split a file at
# whatever Unicode calls a line break must find none but the file's own.
_BREAKS = dict.fromkeys(map(ord, "\n\x0b\x0c\r\x85\u2028\u2029"), "\n")
_CLEAN: Final[Mapping[int, str | None]] = dict.fromkeys([*range(0x20), 0x7F]) | {ord("\t"): "\t"} | _BREAKS


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEvent:
    """What a calendar learns of a booking. Nothing in it says what the patient suffers from."""

    uid: UUID
    # Rises with every change of the booking, from 0.
    sequence: int
    changed_at: datetime
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    state: BookingState
    mode: SlotMode
    reference: str
    location: str | None = None
    clinician: str | None = None
    # What the hospital says to bring: as written, and one by one.
    bring_text: str | None = None
    bring_items: tuple[str, ...] = ()


def calendar_file(event: CalendarEvent) -> bytes:
    """The file; the same bytes for the same event."""
    calendar = Calendar()
    calendar.add("PRODID", "-//Carepath//Carepath//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("METHOD", _method(event))
    starts_at, ends_at = (moment.astimezone(ZoneInfo(event.time_zone)) for moment in (event.starts_at, event.ends_at))
    # A time that clocks show twice in one night means its first showing (RFC 5545, 3.3.5): the second is said in UTC.
    if starts_at.fold or ends_at.fold:
        starts_at, ends_at = starts_at.astimezone(UTC), ends_at.astimezone(UTC)
    calendar.add_component(_entry(event, starts_at, ends_at))
    # UTC needs no definition, and its other names are written as UTC.
    if calendar.get_missing_tzids():
        calendar.subcomponents.insert(0, zone_definition(event.time_zone, event.starts_at.year))
    content: bytes = calendar.to_ical()
    return content


def media_type(event: CalendarEvent) -> str:
    """The media type of the event's file; its `method` has to be the one in the file."""
    return f"text/calendar; charset=utf-8; method={_method(event)}"


def _method(event: CalendarEvent) -> str:
    return "CANCEL" if _STATUS[event.state] == "CANCELLED" else "PUBLISH"


def _entry(event: CalendarEvent, starts_at: datetime, ends_at: datetime) -> Event:
    entry = Event()
    entry.add("UID", str(event.uid))
    entry.add("SEQUENCE", event.sequence)
    entry.add("DTSTAMP", event.changed_at.astimezone(UTC))
    entry.add("LAST-MODIFIED", event.changed_at.astimezone(UTC))
    entry.add("DTSTART", starts_at)
    entry.add("DTEND", ends_at)
    entry.add("STATUS", _STATUS[event.state])
    # In a shared calendar others see that the time is taken, and no more.
    entry.add("CLASS", "PRIVATE")
    entry.add("SUMMARY", _summary(event))
    entry.add("DESCRIPTION", _description(event))
    if event.location is not None:
        entry.add("LOCATION", clean(event.location))
    # RFC 5546 wants one in every PUBLISH and CANCEL, and strict readers refuse a file without. This address is what
    # Exchange writes for an organizer without mail [MS-OXCICAL]: no program offers to answer it.
    organizer = vCalAddress("invalid:nomail")
    organizer.params["CN"] = "Carepath"
    entry.add("ORGANIZER", organizer)
    return entry


def _summary(event: CalendarEvent) -> str:
    summary = "Consultation" if event.clinician is None else f"Consultation with {event.clinician}"
    # Said in words too: many calendars show no STATUS, and some know no CANCEL.
    if _STATUS[event.state] == "CANCELLED":
        summary = f"Cancelled: {summary}"
    elif _STATUS[event.state] == "TENTATIVE":
        summary = f"{summary} (not confirmed)"
    return clean(summary)


def _description(event: CalendarEvent) -> str:
    lines = [f"Reference: {event.reference}", f"The consultation is {MODES[event.mode]}."]
    if event.bring_text is not None:
        lines += ["", f"What to bring: {event.bring_text}", *(f"- {item}" for item in event.bring_items)]
    return clean("\n".join(lines))


def clean(text: str) -> str:
    """The text with no control characters but tabs, and one kind of line break."""
    return text.replace("\r\n", "\n").translate(_CLEAN)
