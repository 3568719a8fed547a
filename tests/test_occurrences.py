"""What is in the way of a schedule's slots: found in a few steps, and the same as by looking at everything."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.consultations.occurrences import Blocked, Occurrence, OccurrenceState, PostedSlot, Span, Surroundings, look

BEGIN = datetime(2031, 5, 6, tzinfo=UTC)
NOW = BEGIN - timedelta(minutes=1)


def moment(minute: int) -> datetime:
    """A moment of the day."""
    return BEGIN + timedelta(minutes=minute)


def span(begin: int, end: int) -> Span:
    """A slot of a pattern."""
    return Span(moment(begin).strftime("%Y-%m-%dT%H:%M"), BEGIN.date(), None, moment(begin), moment(end))


def blocked(begin: int, end: int, number: int) -> Blocked:
    """What takes a span of time."""
    return Blocked(moment(begin), moment(end), UUID(int=number))


def states(found: list[Occurrence]) -> list[OccurrenceState]:
    """The state of each."""
    return [each.state for each in found]


_spans = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 30)).map(lambda each: (each[0], each[0] + each[1])), max_size=12
)


@given(_spans, _spans, _spans)
def test_whatever_overlaps_is_found_and_nothing_else(
    wanted: list[tuple[int, int]], taken: list[tuple[int, int]], away: list[tuple[int, int]]
) -> None:
    around = Surroundings(
        posted={},
        taken=[blocked(*each, number) for number, each in enumerate(taken)],
        absences=[blocked(*each, number) for number, each in enumerate(away)],
        holidays={},
    )
    found = look([span(*each) for each in wanted], around, now=NOW)
    for (begin, end), occurrence in zip(wanted, found, strict=True):
        hits = [
            {number for number, (first, last) in enumerate(others) if first < end and last > begin}
            for others in (away, taken)
        ]
        if hits[0]:
            expected, by = OccurrenceState.EXCLUDED_BY_ABSENCE, hits[0]
        elif hits[1]:
            expected, by = OccurrenceState.OVERLAPS, hits[1]
        else:
            expected, by = OccurrenceState.TO_POST, set()
        assert occurrence.state is expected
        assert occurrence.by is None if not by else occurrence.by is not None and occurrence.by.int in by


def test_what_is_said_first() -> None:
    wanted = span(0, 30)
    untold = Span(wanted.occurrence, wanted.day, OccurrenceState.LOCAL_TIME_MISSING)
    everything = Surroundings(
        posted={wanted.occurrence: PostedSlot(UUID(int=1), "open", moment(0), moment(30))},
        taken=[blocked(0, 30, 2)],
        absences=[blocked(0, 30, 3)],
        holidays={date(2031, 5, 6): "Synthetic Day"},
    )
    unposted = Surroundings({}, everything.taken, everything.absences, everything.holidays)
    workday = Surroundings({}, everything.taken, everything.absences, {})
    there = Surroundings({}, everything.taken, [], {})
    told = [
        states(look([each], around, now=now))[0]
        for each, around, now in (
            (untold, everything, moment(99)),
            (untold, unposted, moment(99)),
            (wanted, unposted, moment(0)),
            (wanted, unposted, NOW),
            (wanted, workday, NOW),
            (wanted, there, NOW),
            (wanted, Surroundings({}, [], [], {}), NOW),
        )
    ]
    assert told == [
        OccurrenceState.POSTED,
        OccurrenceState.LOCAL_TIME_MISSING,
        OccurrenceState.PAST,
        OccurrenceState.EXCLUDED_BY_HOLIDAY,
        OccurrenceState.EXCLUDED_BY_ABSENCE,
        OccurrenceState.OVERLAPS,
        OccurrenceState.TO_POST,
    ]
