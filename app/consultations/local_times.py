"""The wall clock of a slot's zone: pure arithmetic, without a session and without a clock."""

from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo


class LocalTime(NamedTuple):
    """A moment as people at a place say it, as a slot's row keeps it."""

    local_date: date
    # 1 is Monday (ISO 8601).
    local_weekday: int
    # Minutes after midnight, as the clock shows them: 60 times the hour and the minute, on every day of the year.
    local_minute: int


def local_time(moment: datetime, time_zone: str) -> LocalTime:
    """What the clock shows in this IANA zone."""
    local = moment.astimezone(ZoneInfo(time_zone))
    return LocalTime(local.date(), local.isoweekday(), 60 * local.hour + local.minute)
