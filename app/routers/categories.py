"""Categories of conditions."""

from operator import itemgetter
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.content import categories
from app.content.errors import CategoryNotFound
from app.content.shapes import CategoryPublic, CategorySummary
from app.core.caching import PublicRoute
from app.core.errors import InvalidInput
from app.core.paging import PageQuery, next_link, page_of, small
from app.core.problems import responses
from app.core.shapes import ListShape
from app.routers.deps import ALWAYS, PathSlug, ReadSession

router = APIRouter(prefix="/categories", tags=["Categories"], route_class=PublicRoute, responses=responses(*ALWAYS))


class CategoryList(ListShape):
    """One page of a list of categories."""

    items: list[CategorySummary] = Field(description="Categories in the hospital's order.")


@router.get("", responses=responses(InvalidInput))
async def list_categories(
    query: Annotated[PageQuery, Query()], request: Request, response: Response, session: ReadSession
) -> CategoryList:
    """List categories.

    Each with the number of its published conditions.
    """
    found = await categories.list_published(session, limit=query.limit + 1, after=query.position(small, str))
    page, last = page_of(found, query.limit)
    return CategoryList(
        items=[category for category, _ in page], next=next_link(request, response, query, last, itemgetter(1))
    )


@router.get("/{slug}", responses=responses(CategoryNotFound))
async def read_category(slug: PathSlug, session: ReadSession) -> CategoryPublic:
    """Read a category.

    With all of its published conditions, by name.
    """
    return await categories.get_published(session, slug)
