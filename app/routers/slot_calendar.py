"""A month of consultation slots, day by day."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field, StringConstraints

from app.consultations import slot_calendar
from app.consultations.slot_calendar import SlotCalendar
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput
from app.core.problems import responses
from app.core.shapes import TimeZone
from app.routers.deps import ALWAYS, HouseInUse
from app.routers.slot_searches import SlotSearch, look_for

router = APIRouter(
    prefix="/consultation-slots",
    tags=["Consultation slots"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS),
)


class CalendarQuery(SlotSearch):
    """Which month to show, and of which slots."""

    month: Annotated[str, StringConstraints(pattern=r"^20[0-7][0-9]-(0[1-9]|1[0-2])$")] = Field(
        description="The month, from 2000-01 to 2079-12.", examples=["2027-01"]
    )
    time_zone: TimeZone | None = Field(
        default=None,
        description="IANA zone whose days are shown. Absent: each slot counts for the day of its own zone, which is "
        "its location's.",
        examples=["Europe/Berlin"],
    )


@router.get("/calendar", responses=responses(InvalidInput))
async def read_slot_calendar(query: Annotated[CalendarQuery, Query()], house: HouseInUse) -> SlotCalendar:
    """Read a month of free slots, day by day.

    How many slots of each day are open and to come, how many of them can be booked now, and when the first of those
    begins. The filters are those of the list, and what counts as free is what the list shows; it may be a second old.
    """
    find = partial(slot_calendar.month_of, month=query.month, time_zone=query.time_zone, policy=house.policy)

    async def ask() -> SlotCalendar:
        async with house.database.look() as look:
            return await look_for(look, query.filter(), find)

    return await house.brief.get(("calendar", query.model_dump_json()), ask)
