"""In which language what is public is asked for, and what the OpenAPI file says of that."""

from typing import Annotated, Any, Final

from fastapi import Header, Query
from pydantic import Field

from app.content.locales import MAX_RANGE, RANGE_PATTERN
from app.core.paging import PageQuery
from app.core.shapes import DEFAULT_LOCALE

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
