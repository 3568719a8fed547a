"""Clinicians: who is consulted."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import clinicians
from app.consultations.errors import ClinicianNotFound, SlugTaken
from app.consultations.place_shapes import ClinicianCreate, ClinicianPublic
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput
from app.core.paging import PageQuery, next_link, page_of
from app.core.problems import responses
from app.core.shapes import ListShape
from app.routers.deps import ALWAYS, BODY, ClinicianSlug, ReadSession, SlotsWriter, WriteSession, with_api_key

router = APIRouter(prefix="/clinicians", tags=["Clinicians"], route_class=FreshRoute, responses=responses(*ALWAYS))


class ClinicianList(ListShape):
    """One page of a list of clinicians."""

    items: list[ClinicianPublic] = Field(description="Clinicians by slug.")


@router.get("", responses=responses(InvalidInput))
async def list_clinicians(
    query: Annotated[PageQuery, Query()], request: Request, response: Response, session: ReadSession
) -> ClinicianList:
    """List clinicians.

    By slug.
    """
    found = await clinicians.find(session, limit=query.limit + 1, after=query.first(str))
    page, last = page_of(found, query.limit)
    return ClinicianList(items=page, next=next_link(request, response, last, lambda clinician: (clinician.slug,)))


@router.get("/{slug}", responses=responses(ClinicianNotFound))
async def read_clinician(slug: ClinicianSlug, session: ReadSession) -> ClinicianPublic:
    """Read a clinician.

    By slug.
    """
    return await clinicians.get(session, slug)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    responses=responses(*BODY, CredentialInvalid, ScopeMissing, SlugTaken),
    dependencies=[with_api_key],
)
async def create_clinician(
    wish: ClinicianCreate, response: Response, caller: SlotsWriter, session: WriteSession
) -> ClinicianPublic:
    """Make a clinician known.

    Needs the scope `slots:write`.
    """
    response.headers["location"] = f"/clinicians/{wish.slug}"
    return await clinicians.add(session, wish, by=caller.actor)
