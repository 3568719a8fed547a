"""Condition pages and their cards."""

from operator import itemgetter
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.content import conditions, pages
from app.content.errors import ConditionNotFound
from app.content.shapes import ConditionPublic, ConditionSummary, TreatmentOptionPublic
from app.content.tables import CodeSystem
from app.core.caching import PublicRoute
from app.core.errors import InvalidInput
from app.core.paging import PageQuery, next_link, page_of
from app.core.problems import responses
from app.core.shapes import ListShape, Slug
from app.routers.deps import ALWAYS, HouseInUse, PathSlug, ReadSession

router = APIRouter(prefix="/conditions", tags=["Conditions"], route_class=PublicRoute, responses=responses(*ALWAYS))
_IN_ITS_LANGUAGE = {"headers": {"Content-Language": {"$ref": "#/components/headers/Content-Language"}}}
_CODE = r"^(icd-10|mesh)\|[A-Z0-9.]{1,16}$"


class ConditionQuery(PageQuery):
    """Which conditions to list."""

    category: Slug | None = Field(
        default=None, description="Only this category's.", examples=["hematologic-malignancies"]
    )
    letter: str | None = Field(
        default=None, pattern="^[A-Za-z]$", description="Only names that begin with this letter.", examples=["A"]
    )
    treatment: Slug | None = Field(
        default=None, description="Only those that offer this treatment.", examples=["car-t-cell-therapy"]
    )
    code: str | None = Field(
        default=None, pattern=_CODE, description="Only those with this code: `system|code`.", examples=["icd-10|C91.0"]
    )


class ConditionList(ListShape):
    """One page of a list of conditions."""

    items: list[ConditionSummary] = Field(description="Conditions by name.")


class ConditionTreatmentOptionList(ListShape):
    """A condition's treatment options."""

    items: list[TreatmentOptionPublic] = Field(description="All of them, in the page's order.")


@router.get("", responses=responses(InvalidInput))
async def list_conditions(
    query: Annotated[ConditionQuery, Query()], request: Request, response: Response, session: ReadSession
) -> ConditionList:
    """List conditions.

    Every given filter must hold. Go on with `next` while it is there.
    """
    wanted = conditions.ConditionFilter(query.category, query.letter, query.treatment, None)
    if query.code is not None:
        system, code = query.code.split("|")
        wanted = conditions.ConditionFilter(query.category, query.letter, query.treatment, (CodeSystem(system), code))
    found = await conditions.list_published(session, wanted, limit=query.limit + 1, after=query.position(str, UUID))
    page, last = page_of(found, query.limit)
    return ConditionList(
        items=[card for card, _ in page],
        next=next_link(request, response, query, last, itemgetter(1)),
    )


@router.get(
    "/{slug}",
    response_model=ConditionPublic,
    responses={200: _IN_ITS_LANGUAGE, **responses(ConditionNotFound)},
)
async def read_condition(slug: PathSlug, house: HouseInUse) -> Response:
    """Read a condition's page.

    The whole page in one answer: texts, risk factors, causes, treatment options, and where to find the consultation
    slots for it.
    """
    page = await house.published.page(slug)
    headers = {"etag": page.etag, "content-language": page.locale}
    return Response(page.body, media_type="application/json", headers=headers)


@router.get("/{slug}/treatment-options", responses=responses(ConditionNotFound))
async def list_condition_treatment_options(slug: PathSlug, session: ReadSession) -> ConditionTreatmentOptionList:
    """List a condition's treatment options.

    All of them, in the order of the page.
    """
    return ConditionTreatmentOptionList(items=await pages.list_treatment_options(session, slug))
