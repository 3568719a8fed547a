"""What is sent and read about schedules of slots."""

import re
from datetime import date
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from app.consultations import recurrence
from app.consultations.occurrences import LONGEST, MOST_AT_ONCE
from app.consultations.tables import MAX_SEATS, SlotMode
from app.core.shapes import NOT_IN_EXAMPLE, Line, RequestShape, Slug, TimeZone, WholeNumber

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2079, 12, 31)
MOST_DATES: Final = 1_000
MOST_DAYS_AHEAD: Final = 366
_DAY_MINUTES: Final = 24 * 60
_RULE = "FREQ=WEEKLY;BYDAY=TU,TH"


def _full_date(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise PydanticCustomError("full_date", "must be a day such as 2027-01-12")
    if not isinstance(value, str | date):
        raise PydanticCustomError("full_date", "must be a day such as 2027-01-12")
    return value


def _near(value: date) -> date:
    if not FIRST_DAY <= value <= LAST_DAY:
        raise PydanticCustomError("date_range", "must lie between 2000 and 2079")
    return value


def _rule(value: str) -> str:
    try:
        recurrence.parse(value)
    except recurrence.RuleInvalid as invalid:
        # The sentence is ours, and repeats nothing of the rule.
        raise PydanticCustomError(invalid.code, str(invalid)) from None
    return value


# A day on the local calendar, as RFC 3339 writes it.
LocalDay = Annotated[date, BeforeValidator(_full_date), AfterValidator(_near)]
RecurrenceRule = Annotated[
    str, StringConstraints(max_length=recurrence.MAX_RULE, pattern=recurrence.RULE_PATTERN), AfterValidator(_rule)
]
WallClock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
# Said twice: beside null, Pydantic 2.14 writes `ge` into the schema, which no reader knows.
Horizon = Annotated[
    WholeNumber,
    Field(ge=1, le=MOST_DAYS_AHEAD),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST_DAYS_AHEAD}),
]
# 24:00 is the end of the day (ISO 8601).
WallClockEnd = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


def minute_of(wall_clock: str) -> int:
    """Minutes after midnight."""
    return 60 * int(wall_clock[:2]) + int(wall_clock[3:])


class SlotScheduleCreate(RequestShape):
    """A pattern that slots recur by."""

    name: Annotated[str, Line(200)] = Field(
        description="What colleagues call it; patients do not see it.", examples=["Tuesdays and Thursdays"]
    )
    rrule: RecurrenceRule = Field(
        description="On which days: an RRULE of RFC 5545, counted from `valid_from`. `FREQ` comes first and is DAILY "
        "or longer; `UNTIL` is a local day. The times of a day are those of the session.",
        examples=[_RULE],
    )
    exdates: list[LocalDay] = Field(
        default=[], max_length=MOST_DATES, description="Local days that are left out.", examples=[["2027-03-04"]]
    )
    rdates: list[LocalDay] = Field(
        default=[],
        max_length=MOST_DATES,
        description="Local days that are added, not before `valid_from` nor after `valid_until`.",
        examples=[["2027-03-05"]],
    )
    session_starts: WallClock = Field(
        description="When the first slot of a day begins, local time.", examples=["09:00"]
    )
    session_ends: WallClockEnd = Field(
        description="When the last slot of a day has ended, local time; `24:00` is the end of the day.",
        examples=["12:00"],
    )
    length_minutes: WholeNumber = Field(ge=1, le=_DAY_MINUTES, description="Length of a slot.", examples=[30])
    gap_minutes: WholeNumber = Field(
        default=0, ge=0, le=_DAY_MINUTES, description="Pause between two slots.", examples=[0]
    )
    time_zone: TimeZone | None = Field(
        default=None,
        description="IANA zone of all that is local. Absent: the location's. With both, they must agree.",
        examples=["Europe/Berlin"],
    )
    mode: SlotMode = Field(description="How patient and clinician meet.", examples=["video"])
    capacity: WholeNumber = Field(ge=1, le=MAX_SEATS, description="Number of seats of a slot.", examples=[1])
    clinician: Slug | None = Field(default=None, description="Slug of the clinician.", json_schema_extra=NOT_IN_EXAMPLE)
    location: Slug | None = Field(
        default=None,
        description="Slug of the location; its public holidays are left out if it says whose they are.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    room: Slug | None = Field(
        default=None, description="Slug of the room at this location.", json_schema_extra=NOT_IN_EXAMPLE
    )
    category: Slug | None = Field(
        default=None,
        description="Offered for this category only. Not together with `condition`.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    condition: Slug | None = Field(
        default=None,
        description="Offered for this condition only. With neither, for anything.",
        examples=["acute-lymphoblastic-leukemia"],
    )
    valid_from: LocalDay = Field(
        description="The local day on which it begins, and from which the rule counts.", examples=["2027-01-05"]
    )
    valid_until: LocalDay | None = Field(
        default=None,
        description="Its last local day, ten years after `valid_from` at most, which is what holds without one. Not "
        "together with a rule's own COUNT or UNTIL.",
        examples=["2027-06-30"],
    )
    horizon_days: Horizon | None = Field(
        default=None,
        description=f"Keep it posted so many days ahead, but no more than {MOST_AT_ONCE} slots. Absent: only what an "
        "admin posts.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )

    @field_validator("session_ends")
    @classmethod
    def _after_start(cls, session_ends: str, info: ValidationInfo) -> str:
        if "session_starts" in info.data and minute_of(session_ends) <= minute_of(info.data["session_starts"]):
            raise PydanticCustomError("end_before_start", "must be later than session_starts")
        return session_ends

    @field_validator("length_minutes")
    @classmethod
    def _fits(cls, length_minutes: int, info: ValidationInfo) -> int:
        if {"session_starts", "session_ends"} <= info.data.keys():
            session = minute_of(info.data["session_ends"]) - minute_of(info.data["session_starts"])
            if length_minutes > session:
                raise PydanticCustomError("longer_than_session", "is longer than the session")
        return length_minutes

    @field_validator("room")
    @classmethod
    def _at_location(cls, room: str | None, info: ValidationInfo) -> str | None:
        if room is not None and info.data.get("location") is None:
            raise PydanticCustomError("location_missing", "needs a location beside it")
        return room

    @field_validator("condition")
    @classmethod
    def _one_topic(cls, condition: str | None, info: ValidationInfo) -> str | None:
        if condition is not None and info.data.get("category") is not None:
            raise PydanticCustomError("one_topic", "cannot stand together with category")
        return condition

    @field_validator("valid_from")
    @classmethod
    def _nothing_before(cls, valid_from: date, info: ValidationInfo) -> date:
        if any(not valid_from <= day <= valid_from + LONGEST for day in info.data.get("rdates", [])):
            raise PydanticCustomError("rdate_outside", "is later than one of rdates, or ten years before one")
        return valid_from

    @field_validator("valid_until")
    @classmethod
    def _one_end(cls, valid_until: date | None, info: ValidationInfo) -> date | None:
        begin = info.data.get("valid_from")
        if valid_until is None or begin is None:
            return valid_until
        if not begin <= valid_until <= begin + LONGEST:
            raise PydanticCustomError("valid_until", "must lie within ten years after valid_from")
        if "rrule" in info.data:
            rule = recurrence.parse(info.data["rrule"])
            if rule.count is not None or rule.until is not None:
                raise PydanticCustomError("two_ends", "cannot stand together with a rule's COUNT or UNTIL")
        if any(day > valid_until for day in info.data.get("rdates", [])):
            raise PydanticCustomError("rdate_outside", "is earlier than one of rdates")
        return valid_until


class SchedulePost(RequestShape):
    """How far to post a schedule."""

    until: LocalDay = Field(
        description="Last local day that is posted: within 366 days after today, or after the day on which it begins.",
        examples=["2027-02-28"],
    )
