"""Search over all that is published."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.content.editorial_tables import Subject
from app.content.search_queries import Stage
from app.content.search_ranks import Position
from app.content.search_shapes import SearchAnswer
from app.core.caching import PublicRoute
from app.core.errors import InvalidInput
from app.core.paging import PageQuery, next_link, small
from app.core.problems import responses
from app.core.shapes import Line, Slug
from app.page_answers import languages_of, say
from app.routers.deps import ALWAYS, HouseInUse
from app.routers.languages import IN_ITS_LANGUAGE, AcceptLanguage, LocalizedQuery

router = APIRouter(tags=["Search"], route_class=PublicRoute, responses=responses(*ALWAYS))

WORDS = (
    "Words to look for, the last one may be the beginning of one. Case and accents do not matter. All words must be "
    "found, each as it is written or, from 4 letters on, with a typo in a name; where nothing has all of them, with "
    "typos anywhere; where nothing has, any of them. A code is found too. Signs have no meaning, and words after the "
    "twelfth are not looked for."
)


class SearchQuery(LocalizedQuery):
    """What to look for."""

    q: Annotated[str, Line(200), Field(description=WORDS, examples=["leukemia"])]
    limit: Annotated[int, Field(ge=1, le=100, description="How many items at most.", examples=[10])] = 10
    type: Subject | None = Field(default=None, description="Only what is of this type.", examples=["condition"])
    category: Slug | None = Field(
        default=None, description="Only this category's conditions.", examples=["hematologic-malignancies"]
    )


def position_of(query: PageQuery) -> Position | None:
    """Where the cursor of a list by rank stands; None on the first page. Raises InvalidInput."""
    found = query.position(lambda stage: Stage(int(stage)), small, str, str)
    return None if found is None else Position(*found)


@router.get("/search", responses={200: IN_ITS_LANGUAGE, **responses(InvalidInput)})
async def search_content(
    query: Annotated[SearchQuery, Query()],
    request: Request,
    response: Response,
    house: HouseInUse,
    accept_language: AcceptLanguage = None,
) -> SearchAnswer:
    """Search conditions, treatments and categories.

    The best comes first: names count more than alternate names, these more than summaries, these more than the other
    texts; words as written count more than beginnings, these more than typos. What is published is found within a
    second.
    """
    languages = await languages_of(house.published, accept_language, query.locale)
    items, facets, last = await house.search.find(
        query.q,
        limit=query.limit,
        languages=languages,
        kind=query.type,
        category=query.category,
        after=position_of(query),
    )
    await say(house.published, response, languages[0])
    return SearchAnswer(items=items, facets=facets, next=next_link(request, response, last, tuple))
