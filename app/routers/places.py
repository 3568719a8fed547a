"""Clinicians and locations."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import places
from app.consultations.errors import ClinicianNotFound, LocationNotFound, SlugTaken
from app.consultations.shapes import ClinicianCreate, ClinicianPublic, LocationCreate, LocationPublic
from app.core.caching import REVALIDATE, conditional
from app.core.errors import InvalidInput
from app.core.paging import PageQuery, next_link, page_of
from app.core.problems import responses
from app.core.shapes import ListShape
from app.routers.deps import ALWAYS, BODY, PathSlug, ReadSession, SlotsWriter, WriteSession, with_api_key

clinicians = APIRouter(
    prefix="/clinicians", tags=["Clinicians"], route_class=conditional(REVALIDATE), responses=responses(*ALWAYS)
)
locations = APIRouter(
    prefix="/locations", tags=["Locations"], route_class=conditional(REVALIDATE), responses=responses(*ALWAYS)
)
_CREATE = responses(*BODY, CredentialInvalid, ScopeMissing, SlugTaken)


class ClinicianList(ListShape):
    """One page of a list of clinicians."""

    items: list[ClinicianPublic] = Field(description="Clinicians by slug.")


class LocationList(ListShape):
    """One page of a list of locations."""

    items: list[LocationPublic] = Field(description="Locations by slug.")


@clinicians.get("", responses=responses(InvalidInput))
async def list_clinicians(
    query: Annotated[PageQuery, Query()], request: Request, response: Response, session: ReadSession
) -> ClinicianList:
    """List clinicians.

    By slug.
    """
    found = await places.list_clinicians(session, limit=query.limit + 1, after=query.first(str))
    page, last = page_of(found, query.limit)
    return ClinicianList(items=page, next=next_link(request, response, query, last, lambda place: (place.slug,)))


@clinicians.get("/{slug}", responses=responses(ClinicianNotFound))
async def read_clinician(slug: PathSlug, session: ReadSession) -> ClinicianPublic:
    """Read a clinician.

    By slug.
    """
    return await places.get_clinician(session, slug)


@clinicians.post("", status_code=status.HTTP_201_CREATED, responses=_CREATE, dependencies=[with_api_key])
async def create_clinician(
    wish: ClinicianCreate, response: Response, caller: SlotsWriter, session: WriteSession
) -> ClinicianPublic:
    """Make a clinician known.

    Needs the scope `slots:write`.
    """
    response.headers["location"] = f"/clinicians/{wish.slug}"
    return await places.add_clinician(session, wish, by=caller.actor)


@locations.get("", responses=responses(InvalidInput))
async def list_locations(
    query: Annotated[PageQuery, Query()], request: Request, response: Response, session: ReadSession
) -> LocationList:
    """List locations.

    By slug.
    """
    found = await places.list_locations(session, limit=query.limit + 1, after=query.first(str))
    page, last = page_of(found, query.limit)
    return LocationList(items=page, next=next_link(request, response, query, last, lambda place: (place.slug,)))


@locations.get("/{slug}", responses=responses(LocationNotFound))
async def read_location(slug: PathSlug, session: ReadSession) -> LocationPublic:
    """Read a location.

    By slug.
    """
    return await places.get_location(session, slug)


@locations.post("", status_code=status.HTTP_201_CREATED, responses=_CREATE, dependencies=[with_api_key])
async def create_location(
    wish: LocationCreate, response: Response, caller: SlotsWriter, session: WriteSession
) -> LocationPublic:
    """Make a location known.

    Its time zone is that of the slots posted there. Needs the scope `slots:write`.
    """
    response.headers["location"] = f"/locations/{wish.slug}"
    return await places.add_location(session, wish, by=caller.actor)
