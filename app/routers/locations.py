"""Locations: where consultations happen."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import locations, rooms
from app.consultations.errors import LocationInUse, LocationNotFound, SlugTaken
from app.consultations.place_shapes import LocationCreate, LocationPublic, LocationUpdate, RoomCreate, RoomPublic
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput, VersionNeeded, VersionStale
from app.core.paging import PageQuery, next_link, page_of
from app.core.problems import responses
from app.core.shapes import ListShape
from app.routers.deps import ALWAYS, BODY, IfMatch, LocationSlug, ReadSession, SlotsWriter, WriteSession, with_api_key

router = APIRouter(prefix="/locations", tags=["Locations"], route_class=FreshRoute, responses=responses(*ALWAYS))


class LocationList(ListShape):
    """One page of a list of locations."""

    items: list[LocationPublic] = Field(description="Locations by slug.")


class RoomList(ListShape):
    """One page of a list of rooms."""

    items: list[RoomPublic] = Field(description="Rooms by slug.")


@router.get("", responses=responses(InvalidInput))
async def list_locations(
    query: Annotated[PageQuery, Query()], request: Request, response: Response, session: ReadSession
) -> LocationList:
    """List locations.

    By slug.
    """
    found = await locations.find(session, limit=query.limit + 1, after=query.first(str))
    page, last = page_of(found, query.limit)
    return LocationList(items=page, next=next_link(request, response, last, lambda location: (location.slug,)))


@router.get("/{slug}", responses=responses(LocationNotFound))
async def read_location(slug: LocationSlug, request: Request, session: ReadSession) -> LocationPublic:
    """Read a location.

    By slug.
    """
    location = await locations.get(session, slug)
    request.state.version = location.version
    return location


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(*BODY, CredentialInvalid, ScopeMissing, SlugTaken),
    dependencies=[with_api_key],
)
async def create_location(
    wish: LocationCreate, response: Response, caller: SlotsWriter, session: WriteSession
) -> LocationPublic:
    """Make a location known.

    Its time zone is that of the slots posted there. Needs the scope `slots:write`.
    """
    response.headers["location"] = f"/locations/{wish.slug}"
    return await locations.add(session, wish, by=caller.actor)


@router.patch(
    "/{slug}",
    responses=responses(
        *BODY, CredentialInvalid, ScopeMissing, LocationNotFound, LocationInUse, VersionStale, VersionNeeded
    ),
    dependencies=[with_api_key],
)
async def change_location(
    slug: LocationSlug, wish: LocationUpdate, versions: IfMatch, caller: SlotsWriter, session: WriteSession
) -> LocationPublic:
    """Change a location.

    What is absent stays; `null` takes away a policy or the holidays. Schedules leave out the public holidays from then
    on; slots that are posted stay. Needs the scope `slots:write`.
    """
    return await locations.change(session, slug, wish, versions=versions, by=caller.actor)


@router.get("/{slug}/rooms", responses=responses(LocationNotFound, InvalidInput))
async def list_rooms(
    slug: LocationSlug, query: Annotated[PageQuery, Query()], request: Request, response: Response, session: ReadSession
) -> RoomList:
    """List the rooms of a location.

    By slug.
    """
    found = await rooms.find(session, slug, limit=query.limit + 1, after=query.first(str))
    page, last = page_of(found, query.limit)
    return RoomList(items=page, next=next_link(request, response, last, lambda room: (room.slug,)))


@router.post(
    "/{slug}/rooms",
    status_code=status.HTTP_201_CREATED,
    responses=responses(*BODY, CredentialInvalid, ScopeMissing, LocationNotFound, SlugTaken),
    dependencies=[with_api_key],
)
async def create_room(
    slug: LocationSlug, wish: RoomCreate, response: Response, caller: SlotsWriter, session: WriteSession
) -> RoomPublic:
    """Make a room of a location known.

    A room holds one consultation at a time. Needs the scope `slots:write`.
    """
    response.headers["location"] = f"/locations/{slug}/rooms"
    return await rooms.add(session, slug, wish, by=caller.actor)
