"""The order in which categories and treatments are listed."""

from fastapi import APIRouter, Request

from app.access.errors import CredentialInvalid, ScopeMissing
from app.content import named
from app.content.editorial_tables import Subject
from app.content.name_shapes import SlugOrder, SlugOrderChange
from app.core.caching import FreshRoute
from app.core.errors import VersionNeeded, VersionStale
from app.core.problems import responses
from app.routers.deps import (
    ALWAYS,
    BODY,
    ContentPublisher,
    ContentReader,
    IfMatch,
    ReadSession,
    WriteSession,
    with_api_key,
)

router = APIRouter(
    route_class=FreshRoute,
    responses=responses(*ALWAYS, CredentialInvalid, ScopeMissing),
    dependencies=[with_api_key],
)
_CHANGE = responses(*BODY, VersionStale, VersionNeeded)


@router.get("/category-order", tags=["Categories"])
async def read_category_order(request: Request, _caller: ContentReader, session: ReadSession) -> SlugOrder:
    """Read the order of the categories.

    All of them. Needs the scope `content:read`.
    """
    slugs, request.state.version = await named.order(session, Subject.CATEGORY)
    return SlugOrder(slugs=slugs)


@router.put("/category-order", tags=["Categories"], responses=_CHANGE)
async def order_categories(
    wish: SlugOrderChange, versions: IfMatch, caller: ContentPublisher, session: WriteSession
) -> SlugOrder:
    """Put the categories in order.

    All of them, each once: lists show them so from now on. Needs the scope `content:publish`.
    """
    await named.reorder(session, Subject.CATEGORY, wish.slugs, by=caller.actor, versions=versions)
    return SlugOrder(slugs=wish.slugs)


@router.get("/treatment-option-order", tags=["Treatment options"])
async def read_treatment_option_order(request: Request, _caller: ContentReader, session: ReadSession) -> SlugOrder:
    """Read the order of the treatments.

    All of them, also those that no page offers. Needs the scope `content:read`.
    """
    slugs, request.state.version = await named.order(session, Subject.TREATMENT)
    return SlugOrder(slugs=slugs)


@router.put("/treatment-option-order", tags=["Treatment options"], responses=_CHANGE)
async def order_treatment_options(
    wish: SlugOrderChange, versions: IfMatch, caller: ContentPublisher, session: WriteSession
) -> SlugOrder:
    """Put the treatments in order.

    All of them, each once, also those that no page offers: lists show them so from now on. Needs the scope
    `content:publish`.
    """
    await named.reorder(session, Subject.TREATMENT, wish.slugs, by=caller.actor, versions=versions)
    return SlugOrder(slugs=wish.slugs)
