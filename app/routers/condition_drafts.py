"""Drafts: how editors write a page."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from pydantic import Field

from app.access.errors import CredentialInvalid, ScopeMissing
from app.content import draft_steps, drafts
from app.content.document import ConditionDocument
from app.content.draft_shapes import ConditionDraftPublic
from app.content.errors import ConditionExists, DraftExists, DraftNotFound, DraftOutdated, SlugRetired
from app.core.errors import InvalidInput, VersionNeeded, VersionStale
from app.core.problems import responses
from app.routers.deps import (
    ALWAYS,
    BODY,
    ConditionSlug,
    ContentReader,
    ContentWriter,
    ReadSession,
    WriteSession,
    with_api_key,
)
from app.routers.draft_answers import Language, LocaleQuery, MustMatch, address_of, answer, tagged
from app.routers.former_slugs import EditorRoute, moved

router = APIRouter(
    prefix="/conditions",
    tags=["Editing"],
    route_class=EditorRoute,
    responses=responses(*ALWAYS, CredentialInvalid, ScopeMissing),
    dependencies=[with_api_key],
)
# What a change of a draft can always meet.
CHANGE = (InvalidInput, DraftNotFound, VersionStale)


class DraftQuery(LocaleQuery):
    """Which language's page, and what its draft is made from."""

    base_revision: Annotated[int, Field(ge=1, lt=2**31)] | None = Field(
        default=None,
        description="The page's revision that this text is made from: the newest one brings the draft up to date. "
        "Absent: the one that it was made from before.",
        examples=[1],
    )


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=ConditionDraftPublic,
    responses=tagged(201, *BODY, ConditionExists, DraftExists, SlugRetired),
)
async def create_condition(document: ConditionDocument, caller: ContentWriter, session: WriteSession) -> Response:
    """Begin a condition's page.

    As a draft: nobody reads it before it is published. The same for the page of a known condition in another language.
    Needs the scope `content:write`.
    """
    shown = await drafts.create(session, document, by=caller.actor)
    return answer(shown, status.HTTP_201_CREATED, location=address_of(shown))


@router.get(
    "/{slug}/draft",
    response_model=ConditionDraftPublic,
    responses={**responses(InvalidInput, DraftNotFound), **moved()},
)
async def read_condition_draft(
    slug: ConditionSlug, query: Language, _caller: ContentReader, session: ReadSession
) -> Response:
    """Read a page's draft.

    While there is none, the published text, in state `published` and version 0: change it and put it, and it is one.
    Needs the scope `content:read`.
    """
    return answer(await drafts.get(session, slug, query.locale))


@router.put(
    "/{slug}/draft",
    response_model=ConditionDraftPublic,
    responses={**tagged(200, *CHANGE, VersionNeeded, DraftOutdated), **moved()},
)
async def replace_condition_draft(
    slug: ConditionSlug,
    query: Annotated[DraftQuery, Query()],
    document: ConditionDocument,
    tags: MustMatch,
    caller: ContentWriter,
    session: WriteSession,
) -> Response:
    """Replace a page's draft.

    Whole, by what you have made of the one that you have read. An edit sends it back to state `draft`, without approval
    and schedule, and makes you its author. `slug` and `locale` must be those of the address.

    A draft that was not made from the page's newest revision is not published: somebody has published since. Compare
    the two revisions, and put what both of them say with the newest one as `base_revision`. Needs the scope
    `content:write`.
    """
    if document.locale != query.locale:
        raise InvalidInput.at("/locale", "locale_differs", "must be the locale in the address")
    return answer(await drafts.replace(session, slug, document, tags=tags, by=caller.actor, base=query.base_revision))


@router.delete(
    "/{slug}/draft",
    response_model=ConditionDraftPublic,
    responses={**responses(*CHANGE, VersionNeeded), **moved()},
)
async def delete_condition_draft(
    slug: ConditionSlug, query: Language, tags: MustMatch, caller: ContentWriter, session: WriteSession
) -> Response:
    """Delete a page's draft.

    What is published stays. Answers what it was. Needs the scope `content:write`.
    """
    dropped = await drafts.drop(session, slug, query.locale, tags=tags, by=caller.actor)
    return Response(draft_steps.body_of(dropped), media_type="application/json")
