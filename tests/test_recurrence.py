"""Rules of RFC 5545: the days that they give, the rules that are refused, and how long the worst of them takes."""

import time
from datetime import date, datetime, timedelta

import pytest
from dateutil import rrule as dateutil
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app.consultations.recurrence import MAX_RULE, RuleInvalid, days, parse

# What nobody should wait for; our worst takes some 10 ms.
SECONDS = 0.5
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

# Rules that never match, or hardly ever: dateutil alone looks for them until the year 9999.
HOSTILE = (
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=1",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;UNTIL=20270101",
    "FREQ=DAILY;BYMONTH=4;BYMONTHDAY=31;BYDAY=MO,TU,WE,TH,FR,SA,SU",
    "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
    "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYSETPOS=2",
    "FREQ=WEEKLY;INTERVAL=999;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=8",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
    "FREQ=MONTHLY;INTERVAL=12;BYMONTH=3",
    "FREQ=MONTHLY;BYMONTHDAY=" + ",".join(map(str, range(1, 32))) + ";BYSETPOS=366",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1",
    "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO;BYMONTH=6",
    "FREQ=YEARLY;INTERVAL=999;BYDAY=53MO",
    "FREQ=YEARLY;BYMONTHDAY=31;BYSETPOS=" + ",".join(map(str, range(200, 300))),
)


def test_a_rule_gives_the_days_that_the_rfc_says() -> None:
    begin = date(1997, 9, 2)
    # Examples of RFC 5545, section 3.8.5.3, by their days.
    for text, last, expected in (
        ("FREQ=DAILY;COUNT=10", (1998, 1, 1), [f"1997-09-{day:02}" for day in range(2, 12)]),
        ("FREQ=DAILY;INTERVAL=10;COUNT=3", (1998, 1, 1), ["1997-09-02", "1997-09-12", "1997-09-22"]),
        ("FREQ=WEEKLY;UNTIL=19971007;WKST=SU;BYDAY=TU,TH", (1998, 1, 1), [
            "1997-09-02", "1997-09-04", "1997-09-09", "1997-09-11", "1997-09-16", "1997-09-18", "1997-09-23",
            "1997-09-25", "1997-09-30", "1997-10-02", "1997-10-07",
        ]),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=1FR", (1998, 1, 1), ["1997-09-05", "1997-10-03", "1997-11-07"]),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", (1998, 12, 31), ["1998-02-13", "1998-03-13", "1998-11-13"]),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", (1998, 12, 1), ["1997-11-04", "1998-11-03"]),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", (1998, 1, 1), ["1997-09-04", "1997-10-07", "1997-11-06"]),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", (1999, 12, 31), ["1998-05-11", "1999-05-17"]),
    ):  # fmt: skip
        found = days(parse(text), begin=begin, last=date(*last))
        assert (text, [day.isoformat() for day in found]) == (text, expected)


@pytest.mark.parametrize("week_start", WEEKDAYS)
def test_the_first_week_is_a_whole_week_of_which_the_rule_takes_what_comes_first_or_last(week_start: str) -> None:
    """Section 3.3.10: "A set of recurrence instances starts at the beginning of the interval"."""
    monday = date(2027, 1, 4) + timedelta(days=WEEKDAYS.index(week_start))
    for begin in (monday + timedelta(days=number) for number in range(7)):
        last = begin + timedelta(days=41)
        weeks = [
            [day for n in range(7) if (day := monday + timedelta(days=7 * week + n)).weekday() in (0, 2, 4)]
            for week in range(0, 8, 2)
        ]
        for place in (1, 2, -1):
            chosen = [week[place - (place > 0)] for week in weeks]
            expected = [day for day in chosen if begin <= day <= last]
            text = f"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR;BYSETPOS={place};WKST={week_start}"
            assert days(parse(text), begin=begin, last=last) == expected
            assert days(parse(f"{text};COUNT=2"), begin=begin, last=last) == expected[:2]


@st.composite
def _rules(draw: st.DrawFn) -> str:
    """Rules that `parse` takes."""
    frequency = draw(st.sampled_from(("DAILY", "WEEKLY", "MONTHLY", "YEARLY")))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 5))}"]
    if draw(st.booleans()):
        parts.append(f"BYMONTH={draw(st.integers(1, 12))},{draw(st.integers(1, 12))}")
    has_ordinals = frequency in ("MONTHLY", "YEARLY") and draw(st.booleans())
    by_day = [draw(st.sampled_from(WEEKDAYS)) for _ in range(draw(st.integers(0, 3)))]
    if by_day:
        ordinal = draw(st.sampled_from((-2, -1, 1, 2, 3))) if has_ordinals else ""
        parts.append("BYDAY=" + ",".join(f"{ordinal}{day}" for day in by_day))
    if frequency != "WEEKLY" and draw(st.booleans()):
        parts.append(f"BYMONTHDAY={draw(st.integers(1, 31))},{draw(st.integers(-31, -1))}")
    if frequency == "YEARLY" and by_day and not has_ordinals and draw(st.booleans()):
        parts.append(f"BYWEEKNO={draw(st.integers(1, 53))},{draw(st.integers(-53, -1))}")
    if len(parts) > 2 and draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(st.sampled_from((-1, 1, 2)))}")
    if draw(st.booleans()):
        parts.append(f"WKST={draw(st.sampled_from(WEEKDAYS))}")
    end = draw(st.sampled_from(("", "COUNT=7", "UNTIL=20350101")))
    return ";".join([*parts, *([end] if end else [])])


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(_rules(), st.dates(date(2000, 1, 1), date(2079, 12, 31)), st.integers(0, 3000))
def test_what_is_asked_about_the_end_of_the_calendar_is_answered_as_if_asked_about_the_days_themselves(
    text: str, begin: date, length: int
) -> None:
    last = begin + timedelta(days=length)
    rule = parse(text)
    first, end = (datetime.combine(day, datetime.min.time()) for day in (begin, min(last, rule.until or last)))
    if rule.frequency == dateutil.WEEKLY and "byweekday" in rule.options:
        # From the week's begin: where there are no places in it, that is all the same.
        first -= timedelta(days=(first.weekday() - rule.options.get("wkst", dateutil.MO).weekday) % 7)
    found = dateutil.rrule(rule.frequency, dtstart=first, until=end, **rule.options)
    assert days(rule, begin=begin, last=last) == [day for each in found if (day := each.date()) >= begin][: rule.count]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_rule_that_never_matches_hangs_nobody(text: str) -> None:
    for begin in (date(2000, 1, 1), date(2027, 1, 5), date(2079, 12, 31)):
        began = time.perf_counter()
        found = days(parse(text), begin=begin, last=begin + timedelta(days=3650))
        assert time.perf_counter() - began < SECONDS
        assert len(found) < 4


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("FREQ=DAILYWKMONT;BSEP,+-0123456789 \n"), max_size=40) | st.text(max_size=MAX_RULE + 5))
def test_any_other_text_is_refused_without_repeating_it(text: str) -> None:
    assume(not text.startswith("FREQ="))
    with pytest.raises(RuleInvalid) as refused:
        parse(text)
    assert refused.value.code.startswith("rrule_")
    assert len(text) < 3 or text not in str(refused.value)


def test_what_readers_of_rules_differ_in_is_refused() -> None:
    for text in (
        # The weekday of the first day, says the RFC; every day of the week, says dateutil.
        "FREQ=YEARLY;BYWEEKNO=20",
        # Mondays and every second Tuesday, says the RFC; what is both, says dateutil.
        "FREQ=MONTHLY;BYDAY=MO,2TU",
        "FREQ=WEEKLY;BYDAY=2MO",
        "FREQ=DAILY;BYYEARDAY=3",
        "FREQ=MONTHLY;BYWEEKNO=3",
        "FREQ=DAILY;BYSETPOS=1",
        "FREQ=YEARLY;BYWEEKNO=3;BYDAY=1MO",
    ):
        with pytest.raises(RuleInvalid) as refused:
            parse(text)
        assert (text, refused.value.code) == (text, "rrule_combination")
