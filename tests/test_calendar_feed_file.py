"""A feed's file by the letter: what is written is what two other programs read."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from app.consultations.tables import SlotMode
from app.interop.calendar_feed import calendar_feed
from tests import calendars
from tests.subscriptions import parsed

# Letters of all kinds, without control characters: no door lets them in.
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029"), max_size=200)
SLOT_ID, BOOKING_ID = UUID(int=1), UUID(int=2)


@dataclass(frozen=True)
class Row:
    """A booking as the room tells it."""

    slot_id: UUID = SLOT_ID
    booking_id: UUID = BOOKING_ID
    starts_at: datetime = datetime(2027, 1, 12, 9, 0, tzinfo=UTC)
    ends_at: datetime = datetime(2027, 1, 12, 9, 30, tzinfo=UTC)
    time_zone: str = "Europe/Berlin"
    mode: SlotMode = SlotMode.IN_PERSON
    capacity: int = 1
    reference: str = "7K3M9-QRT2N"
    version: int = 1
    created_at: datetime = datetime(2026, 11, 23, 9, 15, 7, 123456, UTC)
    changed_at: datetime | None = None
    clinician_name: str | None = None
    location_name: str | None = None
    room_name: str | None = None


@given(name=texts, clinician=texts, location=texts, room=texts)
@settings(max_examples=100, deadline=None)
def test_any_words_come_out_as_they_went_in(name: str, clinician: str, location: str, room: str) -> None:
    row = Row(clinician_name=clinician, location_name=location, room_name=room)
    content = calendar_feed(name, [row], says_clinician=True)
    assert [line for line in content.split(b"\r\n") if len(line) > 75] == []
    for line in content.split(b"\r\n"):
        line.decode()
    calendars.read(content)
    calendar = parsed(content)
    (entry,) = calendar.walk("VEVENT")
    assert str(entry["SUMMARY"]) == f"Consultation 7K3M9-QRT2N with {clinician}, in person"
    assert str(entry["LOCATION"]) == f"{location}, {room}"


def test_each_moment_of_the_nights_in_which_clocks_are_turned_is_said_rightly() -> None:
    rows: list[Row] = []
    for begin in (datetime(2027, 3, 27, 22, tzinfo=UTC), datetime(2027, 10, 30, 22, tzinfo=UTC)):
        for number in range(20):
            starts_at = begin + timedelta(minutes=15 * number)
            slot_id, ends_at = UUID(int=len(rows)), starts_at + timedelta(minutes=15)
            rows.append(replace(Row(), slot_id=slot_id, starts_at=starts_at, ends_at=ends_at))
    content = calendar_feed("Nights", rows, says_clinician=False)
    entries = parsed(content).walk("VEVENT")
    for row, entry in zip(rows, entries, strict=True):
        said = []
        for name in ("DTSTART", "DTEND"):
            # By the letter, with nothing but the file's own definition, where it is not in UTC.
            time = entry[name].dt
            told = calendars.strictly(content, time.replace(tzinfo=None)) if "TZID" in entry[name].params else time
            said.append(told)
        assert said == [row.starts_at, row.ends_at]
    # The hour that comes twice is in there twice, and the second time in UTC, with what ends in it.
    assert ["TZID" in entry["DTSTART"].params for entry in entries].count(False) == 5


def test_a_zone_is_defined_once_from_the_first_year_on() -> None:
    early = datetime(2026, 12, 30, 9, tzinfo=UTC)
    rows = [
        replace(Row(), slot_id=UUID(int=n), starts_at=at, ends_at=at + timedelta(hours=1), time_zone=zone)
        for n, (at, zone) in enumerate(
            (early + timedelta(days=days), zone)
            for days in (0, 300)
            for zone in ("Europe/Berlin", "Asia/Kolkata", "UTC", "Etc/Zulu")
        )
    ]
    content = calendar_feed("Zones", rows, says_clinician=False)
    calendar = parsed(content)
    assert [str(each["TZID"]) for each in calendar.walk("VTIMEZONE")] == ["Asia/Kolkata", "Europe/Berlin"]
    assert min(at for at, _ in calendars.onsets(content)) < early.replace(tzinfo=None)
    assert [entry["DTSTART"].dt.astimezone(UTC) for entry in calendar.walk("VEVENT")] == [r.starts_at for r in rows]


def test_the_same_bookings_are_the_same_bytes() -> None:
    rows = [Row(), Row(changed_at=datetime(2026, 11, 24, tzinfo=UTC), reference="00000-00011")]
    content = calendar_feed("Group", [replace(row, capacity=2) for row in rows], says_clinician=False)
    assert content == calendar_feed("Group", [replace(row, capacity=2) for row in rows], says_clinician=False)
    assert content.count(b"BEGIN:VEVENT") == 1
    assert b"DTSTAMP:20261124T000000Z" in content
