"""What slots can be looked for by, at every door that looks for them."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations.first_available import FirstAvailable
from app.consultations.schedule_shapes import WallClock, WallClockEnd, minute_of
from app.consultations.slot_filters import SlotFilter
from app.consultations.tables import SlotMode, SlotStatus
from app.core.errors import InvalidInput
from app.core.paging import PageQuery
from app.core.shapes import Instant, Slug
from app.routers.present_slugs import with_present_slugs

_T = TypeVar("_T")
_Source = TypeVar("_Source", AsyncConnection, AsyncSession)


class Weekday(StrEnum):
    """A day of the week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


_WEEK: Final = tuple(Weekday)


class StatusFilter(StrEnum):
    """Slots of one status, or all."""

    OPEN = "open"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    ALL = "all"


class SlotSearch(BaseModel):
    """Filters of slots; every given one must hold. Unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    condition: Slug | None = Field(
        default=None,
        description="Offered for this condition, its category, or anything.",
        examples=["acute-lymphoblastic-leukemia"],
    )
    category: Slug | None = Field(
        default=None,
        description="Offered for this category, its conditions, or anything.",
        examples=["hematologic-malignancies"],
    )
    mode: SlotMode | None = Field(default=None, description="How patient and clinician meet.", examples=["video"])
    clinician: Slug | None = Field(default=None, description="With this clinician.", examples=["dr-rivera"])
    location: Slug | None = Field(default=None, description="At this location.", examples=["main-building"])
    room: Slug | None = Field(
        default=None, description="In this room of the location, which has to be named too.", examples=["room-3"]
    )
    weekday: Annotated[list[Weekday], Field(max_length=20)] | None = Field(
        default=None,
        description="Begins on this day of the week, on the wall clock of the slot's zone. May be repeated: on one of "
        "these.",
        examples=[["monday", "wednesday"]],
    )
    time_from: WallClock | None = Field(
        default=None,
        description="Begins at this time of day or later, on the wall clock of the slot's zone.",
        examples=["08:00"],
    )
    time_to: WallClockEnd | None = Field(
        default=None,
        description="Begins before this time of day, on the wall clock of the slot's zone; later than `time_from`. "
        "`24:00` is the end of the day.",
        examples=["12:30"],
    )

    @field_validator("room")
    @classmethod
    def _at_location(cls, room: str | None, info: ValidationInfo) -> str | None:
        if room is not None and info.data.get("location") is None:
            raise PydanticCustomError("location_missing", "needs a location beside it")
        return room

    @field_validator("time_to")
    @classmethod
    def _after_begin(cls, time_to: str | None, info: ValidationInfo) -> str | None:
        time_from = info.data.get("time_from")
        # Both have the same form: the order of texts is that of times.
        if time_to is not None and time_from is not None and time_to <= time_from:
            raise PydanticCustomError("end_before_start", "must be later than time_from")
        return time_to

    def filter(self, **more: Any) -> SlotFilter:
        """The same and these, as the rooms take it."""
        return SlotFilter(
            condition=self.condition,
            category=self.category,
            mode=self.mode,
            clinician=self.clinician,
            location=self.location,
            room=self.room,
            weekdays=tuple(sorted({_WEEK.index(day) + 1 for day in self.weekday})) if self.weekday else None,
            minute_from=minute_of(self.time_from) if self.time_from else None,
            minute_before=minute_of(self.time_to) if self.time_to else None,
            **more,
        )


class SlotQuery(SlotSearch, PageQuery):
    """Which slots to list."""

    starts_from: Instant | None = Field(
        default=None, alias="from", description="Begins at this moment or later.", examples=["2027-01-01T00:00:00Z"]
    )
    starts_before: Instant | None = Field(
        default=None, alias="to", description="Begins before this moment.", examples=["2027-02-01T00:00:00Z"]
    )
    status: StatusFilter | None = Field(
        default=None,
        description="Slots of this status, full and past ones too; needs the scope `slots:write`. Absent: the free.",
        examples=["open"],
    )
    archived: bool = Field(
        default=False,
        description="With `status`: those too that were laid aside, long after their end.",
        examples=[True],
    )
    first_available: FirstAvailable | None = Field(
        default=None,
        description="Only the first free slot of each clinician, of each location, or of each mode. Not together with "
        "`status`.",
        examples=["mode"],
    )

    @field_validator("first_available")
    @classmethod
    def _of_the_free(cls, first: FirstAvailable | None, info: ValidationInfo) -> FirstAvailable | None:
        if first is not None and info.data.get("status") is not None:
            raise PydanticCustomError("one_of_two", "cannot stand together with status")
        return first

    def filter(self, **more: Any) -> SlotFilter:
        """The same and these, as the room takes it."""
        statuses = None
        if self.status is not None:
            statuses = tuple(SlotStatus) if self.status is StatusFilter.ALL else (SlotStatus(self.status),)
        return super().filter(
            starts_from=self.starts_from,
            starts_before=self.starts_before,
            statuses=statuses,
            archived=True if self.archived and statuses else None,
            **more,
        )


async def look_for(source: _Source, wanted: SlotFilter, find: Callable[[_Source, SlotFilter], Awaitable[_T]]) -> _T:
    """What `find` finds; where the filter names a condition or a category by a former slug, by the present one.

    Former slugs are looked up only where the filter names what is unknown: nobody else pays for them.
    """
    try:
        return await find(source, wanted)
    except InvalidInput:
        present = await with_present_slugs(source, wanted)
        if present == wanted:
            raise
        return await find(source, present)
