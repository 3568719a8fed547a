"""A booking's calendar file, read by somebody else's program."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.consultations.tables import BookingState, SlotMode
from app.interop.calendar_file import calendar_file, media_type
from tests.calendars import EVENT, at, instants, read

# Letters of all kinds, without control characters: no door lets them in.
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029"), max_size=200)
paragraphs = st.lists(texts, min_size=1, max_size=3).map("\n".join)


def test_a_booked_consultation_is_published() -> None:
    calendar = read(calendar_file(EVENT))
    event = calendar.vevent
    assert calendar.method.value == "PUBLISH"
    assert calendar.version.value == "2.0"
    assert calendar.prodid.value == "-//Carepath//Carepath//EN"
    assert media_type(EVENT) == "text/calendar; charset=utf-8; method=PUBLISH"
    assert event.uid.value == str(EVENT.uid)
    assert event.sequence.value == "0"
    assert event.dtstamp.value == event.last_modified.value == EVENT.changed_at.replace(microsecond=0)
    assert instants(calendar_file(EVENT)) == [EVENT.starts_at, EVENT.ends_at]
    assert event.dtstart.value.replace(tzinfo=None) == datetime(2027, 1, 12, 10, 0)  # noqa: DTZ001
    assert event.status.value == "CONFIRMED"
    assert event.summary.value == "Consultation with Dr. Rivera"
    assert event.location.value == "Main Building, East; room 4"
    assert event.description.value.splitlines() == [
        "Reference: 7K3M9-QRT2N",
        "The consultation is in person.",
        "",
        "What to bring: CBC, peripheral smear.",
        "- CBC",
        "- peripheral smear",
    ]


def test_what_is_not_known_is_left_out() -> None:
    event = read(calendar_file(replace(EVENT, location=None, clinician=None, bring_text=None, bring_items=()))).vevent
    assert event.summary.value == "Consultation"
    assert event.description.value == "Reference: 7K3M9-QRT2N\nThe consultation is in person."
    assert "location" not in event.contents


@pytest.mark.parametrize(
    ("state", "method", "status", "summary"),
    [
        (BookingState.HELD, "PUBLISH", "TENTATIVE", "Consultation with Dr. Rivera (not confirmed)"),
        (BookingState.BOOKED, "PUBLISH", "CONFIRMED", "Consultation with Dr. Rivera"),
        (BookingState.FULFILLED, "PUBLISH", "CONFIRMED", "Consultation with Dr. Rivera"),
        (BookingState.NO_SHOW, "PUBLISH", "CONFIRMED", "Consultation with Dr. Rivera"),
        (BookingState.CANCELLED, "CANCEL", "CANCELLED", "Cancelled: Consultation with Dr. Rivera"),
        (BookingState.EXPIRED, "CANCEL", "CANCELLED", "Cancelled: Consultation with Dr. Rivera"),
    ],
)
def test_every_state_has_its_method_and_status(state: BookingState, method: str, status: str, summary: str) -> None:
    booking = replace(EVENT, state=state)
    calendar = read(calendar_file(booking))
    assert calendar.method.value == method
    assert calendar.vevent.status.value == status
    assert calendar.vevent.summary.value == summary
    assert media_type(booking) == f"text/calendar; charset=utf-8; method={method}"


def test_states_and_modes_are_all_known() -> None:
    for state in BookingState:
        for mode in SlotMode:
            assert calendar_file(replace(EVENT, state=state, mode=mode))


def test_a_rescheduled_and_cancelled_booking_stays_the_same_entry() -> None:
    moved = at(EVENT.starts_at + timedelta(days=90), sequence=1)
    withdrawn = replace(moved, sequence=2, state=BookingState.CANCELLED)
    seen = [read(calendar_file(event)) for event in (EVENT, moved, withdrawn)]
    assert len({calendar.vevent.uid.value for calendar in seen}) == 1
    assert [calendar.vevent.sequence.value for calendar in seen] == ["0", "1", "2"]
    assert [calendar.method.value for calendar in seen] == ["PUBLISH", "PUBLISH", "CANCEL"]
    assert instants(calendar_file(withdrawn)) == [moved.starts_at, moved.ends_at]


def test_an_organizer_without_mail_stands_in_every_file() -> None:
    for state in (BookingState.BOOKED, BookingState.CANCELLED):
        event = read(calendar_file(replace(EVENT, state=state))).vevent
        # RFC 5546, 3.2.1 and 3.2.5: exactly one organizer; a published entry has no attendees.
        assert [organizer.value for organizer in event.contents["organizer"]] == ["invalid:nomail"]
        assert "attendee" not in event.contents


def test_others_see_only_that_the_time_is_taken() -> None:
    assert read(calendar_file(EVENT)).vevent.contents["class"][0].value == "PRIVATE"


@given(clinician=texts, location=texts, bring_text=paragraphs, bring_items=st.lists(texts, max_size=3).map(tuple))
@settings(max_examples=200, deadline=None)
def test_texts_arrive_as_they_were_written(
    clinician: str, location: str, bring_text: str, bring_items: tuple[str, ...]
) -> None:
    event = replace(EVENT, clinician=clinician, location=location, bring_text=bring_text, bring_items=bring_items)
    content = calendar_file(event)
    said = read(content).vevent
    assert said.summary.value == f"Consultation with {clinician}"
    assert said.location.value == location
    assert said.description.value == "\n".join(
        [
            "Reference: 7K3M9-QRT2N",
            "The consultation is in person.",
            "",
            f"What to bring: {bring_text}",
            *(f"- {item}" for item in bring_items),
        ]
    )
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert content == calendar_file(event)


@pytest.mark.parametrize("text", ["a\r\nb", "a\rb", "a\x0bb", "a\x85b", "a\u2028b", "a\n\x00\x1b\x7fb"])
def test_no_text_can_begin_a_line_of_the_file(text: str) -> None:
    forged = text.replace("b", "END:VEVENT")
    content = calendar_file(replace(EVENT, location=forged, bring_text=forged, clinician=forged))
    assert content.decode().splitlines().count("END:VEVENT") == 1
    assert read(content).vevent.location.value == "a\nEND:VEVENT"


def test_the_same_event_is_the_same_bytes_whatever_the_zone_of_its_instants() -> None:
    elsewhere = ZoneInfo("UTC")
    same = replace(
        EVENT,
        starts_at=EVENT.starts_at.astimezone(elsewhere),
        ends_at=EVENT.ends_at.astimezone(elsewhere),
        changed_at=EVENT.changed_at.astimezone(elsewhere),
    )
    for name in ("Europe/Berlin", "UTC"):
        assert calendar_file(replace(same, time_zone=name)) == calendar_file(replace(EVENT, time_zone=name))
