"""Categories are made, named, renamed and deleted."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, status

from app.access.errors import CredentialInvalid, ScopeMissing
from app.content import category_changes
from app.content.errors import CategoryInUse, CategoryNotFound, SlugInUse, SlugRetired
from app.content.name_shapes import (
    CategoryCreate,
    CategoryNames,
    CategoryWords,
    SlugChange,
)
from app.core.caching import FreshRoute
from app.core.errors import VersionNeeded, VersionStale
from app.core.problems import responses
from app.core.shapes import Locale
from app.routers.deps import (
    ALWAYS,
    BODY,
    CategorySlug,
    ContentPublisher,
    ContentReader,
    IfMatch,
    OptionalIfMatch,
    ReadSession,
    WriteSession,
    with_api_key,
)

router = APIRouter(
    prefix="/categories",
    tags=["Categories"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS, CredentialInvalid, ScopeMissing),
    dependencies=[with_api_key],
)

PathLocale = Annotated[Locale, Path(description="Language (BCP 47).", examples=["es"])]


@router.post("", status_code=status.HTTP_201_CREATED, responses=responses(*BODY, SlugInUse, SlugRetired))
async def create_category(
    wish: CategoryCreate, response: Response, caller: ContentPublisher, session: WriteSession
) -> CategoryNames:
    """Make a category.

    The last in order, named in the default language; it is public at once. Needs the scope `content:publish`.
    """
    response.headers["location"] = f"/categories/{wish.slug}"
    return await category_changes.create(session, wish, by=caller.actor)


@router.get("/{slug}/names", responses=responses(CategoryNotFound))
async def read_category_names(
    slug: CategorySlug, request: Request, _caller: ContentReader, session: ReadSession
) -> CategoryNames:
    """Read what a category is called.

    In every language, with its place in order and its former slugs. Needs the scope `content:read`.
    """
    found = await category_changes.get(session, slug)
    request.state.version = found.version
    return found


@router.put("/{slug}/names/{locale}", responses=responses(*BODY, CategoryNotFound, VersionStale, VersionNeeded))
async def name_category(
    slug: CategorySlug,
    locale: PathLocale,
    wish: CategoryWords,
    versions: IfMatch,
    caller: ContentPublisher,
    session: WriteSession,
) -> CategoryNames:
    """Name a category in one language.

    Its pages and lists say so at once, and drafts that name it do, too. Needs the scope `content:publish`.
    """
    return await category_changes.name(session, slug, locale, wish, by=caller.actor, versions=versions)


@router.post("/{slug}/rename", responses=responses(*BODY, CategoryNotFound, SlugInUse, SlugRetired, VersionStale))
async def rename_category(
    slug: CategorySlug, wish: SlugChange, versions: OptionalIfMatch, caller: ContentPublisher, session: WriteSession
) -> CategoryNames:
    """Give a category another slug.

    Every former slug leads to the present one with 308, and still names the category in filters. Drafts that name it
    say the new one. Renaming again changes nothing. Needs the scope `content:publish`.
    """
    return await category_changes.rename(session, slug, wish.slug, by=caller.actor, versions=versions)


@router.delete("/{slug}", responses=responses(CategoryNotFound, CategoryInUse, VersionStale))
async def delete_category(
    slug: CategorySlug, versions: OptionalIfMatch, caller: ContentPublisher, session: WriteSession
) -> CategoryNames:
    """Delete a category.

    Unless anything uses it; the refusal says what. Answers what it was. Needs the scope `content:publish`.
    """
    return await category_changes.delete(session, slug, by=caller.actor, versions=versions)
