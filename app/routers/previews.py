"""Previews of drafts."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Body, Path, Response
from pydantic import Field

from app.access.errors import CredentialInvalid, ScopeMissing
from app.content import previews
from app.content.errors import DraftNotFound, PreviewNotFound
from app.content.shapes import ConditionPublic
from app.core.errors import InvalidInput
from app.core.problems import responses
from app.core.shapes import RequestShape, ResponseShape
from app.routers.deps import ALWAYS, ConditionSlug, ContentReader, HouseInUse, ReadSession, WriteSession, with_api_key
from app.routers.draft_answers import Language
from app.routers.former_slugs import EditorRoute, moved

MAX_SECONDS: Final = 60 * 60 * 24 * 30
_EXAMPLE: Final = "AZOyLl98fQyKK28-TTxaeQAAaoXJkF8rfJOkT26ME34qnUtvE1-yt8k6RPbowbfip9S28ThA"


class PreviewRoute(EditorRoute):
    """What nobody else may keep."""

    cache_control = "no-store"


router = APIRouter(tags=["Previews"], route_class=PreviewRoute, responses=responses(*ALWAYS))


class DraftPreviewCreate(RequestShape):
    """How long a preview is to be open."""

    seconds: int | None = Field(
        default=None,
        ge=1,
        le=MAX_SECONDS,
        description="For so many seconds. Absent: as long as the service is set to, a day by default.",
        examples=[3600],
    )


class DraftPreviewPublic(ResponseShape):
    """Where a draft can be previewed."""

    url: str = Field(
        description="Address of the preview, relative to this API. It opens the draft to whoever has it.",
        examples=[f"/previews/{_EXAMPLE}"],
    )
    expires_at: datetime = Field(description="When it closes, UTC.", examples=["2026-11-24T09:00:00Z"])


_USUAL = DraftPreviewCreate()


@router.post(
    "/conditions/{slug}/draft/preview",
    responses={**responses(InvalidInput, CredentialInvalid, ScopeMissing, DraftNotFound), **moved()},
    dependencies=[with_api_key],
)
async def preview_condition_draft(
    slug: ConditionSlug,
    query: Language,
    caller: ContentReader,
    house: HouseInUse,
    session: WriteSession,
    wish: Annotated[DraftPreviewCreate, Body()] = _USUAL,
) -> DraftPreviewPublic:
    """Open a preview of a draft.

    The answer's `url` shows the draft as a page, as it stands whenever it is looked at, to whoever has the address:
    without a credential, until `expires_at`, or until the draft is published or deleted. Needs the scope
    `content:read`.
    """
    token, expires_at = await previews.make(
        session,
        slug,
        query.locale,
        seconds=wish.seconds or house.settings.preview_seconds,
        keyring=house.keyring,
        by=caller.actor,
    )
    return DraftPreviewPublic(url=f"/previews/{token}", expires_at=expires_at)


@router.get(
    "/previews/{token}",
    responses={
        200: {
            "headers": {
                "Content-Language": {"$ref": "#/components/headers/Content-Language"},
                "X-Robots-Tag": {"description": "`noindex`.", "schema": {"type": "string", "enum": ["noindex"]}},
            }
        },
        **responses(PreviewNotFound),
    },
)
async def read_preview(
    token: Annotated[str, Path(description="What the preview's address ends with.", examples=[_EXAMPLE])],
    response: Response,
    house: HouseInUse,
    session: ReadSession,
) -> ConditionPublic:
    """Read a preview.

    The draft as the page that it would be if it were published now, with the number that its revision would have.
    `updated_at` says when the draft was changed last, and so does `published_at` where no page of it was ever public.
    """
    page = await previews.get(session, token, keyring=house.keyring)
    response.headers["Content-Language"] = page.locale
    response.headers["X-Robots-Tag"] = "noindex"
    return page
