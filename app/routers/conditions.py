"""Condition pages."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.content import pages
from app.content.errors import ConditionNotFound
from app.content.shapes import ConditionPublic, TreatmentOptionPublic
from app.core.errors import InvalidInput
from app.core.problems import responses
from app.core.shapes import ResponseShape
from app.page_answers import languages_of, page_answer, say
from app.routers import json_ld
from app.routers.deps import ALWAYS, ConditionSlug, HouseInUse, ReadSession
from app.routers.former_slugs import SlugRoute, moved
from app.routers.languages import AT_ITS_ADDRESS, AcceptLanguage, AskedLocale

router = APIRouter(prefix="/conditions", tags=["Conditions"], route_class=SlugRoute, responses=responses(*ALWAYS))


class ConditionTreatmentOptionList(ResponseShape):
    """A condition's treatment options."""

    items: list[TreatmentOptionPublic] = Field(description="All of them, in the page's order.")


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
