"""Absences: when a clinician is away, or a location closed."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import Field

from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import absences
from app.consultations.absence_shapes import AbsenceCreate, AbsencePublic, AbsenceWithAffected
from app.consultations.errors import AbsenceNotFound
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput
from app.core.paging import PageQuery, instant, next_link, page_of
from app.core.problems import responses
from app.core.shapes import Instant, ListShape, Slug
from app.routers.deps import ALWAYS, BODY, ReadSession, SlotsWriter, WriteSession, with_api_key

router = APIRouter(
    prefix="/absences",
    tags=["Schedules"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS, InvalidInput, CredentialInvalid, ScopeMissing),
    dependencies=[with_api_key],
)
AbsenceId = Annotated[UUID, Path(description="The absence's id.", examples=["01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"])]


class AbsenceQuery(PageQuery):
    """Which absences to list."""

    clinician: Slug | None = Field(default=None, description="Of this clinician.", examples=["dr-rivera"])
    location: Slug | None = Field(default=None, description="Of this location.", examples=["main-building"])
    since: Instant | None = Field(
        default=None, alias="from", description="Ends after this moment.", examples=["2027-01-01T00:00:00Z"]
    )
    before: Instant | None = Field(
        default=None, alias="to", description="Begins before this moment.", examples=["2027-02-01T00:00:00Z"]
    )


class AbsenceList(ListShape):
    """One page of a list of absences."""

    items: list[AbsencePublic] = Field(description="Absences, soonest first.")


@router.post("", status_code=status.HTTP_201_CREATED, responses=responses(*BODY))
async def create_absence(
    wish: AbsenceCreate, response: Response, caller: SlotsWriter, session: WriteSession
) -> AbsenceWithAffected:
    """Write down an absence.

    Schedules post no slots there from now on. What stands there already is told in `affected`, and stays. Needs the
    scope `slots:write`.
    """
    made = await absences.add(session, wish, by=caller.actor)
    response.headers["location"] = f"/absences/{made.id}"
    return made


@router.get("")
async def list_absences(
    query: Annotated[AbsenceQuery, Query()],
    request: Request,
    response: Response,
    _caller: SlotsWriter,
    session: ReadSession,
) -> AbsenceList:
    """List absences.

    Soonest first. Needs the scope `slots:write`.
    """
    found = await absences.find(
        session,
        clinician=query.clinician,
        location=query.location,
        since=query.since,
        before=query.before,
        limit=query.limit + 1,
        after=query.position(instant, UUID),
    )
    page, last = page_of(found, query.limit)
    return AbsenceList(
        items=page, next=next_link(request, response, last, lambda absence: (absence.starts_at, absence.id))
    )


@router.get("/{absence_id}", responses=responses(AbsenceNotFound))
async def read_absence(absence_id: AbsenceId, _caller: SlotsWriter, session: ReadSession) -> AbsenceWithAffected:
    """Read an absence.

    With what stands in it now. Needs the scope `slots:write`.
    """
    return await absences.get(session, absence_id)


@router.delete("/{absence_id}", responses=responses(AbsenceNotFound))
async def delete_absence(absence_id: AbsenceId, caller: SlotsWriter, session: WriteSession) -> AbsencePublic:
    """Delete an absence.

    Schedules post there again when they are posted next. Answers what it was. Needs the scope `slots:write`.
    """
    return await absences.remove(session, absence_id, by=caller.actor)
