"""Every therapy that the hospital offers."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.content import treatment_options
from app.content.errors import TreatmentOptionNotFound
from app.content.shapes import TreatmentPublic, TreatmentSummary
from app.core.caching import PublicRoute
from app.core.errors import InvalidInput
from app.core.paging import PageQuery, next_link, page_of
from app.core.problems import responses
from app.core.shapes import ListShape
from app.routers.deps import ALWAYS, PathSlug, ReadSession

router = APIRouter(
    prefix="/treatment-options",
    tags=["Treatment options"],
    route_class=PublicRoute,
    responses=responses(*ALWAYS),
)


class TreatmentList(ListShape):
    """One page of a list of treatments."""

    items: list[TreatmentSummary] = Field(description="Treatments by slug.")


@router.get("", responses=responses(InvalidInput))
async def list_treatment_options(
    query: Annotated[PageQuery, Query()], request: Request, response: Response, session: ReadSession
) -> TreatmentList:
    """List treatments.

    Each with the number of published conditions that it is offered for.
    """
    found = await treatment_options.list_published(session, limit=query.limit + 1, after=query.first(str))
    page, last = page_of(found, query.limit)
    return TreatmentList(
        items=page, next=next_link(request, response, query, last, lambda treatment: (treatment.slug,))
    )


@router.get("/{slug}", responses=responses(TreatmentOptionNotFound))
async def read_treatment_option(slug: PathSlug, session: ReadSession) -> TreatmentPublic:
    """Read a treatment.

    With every condition that it is offered for, and what each page says of it.
    """
    return await treatment_options.get_published(session, slug)
