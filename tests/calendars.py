"""Calendar files, read by somebody else's program and by the letter of RFC 5545."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import vobject  # type: ignore[import-untyped]

from app.consultations.tables import BookingState, SlotMode
from app.interop.calendar_file import CalendarEvent

EVENT = CalendarEvent(
    uid=UUID("01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"),
    sequence=0,
    changed_at=datetime(2026, 11, 23, 9, 15, 7, 123456, UTC),
    starts_at=datetime(2027, 1, 12, 9, 0, tzinfo=UTC),
    ends_at=datetime(2027, 1, 12, 9, 30, tzinfo=UTC),
    time_zone="Europe/Berlin",
    state=BookingState.BOOKED,
    mode=SlotMode.IN_PERSON,
    reference="7K3M9-QRT2N",
    location="Main Building, East; room 4",
    clinician="Dr. Rivera",
    bring_text="CBC, peripheral smear.",
    bring_items=("CBC", "peripheral smear"),
)


def at(moment: datetime, **changes: Any) -> CalendarEvent:
    """The event, half an hour long from this moment on."""
    return replace(EVENT, starts_at=moment, ends_at=moment + timedelta(minutes=30), **changes)


def read(content: bytes) -> Any:
    """The calendar as vobject understands it, checked by vobject's own rules."""
    calendar = vobject.readOne(content.decode())
    calendar.validate(raiseException=True)
    return calendar


def instants(content: bytes) -> list[datetime]:
    """Begin and end as vobject reckons them, with the file's own definition of the zone if it has one."""
    calendar = read(content)
    times = [calendar.vevent.dtstart.value, calendar.vevent.dtend.value]
    if "vtimezone" in calendar.contents:
        # Not with the first definition that it has met under this name.
        times = [time.replace(tzinfo=calendar.vtimezone.tzinfo) for time in times]
    return [time.astimezone(UTC) for time in times]


def span(offset: str) -> timedelta:
    """The offset that `+0530` says."""
    return int(offset[0] + "1") * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5]))


def observances(content: bytes) -> list[dict[str, str]]:
    """What each STANDARD and DAYLIGHT of the file says."""
    lines = content.decode().replace("\r\n ", "").split("\r\n")
    begins = [n for n, line in enumerate(lines) if line in ("BEGIN:STANDARD", "BEGIN:DAYLIGHT")]
    return [dict(line.split(":", 1) for line in lines[n : lines.index("END" + lines[n][5:], n)]) for n in begins]


def onsets(content: bytes) -> list[tuple[datetime, timedelta]]:
    """The instants at which offsets begin, and the offsets, by RFC 5545, 3.6.5: told in the offset before them."""
    found = []
    for said in observances(content):
        walls = [datetime.fromisoformat(said["DTSTART"])]
        rule = re.fullmatch(r"FREQ=YEARLY;BYDAY=(-?\d)(\w\w);BYMONTH=(\d+)", said.get("RRULE", ""))
        assert (rule is None) == ("RRULE" not in said)
        if rule is not None:
            week, weekday = int(rule[1]), ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].index(rule[2])
            for year in range(walls[0].year + 1, 2045):
                first = walls[0].replace(year=year, day=1)
                days = [first + timedelta(days=day) for day in range(31)]
                days = [day for day in days if day.weekday() == weekday and day.month == int(rule[3])]
                walls.append(days[week - 1 if week > 0 else week])
        found += [(wall - span(said["TZOFFSETFROM"]), span(said["TZOFFSETTO"])) for wall in walls]
    return sorted(found)


def strictly(content: bytes, wall: datetime) -> datetime:
    """The instant of a time on the wall, for a reader who knows nothing but the file; the first where there are two."""
    known = onsets(content)
    candidates = {wall - offset for _, offset in known}
    right = [instant for instant in candidates if wall - instant == [to for at, to in known if at <= instant][-1]]
    return min(right).replace(tzinfo=UTC)
