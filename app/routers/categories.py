"""Categories of conditions."""

from operator import itemgetter
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.content import categories
from app.content.errors import CategoryNotFound
from app.content.shapes import CategoryPublic, CategorySummary
from app.core.errors import InvalidInput
from app.core.paging import next_link, page_of, small
from app.core.problems import responses
from app.core.shapes import ListShape
from app.page_answers import languages_of, say
from app.routers.deps import ALWAYS, CategorySlug, HouseInUse, ReadSession
from app.routers.former_slugs import SlugRoute, moved
from app.routers.languages import (
    AT_ITS_ADDRESS,
    IN_ITS_LANGUAGE,
    AcceptLanguage,
    AskedLocale,
    LocalizedQuery,
)

router = APIRouter(prefix="/categories", tags=["Categories"], route_class=SlugRoute, responses=responses(*ALWAYS))


class CategoryList(ListShape):
    """One page of a list of categories."""

    items: list[CategorySummary] = Field(description="Categories in the hospital's order.")


@router.get("", responses={200: IN_ITS_LANGUAGE, **responses(InvalidInput)})
async def list_categories(
    query: Annotated[LocalizedQuery, Query()],
    request: Request,
    response: Response,
    house: HouseInUse,
    session: ReadSession,
    accept_language: AcceptLanguage = None,
) -> CategoryList:
    """List categories.

    Each with the number of its published conditions.
    """
    languages = await languages_of(house.published, accept_language, query.locale)
    found = await categories.list_published(
        session, limit=query.limit + 1, after=query.position(small, str), languages=languages
    )
    await say(house.published, response, languages[0])
    page, last = page_of(found, query.limit)
    return CategoryList(
        items=[category for category, _ in page], next=next_link(request, response, last, itemgetter(1))
    )


@router.get("/{slug}", responses={200: AT_ITS_ADDRESS, **responses(CategoryNotFound, InvalidInput), **moved()})
async def read_category(
    slug: CategorySlug,
    request: Request,
    response: Response,
    house: HouseInUse,
    session: ReadSession,
    accept_language: AcceptLanguage = None,
    locale: AskedLocale = None,
) -> CategoryPublic:
    """Read a category.

    With all of its published conditions, by name.
    """
    languages = await languages_of(house.published, accept_language, locale)
    found, version, language = await categories.get_published(session, slug, languages=languages)
    request.state.version = version
    await say(house.published, response, language, address=f"/categories/{slug}")
    return found
