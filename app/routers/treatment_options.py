"""Every therapy that the hospital offers."""

from operator import itemgetter
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.content import treatment_options
from app.content.errors import TreatmentOptionNotFound
from app.content.shapes import TreatmentPublic, TreatmentSummary
from app.core.errors import InvalidInput
from app.core.paging import next_link, page_of, small
from app.core.problems import responses
from app.core.shapes import ListShape
from app.page_answers import languages_of, say
from app.routers.deps import ALWAYS, HouseInUse, ReadSession, TreatmentSlug
from app.routers.former_slugs import SlugRoute, moved
from app.routers.languages import (
    AT_ITS_ADDRESS,
    IN_ITS_LANGUAGE,
    AcceptLanguage,
    AskedLocale,
    LocalizedQuery,
)

router = APIRouter(
    prefix="/treatment-options",
    tags=["Treatment options"],
    route_class=SlugRoute,
    responses=responses(*ALWAYS),
)


class TreatmentList(ListShape):
    """One page of a list of treatments."""

    items: list[TreatmentSummary] = Field(description="Treatments in the hospital's order.")


@router.get("", responses={200: IN_ITS_LANGUAGE, **responses(InvalidInput)})
async def list_treatment_options(
    query: Annotated[LocalizedQuery, Query()],
    request: Request,
    response: Response,
    house: HouseInUse,
    session: ReadSession,
    accept_language: AcceptLanguage = None,
) -> TreatmentList:
    """List treatments.

    Each with the number of published conditions that it is offered for.
    """
    languages = await languages_of(house.published, accept_language, query.locale)
    found = await treatment_options.list_published(
        session, limit=query.limit + 1, after=query.position(small, str), languages=languages
    )
    await say(house.published, response, languages[0])
    page, last = page_of(found, query.limit)
    return TreatmentList(
        items=[treatment for treatment, _ in page], next=next_link(request, response, last, itemgetter(1))
    )


@router.get("/{slug}", responses={200: AT_ITS_ADDRESS, **responses(TreatmentOptionNotFound, InvalidInput), **moved()})
async def read_treatment_option(
    slug: TreatmentSlug,
    request: Request,
    response: Response,
    house: HouseInUse,
    session: ReadSession,
    accept_language: AcceptLanguage = None,
    locale: AskedLocale = None,
) -> TreatmentPublic:
    """Read a treatment.

    With every condition that it is offered for, and what each page says of it.
    """
    languages = await languages_of(house.published, accept_language, locale)
    found, version, language = await treatment_options.get_published(session, slug, languages=languages)
    request.state.version = version
    await say(house.published, response, language, address=f"/treatment-options/{slug}")
    return found
