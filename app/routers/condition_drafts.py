"""Drafts: how editors write a page."""

from fastapi import APIRouter, Response, status

from app.access.errors import CredentialInvalid, ScopeMissing
from app.content import drafts
from app.content.document import ConditionDocument
from app.content.draft_shapes import ConditionDraftPublic
from app.content.errors import ConditionExists, DraftExists, DraftNotFound, SlugRetired
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput, VersionNeeded, VersionStale
from app.core.problems import responses
from app.routers.deps import (
    ALWAYS,
    BODY,
    ContentReader,
    ContentWriter,
    PathSlug,
    ReadSession,
    WriteSession,
    with_api_key,
)
from app.routers.draft_answers import Language, MustMatch, address_of, answer, tagged

router = APIRouter(
    prefix="/conditions",
    tags=["Editing"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS, CredentialInvalid, ScopeMissing),
    dependencies=[with_api_key],
)
# What a change of a draft can always meet.
CHANGE = (InvalidInput, DraftNotFound, VersionStale)


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


@router.get("/{slug}/draft", response_model=ConditionDraftPublic, responses=responses(InvalidInput, DraftNotFound))
async def read_condition_draft(
    slug: PathSlug, query: Language, _caller: ContentReader, session: ReadSession
) -> Response:
    """Read a page's draft.

    While there is none, the published text, in state `published` and version 0: change it and put it, and it is one.
    Needs the scope `content:read`.
    """
    return answer(await drafts.get(session, slug, query.locale))


@router.put(
    "/{slug}/draft",
    response_model=ConditionDraftPublic,
    responses=tagged(200, *CHANGE, VersionNeeded),
)
async def replace_condition_draft(
    slug: PathSlug,
    query: Language,
    document: ConditionDocument,
    tags: MustMatch,
    caller: ContentWriter,
    session: WriteSession,
) -> Response:
    """Replace a page's draft.

    Whole, by what you have made of the one that you have read. An edit sends it back to state `draft`, without approval
    and schedule, and makes you its author. `slug` and `locale` must be those of the address. Needs the scope
    `content:write`.
    """
    if document.locale != query.locale:
        raise InvalidInput.at("/locale", "locale_differs", "must be the locale in the address")
    return answer(await drafts.replace(session, slug, document, tags=tags, by=caller.actor))


@router.delete("/{slug}/draft", response_model_exclude_none=True, responses=responses(*CHANGE, VersionNeeded))
async def delete_condition_draft(
    slug: PathSlug, query: Language, tags: MustMatch, caller: ContentWriter, session: WriteSession
) -> ConditionDraftPublic:
    """Delete a page's draft.

    What is published stays. Answers what it was. Needs the scope `content:write`.
    """
    return await drafts.drop(session, slug, query.locale, tags=tags, by=caller.actor)
