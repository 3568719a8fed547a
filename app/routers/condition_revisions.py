"""Revisions: what was published, how it differs, and how it comes back."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import Field

from app.access.errors import CredentialInvalid, ScopeMissing
from app.content import drafts, revisions
from app.content.draft_shapes import (
    ConditionDraftPublic,
    ConditionRevisionList,
    ConditionRevisionPublic,
    RevisionComparison,
)
from app.content.errors import ConditionNotFound, DraftExists, RevisionNotFound
from app.core.errors import InvalidInput, VersionStale
from app.core.paging import PageQuery, next_link, page_of, small
from app.core.problems import responses
from app.core.shapes import DEFAULT_LOCALE, Locale
from app.routers.deps import (
    ALWAYS,
    ConditionSlug,
    ContentReader,
    ContentWriter,
    ReadSession,
    WriteSession,
    with_api_key,
)
from app.routers.draft_answers import Language, MayMatch, address_of, answer, tagged
from app.routers.former_slugs import EditorRoute, moved

router = APIRouter(
    prefix="/conditions/{slug}/revisions",
    tags=["Editing"],
    route_class=EditorRoute,
    responses={**responses(*ALWAYS, CredentialInvalid, ScopeMissing), **moved()},
    dependencies=[with_api_key],
)
Number = Annotated[int, Path(description="A revision's number.", ge=1, lt=2**31, examples=[1])]


class RevisionQuery(PageQuery):
    """Which page's revisions to list."""

    locale: Locale = Field(
        default=DEFAULT_LOCALE, description="Language of the page (BCP 47).", examples=[DEFAULT_LOCALE]
    )


@router.get("", responses=responses(InvalidInput, ConditionNotFound))
async def list_condition_revisions(
    slug: ConditionSlug,
    query: Annotated[RevisionQuery, Query()],
    request: Request,
    response: Response,
    _caller: ContentReader,
    session: ReadSession,
) -> ConditionRevisionList:
    """List a page's revisions.

    Newest first. Needs the scope `content:read`.
    """
    found = await revisions.find(session, slug, query.locale, limit=query.limit + 1, before=query.first(small))
    page, last = page_of(found, query.limit)
    return ConditionRevisionList(
        items=page, next=next_link(request, response, last, lambda revision: (revision.number,))
    )


@router.get("/{number}", response_model_exclude_none=True, responses=responses(InvalidInput, RevisionNotFound))
async def read_condition_revision(
    slug: ConditionSlug, number: Number, query: Language, _caller: ContentReader, session: ReadSession
) -> ConditionRevisionPublic:
    """Read a page's revision.

    With its text, as it was published. Needs the scope `content:read`.
    """
    return revisions.show(await revisions.get(session, slug, query.locale, number))


@router.get("/{number}/compare/{other}", responses=responses(InvalidInput, RevisionNotFound))
async def compare_condition_revisions(
    slug: ConditionSlug, number: Number, other: Number, query: Language, _caller: ContentReader, session: ReadSession
) -> RevisionComparison:
    """Compare two of a page's revisions.

    What the second one adds, removes and changes. Needs the scope `content:read`.
    """
    return RevisionComparison(items=await revisions.compare(session, slug, query.locale, number, other))


@router.post(
    "/{number}/restore",
    status_code=status.HTTP_201_CREATED,
    response_model=ConditionDraftPublic,
    responses=tagged(201, InvalidInput, RevisionNotFound, DraftExists, VersionStale),
)
async def restore_condition_revision(
    slug: ConditionSlug, number: Number, query: Language, tags: MayMatch, caller: ContentWriter, session: WriteSession
) -> Response:
    """Restore a page's revision.

    As a new draft, in the names that its category and treatments have now; it is reviewed and published like any other.
    Needs the scope `content:write`.
    """
    shown = await drafts.restore(session, slug, query.locale, number, tags=tags, by=caller.actor)
    return answer(shown, status.HTTP_201_CREATED, location=address_of(shown))
