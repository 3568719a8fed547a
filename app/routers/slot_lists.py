"""Lists of consultation slots."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, ValidationError
from pydantic_core import to_json

from app.access.callers import Scope
from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import slots
from app.consultations.policies import Policy
from app.consultations.slot_shapes import ConsultationSlotPublic
from app.core.caching import FreshRoute
from app.core.db import Database
from app.core.errors import InvalidInput
from app.core.paging import address_after, as_next, instant, page_of
from app.core.problems import responses
from app.core.shapes import ListShape
from app.routers.deps import ALWAYS, AnyCaller, HouseInUse, with_api_key
from app.routers.slot_searches import SlotQuery, look_for


class _OpenDoor(FreshRoute):
    """Answers what anyone may ask without the framework's part: measured, that takes longer than to find the slots.

    Whoever has a credential, or asks for what is not simply right, meets the framework and hears from it.
    """

    async def quick_answer(self, request: Request) -> Response | None:
        """The answer, None for what the framework has to look at."""
        asked = request.query_params
        once = [name for name, _ in asked.multi_items() if name != "weekday"]
        if "authorization" in request.headers or len(set(once)) != len(once):
            return None
        days = {"weekday": asked.getlist("weekday")} if "weekday" in asked else {}
        try:
            query = SlotQuery.model_validate({**asked, **days})
        except ValidationError:
            return None
        state = request.app.state
        return None if query.status else await _answer(query, request, state.database, state.policy)


router = APIRouter(
    prefix="/consultation-slots",
    tags=["Consultation slots"],
    route_class=_OpenDoor,
    responses=responses(*ALWAYS),
)


class ConsultationSlotList(ListShape):
    """One page of a list of slots."""

    items: list[ConsultationSlotPublic] = Field(description="Slots, soonest first.")


@router.get(
    "",
    response_model=ConsultationSlotList,
    responses=responses(InvalidInput, CredentialInvalid, ScopeMissing),
    dependencies=[with_api_key],
    openapi_extra={"security": [{}]},
)
async def list_consultation_slots(
    query: Annotated[SlotQuery, Query()],
    request: Request,
    caller: AnyCaller,
    house: HouseInUse,
) -> Response:
    """List consultation slots.

    Those that can be booked now, soonest first. What is listed is bookable, until somebody books it; it may be a second
    old. Every given filter must hold. Days and times of day are read on the wall clock of the slot's zone.
    """
    if query.status is not None:
        caller.must(Scope.SLOTS_WRITE)
    return await _answer(query, request, house.database, house.policy)


async def _answer(query: SlotQuery, request: Request, database: Database, policy: Policy) -> Response:
    after = query.position(instant, UUID)
    find = partial(slots.find, policy=policy, limit=query.limit + 1, after=after, first=query.first_available)
    async with database.look() as look:
        found = await look_for(look, query.filter(), find)
    page, last = page_of(found, query.limit)
    link = address_after(request, last, lambda slot: (slot["starts_at"], slot["id"]))
    said = {"items": page} if link is None else {"next": link, "items": page}
    return Response(
        to_json(said), headers=None if link is None else {"link": as_next(link)}, media_type="application/json"
    )
