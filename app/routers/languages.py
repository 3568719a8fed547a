"""In which language what is public is asked for, and how an answer says in which one it is."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Any, Final

from fastapi import Header, Query, Response
from pydantic import Field

from app.content import locales
from app.content.locales import MAX_RANGE, RANGE_PATTERN, Languages
from app.core.paging import PageQuery
from app.core.shapes import DEFAULT_LOCALE
from app.routers.deps import House

_LOCALE: Final = (
    "Language (BCP 47), instead of `Accept-Language`. What is not there in it comes without region (`pt-BR`, `pt`), "
    f"else in `{DEFAULT_LOCALE}`, else in any language: `Content-Language` says which. Casing does not matter."
)

AskedLocale = Annotated[
    str | None, Query(pattern=RANGE_PATTERN, max_length=MAX_RANGE, description=_LOCALE, examples=["es"])
]
AcceptLanguage = Annotated[
    str | None,
    Header(
        alias="Accept-Language",
        description="Languages that the reader understands (RFC 9110, section 12.5.4); what cannot be read is ignored.",
        examples=["pt-BR, pt;q=0.9, en;q=0.5"],
    ),
]
# For `responses` of a door that answers in a language.
IN_ITS_LANGUAGE: Final[dict[str, Any]] = {
    "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("Content-Language", "Last-Modified")}
}
# The same, where it has an address of its own.
AT_ITS_ADDRESS: Final[dict[str, Any]] = {
    "headers": IN_ITS_LANGUAGE["headers"] | {"Link": {"$ref": "#/components/headers/Link"}}
}


class LocalizedQuery(PageQuery):
    """Query parameters of a list whose items have languages."""

    locale: str | None = Field(
        default=None, pattern=RANGE_PATTERN, max_length=MAX_RANGE, description=_LOCALE, examples=["es"]
    )


async def languages_of(house: House, accept_language: str | None, locale: str | None) -> Languages:
    """The languages to look for, best first: what is published of those that were asked for."""
    edition = await house.published.edition()
    return locales.choose([locale] if locale else locales.accepted(accept_language or ""), edition.locales)


async def say(
    house: House,
    response: Response,
    language: str,
    *,
    address: str | None = None,
    changed_at: datetime | None = None,
    varies: str = "Accept-Language",
) -> None:
    """Put into the answer in which language it is, when it changed, and, if it has one, its own address in it."""
    headers = response.headers
    headers["content-language"] = language
    headers["vary"] = varies
    changed_at = changed_at or (await house.published.edition()).changed_at
    if changed_at is not None:
        headers["last-modified"] = format_datetime(changed_at.astimezone(UTC), usegmt=True)
    if address is not None:
        in_it = "" if language == DEFAULT_LOCALE else f"?locale={language}"
        headers["link"] = f'<{address}{in_it}>; rel="canonical"'
