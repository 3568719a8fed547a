"""A condition's page gets another address, or is taken away for good."""

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import MISSING

from app.access.errors import CredentialInvalid, ScopeMissing
from app.content import slugs, withdrawals
from app.content.editorial_tables import Subject
from app.content.errors import ConditionNotFound, SlugInUse, SlugRetired
from app.content.name_shapes import ConditionAddress, SlugChange, WithdrawalCreate, WithdrawalPublic
from app.core.caching import FreshRoute
from app.core.errors import VersionStale
from app.core.problems import responses
from app.routers.deps import ALWAYS, BODY, ConditionSlug, ContentPublisher, OptionalIfMatch, WriteSession, with_api_key

router = APIRouter(
    prefix="/conditions",
    tags=["Conditions"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS, *BODY, CredentialInvalid, ScopeMissing, ConditionNotFound, VersionStale),
    dependencies=[with_api_key],
)
_NO_WORDS = WithdrawalCreate()


@router.post("/{slug}/rename", responses=responses(SlugInUse, SlugRetired))
async def rename_condition(
    slug: ConditionSlug, wish: SlugChange, versions: OptionalIfMatch, caller: ContentPublisher, session: WriteSession
) -> ConditionAddress:
    """Rename a condition.

    Its page has another address from now on. Every former slug leads there with 308, in one step and for ever, and
    still names the condition wherever a slug is asked for. It may get a former slug of its own back, never another's.
    Renaming again changes nothing. Needs the scope `content:publish`.
    """
    await slugs.rename(session, Subject.CONDITION, slug, wish.slug, by=caller.actor, versions=versions)
    thing = await slugs.get(session, Subject.CONDITION, wish.slug)
    return ConditionAddress(slug=thing.slug, former_slugs=await slugs.former(session, Subject.CONDITION, thing.id))


@router.post("/{slug}/withdraw")
async def withdraw_condition(
    slug: ConditionSlug,
    versions: OptionalIfMatch,
    caller: ContentPublisher,
    session: WriteSession,
    wish: Annotated[WithdrawalCreate, Body()] = _NO_WORDS,
) -> WithdrawalPublic:
    """Withdraw a condition.

    Its page is gone at once in every language, 410 under each of its slugs, and its drafts are deleted; revisions,
    consultation slots and bookings stay. Withdrawing again changes nothing but the replacement, where another one is
    named. Publishing the condition again ends the withdrawal. Needs the scope `content:publish`.
    """
    gone = await withdrawals.withdraw(session, slug, replacement=wish.replacement, by=caller.actor, versions=versions)
    replacement = MISSING if gone.replacement is None else f"/conditions/{gone.replacement}"
    return WithdrawalPublic(slug=gone.slug, withdrawn_at=gone.withdrawn_at, replacement=replacement)
