"""What comes in: anything that JSON can say is either understood or refused, and nothing else happens to it."""

import json
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from app.consultations.booking_shapes import ConsultationBookingCreate, PatientCreate
from app.consultations.place_shapes import ClinicianCreate, LocationCreate
from app.consultations.slot_shapes import ConsultationSlotCreate
from app.core.shapes import Instant
from tests.wishes import PATIENT, booking_wish, slot_wish

SLOT_ID = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"
SLOT = slot_wish(clinician="dr-wu", location="main", condition="some-condition", external_id="their-1")
BOOKING = booking_wish(SLOT_ID, condition="some-condition")
# A day from the ends of the calendar.
SHOWN_EVERYWHERE = (datetime(1, 1, 2, tzinfo=UTC), datetime.max.replace(tzinfo=UTC) - timedelta(days=1))
CONTROLS = [chr(code) for code in (*range(32), *range(127, 160))]
NO_PHONES = (
    *("", "+", "+123456", "+1234567890123456", "+0301234567", "0301234567", "+49 30 1234567", "+49-30-1234567"),
    *("+4930123456x", "+49301234567\n", " +49301234567", "+\uff14\uff1930123456", "tel:+4930123456", 4930123456),
)
NO_MAILS = (
    *("", "a", "a@", "@example.com", "a@b@example.com", "a b@example.com", "a@example", "a@localhost", 7),
    *("a@[127.0.0.1]", "a@-example.com", "A <a@example.com>", "a@example.com\nBcc: b@example.com", "a" * 255),
)
INSTANT = TypeAdapter[datetime](Instant)

# Text as JSON can carry it: also NUL, half of a surrogate pair, and what only looks like a letter.
text = st.text(st.characters(codec=None), max_size=30) | st.text("\x00\ud800\u200bA@.+:- ", max_size=12)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
shapes = pytest.mark.parametrize(
    ("shape", "good"),
    [
        (ConsultationSlotCreate, SLOT),
        (ConsultationBookingCreate, BOOKING),
        (ClinicianCreate, {"slug": "dr-wu", "name": "Dr. Wu"}),
        (LocationCreate, {"slug": "main", "name": "Main", "time_zone": "Europe/Berlin"}),
    ],
)


def understood(shape: type[BaseModel], sent: Any) -> BaseModel | None:
    """What was understood; None when it was refused. Anything else that may happen is a failure."""
    try:
        return shape.model_validate(sent)
    except ValidationError:
        return None


def with_value(content: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The content with another value at this place."""
    name, *rest = path
    return {**content, name: with_value(content[name], tuple(rest), value) if rest else value}


def leaves(content: dict[str, Any]) -> list[tuple[str, ...]]:
    """Where a value stands."""
    inner = [(name, *rest) for name, value in content.items() if isinstance(value, dict) for rest in leaves(value)]
    return inner + [(name,) for name in content]


@shapes
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_anything_is_understood_or_refused(shape: type[BaseModel], good: dict[str, Any], data: st.DataObject) -> None:
    sent: Any = data.draw(anything)
    if data.draw(st.integers(0, 9)):
        sent = good
        for place in data.draw(st.lists(st.sampled_from(leaves(good)), min_size=1, max_size=3, unique=True)):
            try:
                sent = with_value(sent, place, data.draw(anything))
            except TypeError:  # an earlier change has taken this place away
                continue
    wish = understood(shape, sent)
    if wish is not None:
        # What was understood can be written down, and says the same when it is read again.
        assert shape.model_validate(json.loads(wish.model_dump_json())) == wish


@shapes
def test_control_characters_are_refused_everywhere(shape: type[BaseModel], good: dict[str, Any]) -> None:
    assert understood(shape, good) is not None
    taken = [
        (place, character)
        for place in leaves(good)
        for character in CONTROLS
        if isinstance(value := value_at(good, place), str)
        for spoiled in (character + value, value[:3] + character + value[3:], value + character)
        if understood(shape, with_value(good, place, spoiled)) is not None
    ]
    # Only a text of several lines may hold line breaks and tabs.
    assert set(taken) == ({(("reason",), each) for each in "\t\n\r"} if shape is ConsultationBookingCreate else set())


def value_at(content: Any, path: tuple[str, ...]) -> Any:
    """What stands at this place."""
    for name in path:
        content = content[name]
    return content


@given(
    name=st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp", "Cf", "Cn", "Co"]), min_size=1
    ),
    excess=st.integers(1, 50),
)
def test_names_and_reasons_have_their_lengths(name: str, excess: int) -> None:
    for length, place in ((200, ("patient", "name")), (2000, ("reason",)), (50, ("consent", "text_version"))):
        filled = (name * length)[:length]
        assert understood(ConsultationBookingCreate, with_value(BOOKING, place, filled)) is not None
        longer = filled + filled[:1] * excess
        assert understood(ConsultationBookingCreate, with_value(BOOKING, place, longer)) is None


@given(st.text(st.characters(categories=["Zs", "Zl", "Zp", "Cf"]), max_size=20))
def test_what_cannot_be_seen_is_no_name(name: str) -> None:
    assert understood(PatientCreate, PATIENT | {"name": name}) is None
    assert understood(PatientCreate, PATIENT | {"name": name + "x"}) is not None


@given(st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z"))
def test_a_phone_number_is_taken_as_it_is(phone: str) -> None:
    wish = understood(PatientCreate, {"name": "Synthetic", "phone": phone})
    assert isinstance(wish, PatientCreate)
    assert wish.phone == phone


def test_what_is_no_e164_number_is_refused() -> None:
    taken = [phone for phone in NO_PHONES if understood(PatientCreate, {"name": "Synthetic", "phone": phone})]
    assert taken == []


def test_what_is_no_mail_address_is_refused() -> None:
    taken = [email for email in NO_MAILS if understood(PatientCreate, {"name": "Synthetic", "email": email})]
    assert taken == []


@pytest.mark.parametrize("contact", [{}, {"email": None}, {"phone": None, "email": None}])
def test_a_patient_can_be_reached(contact: dict[str, None]) -> None:
    assert understood(PatientCreate, {"name": "Synthetic", **contact}) is None


@given(
    st.datetimes().filter(lambda moment: 1 < moment.year < 9999),
    st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    st.sampled_from("Tt"),
)
def test_an_instant_is_kept_in_utc(naive: datetime, zone: timezone, separator: str) -> None:
    sent = naive.replace(tzinfo=zone)
    kept = INSTANT.validate_python(sent.isoformat().replace("T", separator))
    assert kept == sent
    assert kept.tzinfo is UTC


@pytest.mark.parametrize("text", ["0001-01-01T20:00:00Z", "9999-12-31T04:00:00Z"])
def test_an_instant_that_some_clock_cannot_show_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="outside of the calendar"):
        INSTANT.validate_python(text)


@given(st.datetimes())
def test_an_instant_without_an_offset_is_refused(naive: datetime) -> None:
    with pytest.raises(ValidationError, match="needs an offset"):
        INSTANT.validate_python(naive.isoformat())


@given(st.datetimes(), st.datetimes())
def test_a_slot_ends_after_it_begins(starts_at: datetime, ends_at: datetime) -> None:
    sent = SLOT | {"starts_at": f"{starts_at.isoformat()}Z", "ends_at": f"{ends_at.isoformat()}Z"}
    first, last = (end.replace(tzinfo=None) for end in SHOWN_EVERYWHERE)
    is_shown_everywhere = first <= starts_at and ends_at <= last
    assert (understood(ConsultationSlotCreate, sent) is not None) == (ends_at > starts_at and is_shown_everywhere)


def test_the_controls_are_all_that_unicode_calls_so() -> None:
    assert {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cc"} == set(CONTROLS)
