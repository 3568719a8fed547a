"""Treatments are made, named, renamed and deleted."""

from fastapi import APIRouter, Request, Response, status

from app.access.errors import CredentialInvalid, ScopeMissing
from app.content import treatment_changes
from app.content.errors import SlugInUse, SlugRetired, TreatmentInUse, TreatmentOptionNotFound
from app.content.name_shapes import (
    SlugChange,
    TreatmentCreate,
    TreatmentNames,
    TreatmentWords,
)
from app.core.caching import FreshRoute
from app.core.errors import VersionNeeded, VersionStale
from app.core.problems import responses
from app.routers.category_changes import PathLocale
from app.routers.deps import (
    ALWAYS,
    BODY,
    ContentPublisher,
    ContentReader,
    IfMatch,
    OptionalIfMatch,
    ReadSession,
    TreatmentSlug,
    WriteSession,
    with_api_key,
)

router = APIRouter(
    prefix="/treatment-options",
    tags=["Treatment options"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS, CredentialInvalid, ScopeMissing),
    dependencies=[with_api_key],
)


@router.post("", status_code=status.HTTP_201_CREATED, responses=responses(*BODY, SlugInUse, SlugRetired))
async def create_treatment_option(
    wish: TreatmentCreate, response: Response, caller: ContentPublisher, session: WriteSession
) -> TreatmentNames:
    """Make a treatment.

    The last in order, named in the default language; it is listed once a page offers it. Needs the scope
    `content:publish`.
    """
    response.headers["location"] = f"/treatment-options/{wish.slug}"
    return await treatment_changes.create(session, wish, by=caller.actor)


@router.get("/{slug}/names", responses=responses(TreatmentOptionNotFound))
async def read_treatment_option_names(
    slug: TreatmentSlug, request: Request, _caller: ContentReader, session: ReadSession
) -> TreatmentNames:
    """Read what a treatment is called.

    In every language, with its place in order and its former slugs. Needs the scope `content:read`.
    """
    found = await treatment_changes.get(session, slug)
    request.state.version = found.version
    return found


@router.put("/{slug}/names/{locale}", responses=responses(*BODY, TreatmentOptionNotFound, VersionStale, VersionNeeded))
async def name_treatment_option(
    slug: TreatmentSlug,
    locale: PathLocale,
    wish: TreatmentWords,
    versions: IfMatch,
    caller: ContentPublisher,
    session: WriteSession,
) -> TreatmentNames:
    """Name a treatment in one language.

    Lists say so at once; what a page calls it stays the page's own words. Needs the scope `content:publish`.
    """
    return await treatment_changes.name(session, slug, locale, wish, by=caller.actor, versions=versions)


@router.post(
    "/{slug}/rename", responses=responses(*BODY, TreatmentOptionNotFound, SlugInUse, SlugRetired, VersionStale)
)
async def rename_treatment_option(
    slug: TreatmentSlug, wish: SlugChange, versions: OptionalIfMatch, caller: ContentPublisher, session: WriteSession
) -> TreatmentNames:
    """Give a treatment another slug.

    Every former slug leads to the present one with 308, and still names the treatment in filters. Drafts that offer it
    say the new one. Renaming again changes nothing. Needs the scope `content:publish`.
    """
    return await treatment_changes.rename(session, slug, wish.slug, by=caller.actor, versions=versions)


@router.delete("/{slug}", responses=responses(TreatmentOptionNotFound, TreatmentInUse, VersionStale))
async def delete_treatment_option(
    slug: TreatmentSlug, versions: OptionalIfMatch, caller: ContentPublisher, session: WriteSession
) -> TreatmentNames:
    """Delete a treatment.

    Unless anything uses it; the refusal says what. Answers what it was. Needs the scope `content:publish`.
    """
    return await treatment_changes.delete(session, slug, by=caller.actor, versions=versions)
