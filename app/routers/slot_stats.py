"""Figures on consultation slots."""

from datetime import date
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import slot_stats
from app.consultations.schedule_shapes import LocalDay
from app.consultations.slot_filters import SlotFilter
from app.consultations.slot_stats import MOST_DAYS, SlotStats
from app.consultations.slot_stats_queries import Grouping
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput
from app.core.media_types import prefers
from app.core.problems import responses
from app.interop.slot_stats_csv import COLUMNS, MEDIA_TYPE, stats_csv
from app.routers.deps import ALWAYS, HouseInUse, ReadSession, SlotsWriter, with_api_key
from app.routers.slot_searches import SlotSearch, look_for

router = APIRouter(
    prefix="/consultation-slots",
    tags=["Consultation slots"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS),
)
_EXAMPLE: Final = (
    ",".join(COLUMNS),
    "group,dr-rivera,Dr. Rivera,40,2,76,61,9,5,48,3,12.25,8",
    "total,,,40,2,76,61,9,5,48,3,12.25,8",
    "",
)
_IN_TWO_FORMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Figures on the slots of some days.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": "\r\n".join(_EXAMPLE)}},
        "headers": {"Vary": {"$ref": "#/components/headers/Vary"}},
    }
}


class SlotStatsQuery(SlotSearch):
    """Which slots to count, and how to group them."""

    first: LocalDay = Field(
        alias="from", description="First local day, in each slot's own zone.", examples=["2027-01-01"]
    )
    last: LocalDay = Field(
        alias="to", description="Last local day, so that they are 366 at most.", examples=["2027-01-31"]
    )
    by: Grouping = Field(description="What each row stands for.", examples=["clinician"])

    @field_validator("last")
    @classmethod
    def _near(cls, last: date, info: ValidationInfo) -> date:
        first = info.data.get("first")
        if first is not None and last < first:
            raise PydanticCustomError("end_before_start", "must not be earlier than from")
        if first is not None and (last - first).days >= MOST_DAYS:
            raise PydanticCustomError("too_far", "must be within 366 days")
        return last


@router.get(
    "/stats",
    response_model=SlotStats,
    responses={**_IN_TWO_FORMS, **responses(InvalidInput, CredentialInvalid, ScopeMissing)},
    dependencies=[with_api_key],
)
async def read_slot_stats(
    query: Annotated[SlotStatsQuery, Query()],
    request: Request,
    response: Response,
    _caller: SlotsWriter,
    house: HouseInUse,
    session: ReadSession,
) -> SlotStats | Response:
    """Read figures on slots.

    How many were posted, filled, are free or were cancelled, who came, how long before they booked, and how far off the
    third free slot is: by clinician, location, category or week, and in total. A slot for one condition counts for its
    category. The filters are those of the list. Sums only, nothing of a patient. As a table for spreadsheets to whoever
    prefers `text/csv`. Needs the scope `slots:write`.
    """

    async def count(source: Any, wanted: SlotFilter) -> SlotStats:
        return await slot_stats.figures(
            source, wanted, by=query.by, first=query.first, last=query.last, policy=house.policy
        )

    stats = await look_for(session, query.filter(), count)
    response.headers["vary"] = "Accept"
    if prefers(", ".join(request.headers.getlist("accept")), MEDIA_TYPE, "application/json"):
        return Response(stats_csv(stats), headers={"vary": "Accept"}, media_type=f"{MEDIA_TYPE}; charset=utf-8")
    return stats
