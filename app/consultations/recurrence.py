"""Days that recur by a rule (RFC 5545, section 3.3.10). Pure: no session and no clock; a rule costs bounded time.

A rule gives days only: what is below a day is said by the session's times. Where RFC 5545 leaves open what a rule
means, or where readers of it differ, the rule is refused.
"""

import calendar
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from dateutil import rrule as dateutil

MAX_RULE: Final = 500
# Upper case, as everybody writes it. What else a rule must be, `parse` says.
RULE_PATTERN: Final = r"^FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;[A-Z]+=[A-Z0-9,+-]+)*$"
_FREQUENCIES: Final = {name: getattr(dateutil, name) for name in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")}
_WEEKDAYS: Final = {str(day): day for day in dateutil.weekdays}
_DAY = re.compile(r"^([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)$")
_END_OF_CALENDAR: Final = 9999


class RuleInvalid(ValueError):
    """A rule that is not taken: `code` is a stable word, the text says why and repeats nothing of the rule."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True)
class Rule:
    """A rule that was understood."""

    frequency: Any
    # The last day that it can give.
    until: date | None
    count: int | None
    # The rest of it, as dateutil takes it.
    options: MappingProxyType[str, Any]


def parse(text: str) -> Rule:
    """The rule that this text says; raises RuleInvalid."""
    if len(text) > MAX_RULE:
        raise RuleInvalid("rrule_length", "is too long for a rule")
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not equals or not value or name in parts or name not in _PARTS:
            raise RuleInvalid("rrule_part", "has a part that is unknown, empty, said twice, or below a day")
        parts[name] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        raise RuleInvalid("rrule_frequency", "must recur DAILY, WEEKLY, MONTHLY or YEARLY")
    _refuse_what_does_not_go_together(parts)
    read: dict[str, Any] = {name: _PARTS[name](value) for name, value in parts.items()}
    frequency, until, count = read.pop("FREQ"), read.pop("UNTIL", None), read.pop("COUNT", None)
    return Rule(frequency, until, count, MappingProxyType({_NAMES[name]: value for name, value in read.items()}))


def days(rule: Rule, *, begin: date, last: date) -> list[date]:
    """The days that the rule gives from `begin`, where it begins to count, to `last`, both inclusive.

    dateutil looks for a day that matches until the year 9999, however seldom one does or if none can. So it is asked
    about years near that end which are the same day by day: the longest vain look is then at 28 years, where neither
    is near a century that has no leap day, and takes some 10 ms.
    """
    end = last if rule.until is None else min(last, rule.until)
    if end < begin:
        return []
    years = _years_to_the_end(begin.year, end.year)
    first, until = (datetime(day.year + years, day.month, day.day) for day in (begin, end))  # noqa: DTZ001 - wall clock
    later = first.toordinal() - begin.toordinal()
    if rule.frequency == dateutil.WEEKLY and {"bysetpos", "byweekday"} <= rule.options.keys():
        # The places of a week are those of all of it; dateutil counts them in the rest of the first one.
        first -= timedelta(days=(first.weekday() - rule.options.get("wkst", dateutil.MO).weekday) % 7)
    # Not its own COUNT beside UNTIL: dateutil warns of that, because the RFC forbids a rule to say both.
    found = dateutil.rrule(rule.frequency, dtstart=first, until=until, **rule.options)
    return [day for moment in found if (day := date.fromordinal(moment.toordinal() - later)) >= begin][: rule.count]


@lru_cache(maxsize=256)
def _years_to_the_end(first: int, last: int) -> int:
    """How many years later the calendar is the same, as near to its end as can be; the neighbouring years too.

    The weeks of a year depend on its neighbours. The calendar is the same again every 400 years at least.
    """
    return next(
        years
        for years in range(_END_OF_CALENDAR - last - 1, -1, -1)
        if all(_kind(year) == _kind(year + years) for year in range(first - 1, last + 2))
    )


def _kind(year: int) -> tuple[int, bool]:
    return calendar.weekday(year, 1, 1), calendar.isleap(year)


def _refuse_what_does_not_go_together(parts: dict[str, str]) -> None:
    frequency, by = parts["FREQ"], {name for name in parts if name.startswith("BY")}
    ordinals = [_ordinal(day) for day in parts.get("BYDAY", "").split(",")]
    has_ordinal, has_plain = any(ordinals), not all(ordinals)
    wrong = (
        ("COUNT" in parts and "UNTIL" in parts)
        # The table of section 3.3.10.
        or (frequency == "WEEKLY" and "BYMONTHDAY" in by)
        or (frequency != "YEARLY" and not by.isdisjoint({"BYYEARDAY", "BYWEEKNO"}))
        or (by == {"BYSETPOS"})
        or (has_ordinal and (frequency in ("DAILY", "WEEKLY") or "BYWEEKNO" in by))
        # dateutil takes these otherwise than the RFC: all days of the week, and only what both allow.
        or ("BYWEEKNO" in by and "BYDAY" not in by)
        or (has_ordinal and has_plain)
    )
    if wrong:
        raise RuleInvalid("rrule_combination", "has parts that do not go together (RFC 5545, section 3.3.10)")


def _ordinal(day: str) -> str | None:
    match = _DAY.match(day)
    return match[1] if match else None


def _number(high: int, *, signed: bool = False) -> Callable[[str], int]:
    """A number from 1 to `high`; where it may be signed, from its end too."""

    def read(value: str) -> int:
        digits = value[1:] if signed and value[0] in "+-" else value
        if not re.fullmatch(r"[0-9]{1,4}", digits) or not 1 <= int(digits) <= high:
            raise RuleInvalid("rrule_number", "has a number that is out of range")
        return int(value)

    return read


def _several(read: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    def read_each(value: str) -> list[Any]:
        if not all(parts := value.split(",")):
            raise RuleInvalid("rrule_part", "has a part that is unknown, empty, said twice, or below a day")
        return [read(part) for part in parts]

    return read_each


def _weekday(value: str) -> Any:
    match = _DAY.match(value)
    if match is None:
        raise RuleInvalid("rrule_day", "has a day that is no day of the week")
    weekday = _WEEKDAYS[match[2]]
    return weekday(_number(_WEEKS, signed=True)(match[1])) if match[1] else weekday


def _week_start(value: str) -> Any:
    if value not in _WEEKDAYS:
        raise RuleInvalid("rrule_day", "has a day that is no day of the week")
    return _WEEKDAYS[value]


def _until(value: str) -> date:
    match = re.fullmatch(r"([0-9]{4})([0-9]{2})([0-9]{2})", value)
    with suppress(ValueError):
        if match is not None:
            return date(int(match[1]), int(match[2]), int(match[3]))
    raise RuleInvalid("rrule_until", "must have an UNTIL that is a local day, such as 20270630")


_WEEKS: Final = 53
_DAYS: Final = 366
# Each part that a rule may have, and how it is read.
_PARTS: Final[dict[str, Callable[[str], Any]]] = {
    "FREQ": _FREQUENCIES.__getitem__,
    "INTERVAL": _number(999),
    "COUNT": _number(9999),
    "UNTIL": _until,
    "BYDAY": _several(_weekday),
    "BYMONTH": _several(_number(12)),
    "BYMONTHDAY": _several(_number(31, signed=True)),
    "BYYEARDAY": _several(_number(_DAYS, signed=True)),
    "BYWEEKNO": _several(_number(_WEEKS, signed=True)),
    "BYSETPOS": _several(_number(_DAYS, signed=True)),
    "WKST": _week_start,
}
# As dateutil calls them.
_NAMES: Final = {name: name.lower() for name in _PARTS} | {"BYDAY": "byweekday"}
