"""From a draft to a page: submitted, approved, returned, published."""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Response

from app.access.errors import CredentialInvalid, ScopeMissing
from app.content import draft_review
from app.content.draft_shapes import ConditionDraftPublic, ConditionPublication, DraftPublication
from app.content.errors import (
    CategoryDiffers,
    CategoryNamedDifferently,
    DraftInvalid,
    DraftNotApproved,
    DraftNotSubmitted,
    DraftOutdated,
    DraftSubmitted,
    OwnDraft,
    SlugRetired,
)
from app.core.errors import VersionNeeded
from app.core.problems import responses
from app.routers.condition_drafts import CHANGE
from app.routers.deps import (
    ALWAYS,
    ConditionSlug,
    ContentPublisher,
    ContentWriter,
    HouseInUse,
    WriteSession,
    with_api_key,
)
from app.routers.draft_answers import Language, MayMatch, MustMatch, answer, tagged
from app.routers.former_slugs import EditorRoute, moved

router = APIRouter(
    prefix="/conditions/{slug}/draft",
    tags=["Editing"],
    route_class=EditorRoute,
    responses={**responses(*ALWAYS, CredentialInvalid, ScopeMissing), **moved()},
    dependencies=[with_api_key],
)
_AT_ONCE: Final = DraftPublication()


@router.post(
    "/submit",
    response_model=ConditionDraftPublic,
    responses=tagged(200, *CHANGE, DraftSubmitted),
)
async def submit_condition_draft(
    slug: ConditionSlug, query: Language, tags: MayMatch, caller: ContentWriter, session: WriteSession
) -> Response:
    """Submit a page's draft.

    To those who approve. Needs the scope `content:write`.
    """
    return answer(await draft_review.submit(session, slug, query.locale, tags=tags, by=caller.actor))


@router.post(
    "/approve",
    response_model=ConditionDraftPublic,
    responses=tagged(200, *CHANGE, VersionNeeded, DraftNotSubmitted, ScopeMissing, OwnDraft),
)
async def approve_condition_draft(
    slug: ConditionSlug, query: Language, tags: MustMatch, caller: ContentPublisher, session: WriteSession
) -> Response:
    """Approve a page's draft.

    The one that you have read: one that was submitted, and that somebody else has written. Needs the scope
    `content:publish`.
    """
    return answer(await draft_review.approve(session, slug, query.locale, tags=tags, by=caller.actor))


@router.post(
    "/return",
    response_model=ConditionDraftPublic,
    responses=tagged(200, *CHANGE, DraftNotSubmitted),
)
async def return_condition_draft(
    slug: ConditionSlug, query: Language, tags: MayMatch, caller: ContentPublisher, session: WriteSession
) -> Response:
    """Return a page's draft.

    To its author, in state `draft`; a schedule is over. Needs the scope `content:publish`.
    """
    return answer(await draft_review.give_back(session, slug, query.locale, tags=tags, by=caller.actor))


@router.post(
    "/publish",
    responses=responses(
        *CHANGE, DraftNotApproved, DraftOutdated, DraftInvalid, CategoryDiffers, CategoryNamedDifferently, SlugRetired
    ),
)
async def publish_condition_draft(
    slug: ConditionSlug,
    query: Language,
    tags: MayMatch,
    caller: ContentPublisher,
    house: HouseInUse,
    session: WriteSession,
    wish: Annotated[DraftPublication, Body()] = _AT_ONCE,
) -> ConditionPublication:
    """Publish a page's draft.

    Now, or with `publish_at` at that time; with `unpublish_at` the page is taken down again then. Where the hospital
    wants so, somebody else than its author must have approved it. One that is scheduled can be published now, or given
    another time. Refused where the page was published since the draft was begun, at its time too: it stands in state
    `approved` or `draft` then. Needs the scope `content:publish`.
    """
    return await draft_review.publish(
        session,
        slug,
        query.locale,
        wish,
        needs_approval=house.settings.needs_approval,
        tags=tags,
        by=caller.actor,
    )
