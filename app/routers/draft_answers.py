"""What the doors of drafts and revisions have in common: the language, whole entity tags, answers with a tag."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response, status
from pydantic import BaseModel, ConfigDict, Field

from app.content import draft_steps
from app.content.draft_shapes import ConditionDraftPublic
from app.content.draft_steps import Tags
from app.core.etags import etag
from app.core.problems import responses
from app.core.shapes import DEFAULT_LOCALE, Locale
from app.routers.deps import IfMatch, OptionalIfMatch


class LocaleQuery(BaseModel):
    """Which language's page."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    locale: Locale = Field(
        default=DEFAULT_LOCALE, description="Language of the page (BCP 47).", examples=[DEFAULT_LOCALE]
    )


async def _tags(request: Request, versions: IfMatch) -> Tags:
    return _sent(request, versions)


async def _optional_tags(request: Request, versions: OptionalIfMatch) -> Tags:
    return _sent(request, versions)


def _sent(request: Request, versions: frozenset[int] | None) -> Tags:
    """The whole tags: see `draft_steps.refuse_stale`."""
    if versions is None:
        return None
    return frozenset(tag.strip() for sent in request.headers.getlist("if-match") for tag in sent.split(","))


Language = Annotated[LocaleQuery, Query()]
MustMatch = Annotated[Tags, Depends(_tags)]
MayMatch = Annotated[Tags, Depends(_optional_tags)]


def tagged(status_code: int, *refusals: Any) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI file says of a door that answers a draft, with its ETag."""
    return {status_code: {"headers": {"ETag": {"$ref": "#/components/headers/ETag"}}}, **responses(*refusals)}


def answer(shown: ConditionDraftPublic, status_code: int = status.HTTP_200_OK, **headers: str) -> Response:
    """A draft, with the tag to send with the next step."""
    body = draft_steps.body_of(shown)
    headers["etag"] = etag(shown.version, body)
    return Response(body, status_code, headers, media_type="application/json")


def address_of(shown: ConditionDraftPublic) -> str:
    """Where the draft is."""
    language = f"?locale={shown.locale}" if shown.locale != DEFAULT_LOCALE else ""
    return f"/conditions/{shown.slug}/draft{language}"
