"""Schedules: patterns that slots recur by."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field

from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import references, schedule_changes, schedule_expansion, schedule_posting, schedules
from app.consultations.errors import ScheduleEnded, ScheduleNotFound
from app.consultations.schedule_answers import Occurrences, ScheduleChanged, SchedulePosted, SlotSchedulePublic
from app.consultations.schedule_shapes import LocalDay, SchedulePost, SlotScheduleCreate
from app.consultations.schedule_tables import ScheduleStatus
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput, VersionNeeded, VersionStale
from app.core.paging import PageQuery, next_link, page_of
from app.core.problems import responses
from app.core.shapes import ListShape, Slug
from app.routers.deps import ALWAYS, BODY, IfMatch, ReadSession, SlotsWriter, WriteSession, with_api_key
from app.routers.present_slugs import with_present_slugs

router = APIRouter(
    prefix="/slot-schedules",
    tags=["Schedules"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS, InvalidInput, CredentialInvalid, ScopeMissing),
    dependencies=[with_api_key],
)
ScheduleId = Annotated[UUID, Path(description="The schedule's id.", examples=["01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"])]


class ScheduleQuery(PageQuery):
    """Which schedules to list."""

    status: ScheduleStatus | None = Field(default=None, description="Schedules of this status.", examples=["active"])
    clinician: Slug | None = Field(default=None, description="Of this clinician.", examples=["dr-rivera"])
    location: Slug | None = Field(default=None, description="At this location.", examples=["main-building"])


class WindowQuery(BaseModel):
    """Which local days to show."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    first: LocalDay | None = Field(
        default=None,
        alias="from",
        description="First local day. Absent: today, or the day on which the schedule begins, if that is later.",
        examples=["2027-01-05"],
    )
    last: LocalDay | None = Field(
        default=None,
        alias="to",
        description="Last local day, 366 days after the first at most. Absent: four weeks are shown.",
        examples=["2027-02-01"],
    )


class SlotScheduleList(ListShape):
    """One page of a list of schedules."""

    items: list[SlotSchedulePublic] = Field(description="Schedules, newest first.")


@router.post("", status_code=status.HTTP_201_CREATED, responses=responses(*BODY))
async def create_slot_schedule(
    wish: SlotScheduleCreate, response: Response, caller: SlotsWriter, session: WriteSession
) -> SlotSchedulePublic:
    """Make a schedule.

    It posts nothing yet: look at its occurrences, then post it. With `horizon_days` it is posted within the hour. Needs
    the scope `slots:write`.
    """
    made = await schedules.add(session, await with_present_slugs(session, wish), by=caller.actor)
    response.headers["location"] = f"/slot-schedules/{made.id}"
    return made


@router.post("/preview", responses=responses(*BODY))
async def preview_slot_schedule(
    wish: SlotScheduleCreate, query: Annotated[WindowQuery, Query()], _caller: SlotsWriter, session: WriteSession
) -> Occurrences:
    """Show what a schedule would come to.

    Slot by slot, with what stands in the way; nothing is saved. Needs the scope `slots:write`.
    """
    wish = await with_present_slugs(session, wish)
    columns = schedules.columns_of(wish, await references.look_up(session, [wish]))
    source = schedule_expansion.source_of(columns, schedule_id=None)
    return await schedule_expansion.show(session, source, first=query.first, last=query.last)


@router.get("")
async def list_slot_schedules(
    query: Annotated[ScheduleQuery, Query()],
    request: Request,
    response: Response,
    _caller: SlotsWriter,
    session: ReadSession,
) -> SlotScheduleList:
    """List schedules.

    Newest first. Needs the scope `slots:write`.
    """
    found = await schedules.find(
        session,
        status=query.status,
        clinician=query.clinician,
        location=query.location,
        limit=query.limit + 1,
        after=query.first(UUID),
    )
    page, last = page_of(found, query.limit)
    return SlotScheduleList(items=page, next=next_link(request, response, last, lambda schedule: (schedule.id,)))


# A UUID by its address, so that `/preview` is no schedule of that name.
@router.get("/{schedule_id}", responses=responses(ScheduleNotFound))
async def read_slot_schedule(
    schedule_id: ScheduleId, request: Request, _caller: SlotsWriter, session: ReadSession
) -> SlotSchedulePublic:
    """Read a schedule.

    Needs the scope `slots:write`.
    """
    found = schedules.public(await schedules.get(session, schedule_id))
    request.state.version = found.version
    return found


@router.put("/{schedule_id}", responses=responses(*BODY, ScheduleNotFound, ScheduleEnded, VersionStale, VersionNeeded))
async def replace_slot_schedule(
    schedule_id: ScheduleId,
    wish: SlotScheduleCreate,
    versions: IfMatch,
    caller: SlotsWriter,
    session: WriteSession,
    dry_run: Annotated[bool, Query(description="Only tell what would change.", examples=[True])] = False,  # noqa: FBT002 - a query parameter has a name
) -> ScheduleChanged:
    """Change a schedule.

    The slots that are posted follow it: new ones are posted, up to the day that was posted before; those that it has no
    longer are cancelled, unless they are booked or closed: these are kept and named. Needs the scope `slots:write`.
    """
    wish = await with_present_slugs(session, wish)
    return await schedule_changes.change(
        session, schedule_id, wish, versions=versions, dry_run=dry_run, by=caller.actor
    )


@router.post("/{schedule_id}/end", responses=responses(ScheduleNotFound, VersionStale, VersionNeeded))
async def end_slot_schedule(
    schedule_id: ScheduleId, versions: IfMatch, caller: SlotsWriter, session: WriteSession
) -> SlotSchedulePublic:
    """End a schedule.

    It makes no more slots; those that are posted stay. For good; ending it again changes nothing. Needs the scope
    `slots:write`.
    """
    return await schedules.end(session, schedule_id, versions=versions, by=caller.actor)


@router.get("/{schedule_id}/occurrences", responses=responses(ScheduleNotFound))
async def list_schedule_occurrences(
    schedule_id: ScheduleId, query: Annotated[WindowQuery, Query()], _caller: SlotsWriter, session: ReadSession
) -> Occurrences:
    """Show what a schedule comes to.

    Slot by slot: what was posted, what would be, and what is left out for which reason. Needs the scope `slots:write`.
    """
    schedule = await schedules.get(session, schedule_id)
    source = schedule_expansion.source_of(schedule, schedule_id=schedule_id)
    return await schedule_expansion.show(session, source, first=query.first, last=query.last)


@router.post("/{schedule_id}/post", responses=responses(*BODY, ScheduleNotFound, ScheduleEnded))
async def post_slot_schedule(
    schedule_id: ScheduleId, wish: SchedulePost, caller: SlotsWriter, session: WriteSession
) -> SchedulePosted:
    """Post the slots of a schedule.

    From today up to a local day. What cannot be posted is told and hinders nothing else; posting again posts what is
    missing. Needs the scope `slots:write`.
    """
    return await schedule_posting.post_until(session, schedule_id, wish.until, by=caller.actor)
