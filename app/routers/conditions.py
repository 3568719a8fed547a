"""Condition pages and their cards."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.content import conditions, found_conditions, pages
from app.content.coded_pages import canonical_code
from app.content.errors import ConditionNotFound
from app.content.shapes import ConditionPublic, ConditionSummary, ReviewStatus, TreatmentOptionPublic
from app.content.tables import CodeSystem
from app.core.errors import InvalidInput
from app.core.paging import next_link, page_of
from app.core.problems import responses
from app.core.shapes import Instant, Line, ListShape, ResponseShape, Slug
from app.page_answers import languages_of, page_answer, say
from app.routers import json_ld
from app.routers.deps import ALWAYS, ConditionSlug, HouseInUse, ReadSession
from app.routers.former_slugs import SlugRoute, moved
from app.routers.languages import (
    AT_ITS_ADDRESS,
    IN_ITS_LANGUAGE,
    AcceptLanguage,
    AskedLocale,
    LocalizedQuery,
)
from app.routers.search import WORDS, position_of

router = APIRouter(prefix="/conditions", tags=["Conditions"], route_class=SlugRoute, responses=responses(*ALWAYS))
_CODE = r"^(icd-10|mesh)\|[A-Z0-9.]{1,16}$"


class ConditionQuery(LocalizedQuery):
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
    review_status: ReviewStatus | None = Field(
        default=None, description="Only those whose review stands so today, UTC.", examples=["due"]
    )
    modified_since: Instant | None = Field(
        default=None, description="Only those that changed then or later.", examples=["2026-11-23T09:00:00Z"]
    )
    q: Annotated[str, Line(200)] | None = Field(default=None, description=WORDS, examples=["leukemia"])


class ConditionList(ListShape):
    """One page of a list of conditions."""

    items: list[ConditionSummary] = Field(description="Conditions by name; with `q` the best first.")


class ConditionTreatmentOptionList(ResponseShape):
    """A condition's treatment options."""

    items: list[TreatmentOptionPublic] = Field(description="All of them, in the page's order.")


@router.get("", responses={200: IN_ITS_LANGUAGE, **responses(InvalidInput)})
async def list_conditions(
    query: Annotated[ConditionQuery, Query()],
    request: Request,
    response: Response,
    house: HouseInUse,
    session: ReadSession,
    accept_language: AcceptLanguage = None,
) -> ConditionList:
    """List conditions.

    Every given filter must hold. Go on with `next` while it is there.
    """
    code = None
    if query.code is not None:
        system, code_in_it = query.code.split("|")
        code = (CodeSystem(system), canonical_code(CodeSystem(system), code_in_it))
    wanted = conditions.ConditionFilter(
        query.category, query.letter, query.treatment, code, query.review_status, query.modified_since
    )
    languages = await languages_of(house.published, accept_language, query.locale)
    found: Sequence[tuple[ConditionSummary, tuple[object, ...]]]
    if query.q is None:
        found = await conditions.list_published(
            session, wanted, limit=query.limit + 1, after=query.position(str, UUID), languages=languages
        )
    else:
        place = position_of(query)
        found = await found_conditions.list_found(
            session, house.search, query.q, wanted, limit=query.limit + 1, after=place, languages=languages
        )
    await say(house.published, response, languages[0])
    page, last = page_of(list(found), query.limit)
    return ConditionList(
        items=[card for card, _ in page],
        next=next_link(request, response, last, itemgetter(1)),
    )


@router.get(
    "/{slug}",
    response_model=ConditionPublic,
    responses={
        200: {"description": "A whole condition page.", "content": json_ld.CONTENT, **AT_ITS_ADDRESS},
        **responses(ConditionNotFound, InvalidInput),
        **moved(can_be_gone=True),
    },
)
async def read_condition(
    slug: ConditionSlug,
    request: Request,
    house: HouseInUse,
    session: ReadSession,
    accept_language: AcceptLanguage = None,
    locale: AskedLocale = None,
) -> Response:
    """Read a condition's page.

    The whole page in one answer: texts, risk factors, causes, treatment options, and where to find the consultation
    slots for it.
    """
    languages = await languages_of(house.published, accept_language, locale)
    return await page_answer(
        request, session, house.published, slug, languages=languages, frontend_url=house.settings.frontend_url
    )


@router.get(
    "/{slug}/treatment-options",
    responses={200: AT_ITS_ADDRESS, **responses(ConditionNotFound, InvalidInput), **moved(can_be_gone=True)},
)
async def list_condition_treatment_options(
    slug: ConditionSlug,
    response: Response,
    house: HouseInUse,
    session: ReadSession,
    accept_language: AcceptLanguage = None,
    locale: AskedLocale = None,
) -> ConditionTreatmentOptionList:
    """List a condition's treatment options.

    All of them, in the order of the page.
    """
    languages = await languages_of(house.published, accept_language, locale)
    language = await pages.language_for(session, slug, languages)
    await say(house.published, response, language, address=f"/conditions/{slug}/treatment-options")
    return ConditionTreatmentOptionList(items=await pages.list_treatment_options(session, slug, language))
