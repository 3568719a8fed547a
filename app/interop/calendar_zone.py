"""A time zone as calendar files carry it: VTIMEZONE (RFC 5545, 3.6.5).

The calendar library's own `add_missing_timezones` tells the onset of summer in summer time, which is an hour late for
readers that go by the RFC, and misses changes that are 64 days apart or less, such as Morocco's.
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard, vRecur

# Some readers keep the first definition that they meet under a name: it has to be good for later files too.
_YEARS_AHEAD = 10
_SECOND = timedelta(seconds=1)
# No zone changes its offset and back in less.
_STEP = timedelta(days=3)
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class _Change(NamedTuple):
    """What becomes of a zone's offset. Several onsets may share it."""

    before: timedelta
    after: timedelta
    name: str
    is_summer: bool


@lru_cache(maxsize=256)
def zone_definition(name: str, year: int) -> Timezone:
    """The zone from the beginning of this year, or earlier, to ten years later; where it has a rule, for ever."""
    zone = ZoneInfo(name)
    begin, end = datetime(year - 1, 1, 1, tzinfo=UTC), datetime(year + _YEARS_AHEAD, 1, 1, tzinfo=UTC)
    onsets = _onsets(zone, begin, end)
    if not onsets or onsets[0].year >= year:
        onsets.insert(0, begin)
    told: dict[_Change, list[datetime]] = defaultdict(list)
    for onset in onsets:
        change = _change(zone, onset)
        # The clock's time at which it happens, before it has happened.
        told[change].append((onset + change.before).replace(tzinfo=None))
    definition = Timezone()
    definition.add("TZID", name)
    for change, times in told.items():
        rule = _yearly(times)
        # Not RDATE, which some readers skip.
        for time in times if rule is None else times[:1]:
            definition.add_component(_observance(change, time, rule))
    return definition


def _observance(change: _Change, begin: datetime, rule: vRecur | None) -> TimezoneDaylight | TimezoneStandard:
    observance = TimezoneDaylight() if change.is_summer else TimezoneStandard()
    observance.add("DTSTART", begin)
    observance.add("TZOFFSETFROM", change.before)
    observance.add("TZOFFSETTO", change.after)
    observance.add("TZNAME", change.name)
    if rule is not None:
        observance.add("RRULE", rule)
    return observance


def _yearly(times: Sequence[datetime]) -> vRecur | None:
    """The rule behind these times, if it is a weekday of a month, counted from its begin or the last."""
    first = times[0]
    is_yearly = [time.year for time in times] == list(range(first.year, first.year + _YEARS_AHEAD + 1))
    if not is_yearly or len({(time.month, time.weekday(), time.time()) for time in times}) > 1:
        return None
    weeks = {(time.day - 1) // 7 + 1 for time in times}
    if len(weeks) > 1 and any(time.day + 7 <= monthrange(time.year, time.month)[1] for time in times):
        return None
    week = weeks.pop() if len(weeks) == 1 else -1
    return vRecur(FREQ="YEARLY", BYMONTH=first.month, BYDAY=f"{week}{_WEEKDAYS[first.weekday()]}")


def _change(zone: ZoneInfo, onset: datetime) -> _Change:
    before, after = (onset - _SECOND).astimezone(zone), onset.astimezone(zone)
    offsets = _offset(zone, before), _offset(zone, after)
    # Summer is when clocks are ahead, also where the law, as in Ireland and Morocco, calls winter the exception:
    # calendars that met a DAYLIGHT with the smaller offset have been wrong by hours.
    is_summer = offsets[1] > offsets[0] and before.dst() != after.dst()
    return _Change(*offsets, after.tzname() or zone.key, is_summer)


def _onsets(zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    """The instants at which the zone's offset changes, to the second."""
    found = []
    while after < until:
        low, high = after, min(after + _STEP, until)
        after = high
        if _offset(zone, low) == _offset(zone, high):
            continue
        while high - low > _SECOND:
            middle = low + (high - low) // _SECOND // 2 * _SECOND
            low, high = (middle, high) if _offset(zone, middle) == _offset(zone, low) else (low, middle)
        found.append(high)
    return found


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
