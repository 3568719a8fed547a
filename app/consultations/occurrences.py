"""What a schedule's pattern comes to, slot by slot. Pure: no session and no clock.

A slot is posted only where both its begin and its end stand on the local clock exactly once, and as far apart as the
pattern says. Wherever the clock is turned within it, or at one of its ends, that is reported and left to a person:

- its begin or its end is not on the clock, or the clock skips some of what lies between: `local_time_missing`;
- its begin or its end is on the clock twice, or some of what lies between is: `local_time_ambiguous`.

So 01:30 to 03:30 in the night in which Berlin's clock goes from 02:00 to 03:00 is missing: it would last one hour.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from app.consultations import recurrence
from app.consultations.recurrence import Rule

# What one call shows or posts at most.
MOST_AT_ONCE: Final = 5_000
# How long a schedule without an end goes on: nothing here is without bounds.
LONGEST: Final = timedelta(days=3650)


class OccurrenceState(StrEnum):
    """What is, or would become, of one occurrence of a schedule."""

    TO_POST = "to_post"
    POSTED = "posted"
    EXCLUDED_BY_ABSENCE = "excluded_by_absence"
    EXCLUDED_BY_HOLIDAY = "excluded_by_holiday"
    LOCAL_TIME_MISSING = "local_time_missing"
    LOCAL_TIME_AMBIGUOUS = "local_time_ambiguous"
    OVERLAPS = "overlaps"
    PAST = "past"


@dataclass(frozen=True)
class Pattern:
    """Which days, and on each of them which session, cut into slots. Minutes are those of the wall clock."""

    rule: Rule
    exdates: frozenset[date]
    rdates: frozenset[date]
    session_starts: int
    session_ends: int
    length: int
    gap: int
    time_zone: str
    valid_from: date
    valid_until: date | None

    @property
    def last_day(self) -> date:
        """The last day that it can give."""
        furthest = self.valid_from + LONGEST
        return furthest if self.valid_until is None else min(furthest, self.valid_until)

    @property
    def begins(self) -> range:
        """When slots begin, in minutes after midnight."""
        return range(self.session_starts, self.session_ends - self.length + 1, self.length + self.gap)


class Span(NamedTuple):
    """One slot of a pattern: its local begin, and, unless there is something about the clock, its two moments."""

    # YYYY-MM-DDTHH:MM
    occurrence: str
    day: date
    trouble: OccurrenceState | None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


class PostedSlot(NamedTuple):
    """What an occurrence has become, and when it is: it may have been moved."""

    id: UUID
    status: str
    starts_at: datetime
    ends_at: datetime


class Blocked(NamedTuple):
    """A span of time that something takes: a slot, or an absence."""

    starts_at: datetime
    ends_at: datetime
    id: UUID


@dataclass(frozen=True)
class Surroundings:
    """What a pattern meets: what it has become already, and what is in its way."""

    posted: Mapping[str, PostedSlot]
    taken: Sequence[Blocked]
    absences: Sequence[Blocked]
    holidays: Mapping[date, str]


class Occurrence(NamedTuple):
    """One slot of a pattern among what it meets."""

    span: Span
    state: OccurrenceState
    # The slot that it is, or the one that it overlaps with; or the absence.
    by: UUID | None = None
    # The name of the holiday, or the status of the slot that it is.
    word: str | None = None


def days(pattern: Pattern, *, first: date, last: date) -> list[date]:
    """The pattern's days from `first` to `last`, both inclusive, in order."""
    end = min(last, pattern.last_day)
    by_rule = recurrence.days(pattern.rule, begin=pattern.valid_from, last=end)
    found = pattern.rdates.union(by_rule) - pattern.exdates
    return sorted(day for day in found if max(first, pattern.valid_from) <= day <= end)


def spans(pattern: Pattern, on: Iterable[date]) -> Iterator[Span]:
    """The pattern's slots on these days, in order."""
    zone = ZoneInfo(pattern.time_zone)
    length = timedelta(minutes=pattern.length)
    for day in on:
        midnight = datetime.combine(day, time())
        for minute in pattern.begins:
            begin = midnight + timedelta(minutes=minute)
            yield _span(begin, begin + length, zone)


def look(pattern_spans: Iterable[Span], around: Surroundings, *, now: datetime) -> list[Occurrence]:
    """Each slot with its state. One that is posted is nothing else; what the clock says comes before what people do."""
    taken, absences = _Agenda(around.taken), _Agenda(around.absences)
    return [_occurrence(span, around, taken, absences, now) for span in pattern_spans]


def _span(begin: datetime, end: datetime, zone: ZoneInfo) -> Span:
    key = begin.isoformat(timespec="minutes")
    starts, ends = _moments(begin, zone), _moments(end, zone)
    trouble = None
    if not starts or not ends:
        trouble = OccurrenceState.LOCAL_TIME_MISSING
    elif len(starts) > 1 or len(ends) > 1:
        trouble = OccurrenceState.LOCAL_TIME_AMBIGUOUS
    else:
        longer = (ends[0] - starts[0]) - (end - begin)
        if longer:
            is_skipped = longer < timedelta(0)
            trouble = OccurrenceState.LOCAL_TIME_MISSING if is_skipped else OccurrenceState.LOCAL_TIME_AMBIGUOUS
    if trouble is not None:
        return Span(key, begin.date(), trouble)
    return Span(key, begin.date(), None, starts[0], ends[0])


def _moments(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """The moments at which the clock shows this: one, none, or two (PEP 495)."""
    earlier, later = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if earlier == later:
        return [earlier]
    is_there = earlier.astimezone(zone).replace(tzinfo=None, fold=0) == local
    return [earlier, later] if is_there else []


class _Agenda:
    """Spans of time, of which one that overlaps with another span is found in a few steps."""

    def __init__(self, blocked: Iterable[Blocked]) -> None:
        self._blocked = sorted(blocked)
        self._starts = [each.starts_at for each in self._blocked]
        # Of each and all before it, the one that ends last.
        self._last: list[Blocked] = []
        for each in self._blocked:
            is_last = not self._last or each.ends_at > self._last[-1].ends_at
            self._last.append(each if is_last else self._last[-1])

    def over(self, starts_at: datetime, ends_at: datetime) -> UUID | None:
        """One that overlaps with this span; to touch is not to overlap."""
        before = bisect_left(self._starts, ends_at)
        if before == 0 or self._last[before - 1].ends_at <= starts_at:
            return None
        return self._last[before - 1].id


def _occurrence(  # noqa: PLR0911 - one for each state
    span: Span, around: Surroundings, taken: _Agenda, absences: _Agenda, now: datetime
) -> Occurrence:
    posted = around.posted.get(span.occurrence)
    if posted is not None:
        where = span._replace(starts_at=posted.starts_at, ends_at=posted.ends_at)
        return Occurrence(where, OccurrenceState.POSTED, posted.id, posted.status)
    if span.starts_at is None or span.ends_at is None:
        return Occurrence(span, span.trouble or OccurrenceState.LOCAL_TIME_MISSING)
    if span.starts_at <= now:
        return Occurrence(span, OccurrenceState.PAST)
    if span.day in around.holidays:
        return Occurrence(span, OccurrenceState.EXCLUDED_BY_HOLIDAY, word=around.holidays[span.day])
    if absence := absences.over(span.starts_at, span.ends_at):
        return Occurrence(span, OccurrenceState.EXCLUDED_BY_ABSENCE, absence)
    if other := taken.over(span.starts_at, span.ends_at):
        return Occurrence(span, OccurrenceState.OVERLAPS, other)
    return Occurrence(span, OccurrenceState.TO_POST)
