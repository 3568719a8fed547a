"""Every time that the clocks of eight zones are turned from 2025 to 2040: what a schedule posts then, and what not.

What a clock shows is asked of it minute by minute, so that nothing here is computed as the schedule computes it.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.consultations.occurrences import OccurrenceState, Pattern, Span, days, spans
from app.consultations.recurrence import parse

YEARS = range(2025, 2041)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
# How often each zone's clock is turned in these years, at least: the search below finds something.
ZONES = {
    "Europe/Berlin": 32,
    "America/New_York": 32,
    # By half an hour.
    "Australia/Lord_Howe": 32,
    # At midnight.
    "America/Santiago": 32,
    # Around Ramadan.
    "Africa/Casablanca": 30,
    # At a quarter to three.
    "Pacific/Chatham": 32,
    "Asia/Gaza": 32,
    "Asia/Beirut": 32,
}
each_zone = pytest.mark.parametrize("zone", ZONES)


@cache
def changes(zone: str) -> list[datetime]:
    """The moments at which the zone's clock is turned, found by looking at it."""
    clock = ZoneInfo(zone)

    def offset(moment: datetime) -> timedelta | None:
        return moment.astimezone(clock).utcoffset()

    found = []
    moment, end = datetime(YEARS[0], 1, 1, tzinfo=UTC), datetime(YEARS[-1] + 1, 1, 1, tzinfo=UTC)
    while moment < end:
        if offset(moment) != offset(moment + DAY):
            low, high = moment, moment + DAY
            while high - low > MINUTE:
                middle = low + (high - low) // 2
                middle = middle.replace(second=0, microsecond=0)
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            found.append(high)
        moment += DAY
    return found


@cache
def readings(zone: str, change: datetime) -> Mapping[datetime, list[datetime]]:
    """The moments at which the clock shows a time, for all times from two days before the change to two days after."""
    found: dict[datetime, list[datetime]] = defaultdict(list)
    clock = ZoneInfo(zone)
    for minute in range(-2 * 24 * 60, 2 * 24 * 60):
        moment = change + minute * MINUTE
        found[moment.astimezone(clock).replace(tzinfo=None, fold=0)].append(moment)
    return found


def pattern_around(zone: str, change: datetime, *, begin: int, end: int, length: int, gap: int) -> Pattern:
    """A schedule of every day from the day before the change to the day after it, on the zone's calendar."""
    on = change.astimezone(ZoneInfo(zone)).date()
    return Pattern(
        rule=parse("FREQ=DAILY"),
        exdates=frozenset(),
        rdates=frozenset(),
        session_starts=begin,
        session_ends=end,
        length=length,
        gap=gap,
        time_zone=zone,
        valid_from=on - DAY,
        valid_until=on + DAY,
    )


def expand(pattern: Pattern) -> list[Span]:
    """All slots of a pattern."""
    return list(spans(pattern, days(pattern, first=date.min, last=date.max)))


def check(zone: str, change: datetime, pattern: Pattern) -> set[OccurrenceState | None]:
    """All that must be so of every slot around this change; the states that were seen."""
    shown, found = readings(zone, change), expand(pattern)
    length = timedelta(minutes=pattern.length)
    # None is lost, and none is there twice.
    nominal = [
        datetime.combine(pattern.valid_from + number * DAY, time()) + begin * MINUTE
        for number in range(3)
        for begin in pattern.begins
    ]
    assert [span.occurrence for span in found] == [each.isoformat(timespec="minutes") for each in nominal]
    for span, local in zip(found, nominal, strict=True):
        begins, ends = shown.get(local, []), shown.get(local + length, [])
        if not begins or not ends:
            expected: OccurrenceState | None = OccurrenceState.LOCAL_TIME_MISSING
        elif len(begins) > 1 or len(ends) > 1 or ends[0] - begins[0] > length:
            expected = OccurrenceState.LOCAL_TIME_AMBIGUOUS
        elif ends[0] - begins[0] < length:
            expected = OccurrenceState.LOCAL_TIME_MISSING
        else:
            expected = None
        assert (span.occurrence, span.trouble) == (span.occurrence, expected)
        if expected is not None:
            assert (span.starts_at, span.ends_at) == (None, None)
        else:
            # It begins and ends as the clock shows it, and lasts what it should.
            assert (span.starts_at, span.ends_at) == (begins[0], ends[0])
    posted = [span for span in found if span.starts_at is not None and span.ends_at is not None]
    for one, next_one in pairwise(posted):
        assert one.ends_at is not None
        assert next_one.starts_at is not None
        assert one.ends_at <= next_one.starts_at
    return {span.trouble for span in found}


@each_zone
def test_the_changes_of_a_zone_are_found(zone: str) -> None:
    found = changes(zone)
    assert len(found) >= ZONES[zone]
    assert {moment.year for moment in found} >= set(YEARS) - ({2033} if zone == "Africa/Casablanca" else set())
    clock = ZoneInfo(zone)
    for moment in found:
        offsets = [at.astimezone(clock).utcoffset() for at in (moment - MINUTE, moment)]
        assert offsets[0] != offsets[1]


@each_zone
@pytest.mark.parametrize(("length", "gap"), [(15, 0), (30, 0), (60, 0), (45, 10), (120, 0), (25, 5)])
def test_around_each_change_all_day_long(zone: str, length: int, gap: int) -> None:
    seen = set()
    for change in changes(zone):
        seen |= check(zone, change, pattern_around(zone, change, begin=0, end=24 * 60, length=length, gap=gap))
    assert seen == {None, OccurrenceState.LOCAL_TIME_MISSING, OccurrenceState.LOCAL_TIME_AMBIGUOUS}


@each_zone
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(begin=st.integers(0, 300), length=st.integers(7, 200), gap=st.integers(0, 45), slots=st.integers(1, 6))
def test_around_each_change_at_night_whatever_the_session(
    zone: str, begin: int, length: int, gap: int, slots: int
) -> None:
    end = begin + slots * (length + gap)
    for change in changes(zone):
        check(zone, change, pattern_around(zone, change, begin=begin, end=min(end, 1440), length=length, gap=gap))


@each_zone
def test_by_day_no_change_touches_anything(zone: str) -> None:
    for change in changes(zone):
        found = expand(pattern_around(zone, change, begin=8 * 60, end=18 * 60, length=30, gap=0))
        assert {span.trouble for span in found} == {None}
        assert len(found) == 60


def test_a_slot_that_a_change_lies_within_is_told_and_not_shortened() -> None:
    (spring,) = [moment for moment in changes("Europe/Berlin") if moment.date() == date(2027, 3, 28)]
    (autumn,) = [moment for moment in changes("Europe/Berlin") if moment.date() == date(2027, 10, 31)]
    for change, trouble in (
        (spring, OccurrenceState.LOCAL_TIME_MISSING),
        (autumn, OccurrenceState.LOCAL_TIME_AMBIGUOUS),
    ):
        pattern = pattern_around("Europe/Berlin", change, begin=90, end=210, length=120, gap=0)
        assert [span.trouble for span in expand(pattern)] == [None, trouble, None]


def test_a_day_that_a_calendar_skips_is_missing() -> None:
    # Samoa went from the 29th to the 31st of December 2011.
    zone = "Pacific/Apia"
    change = datetime(2011, 12, 30, 10, tzinfo=UTC)
    pattern = pattern_around(zone, change - DAY / 2, begin=540, end=600, length=60, gap=0)
    assert [(span.occurrence, span.trouble) for span in expand(pattern)] == [
        ("2011-12-28T09:00", None),
        ("2011-12-29T09:00", None),
        ("2011-12-30T09:00", OccurrenceState.LOCAL_TIME_MISSING),
    ]
