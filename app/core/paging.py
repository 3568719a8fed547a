"""Lists in pages: opaque keyset cursors, so that a page never skips or repeats a row while others are added."""

import base64
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import quote, unquote_plus

from fastapi import Request, Response
from pydantic import MISSING, BaseModel, ConfigDict, Field
from pydantic_core import to_json

from app.core.errors import InvalidInput

_T = TypeVar("_T")
# RFC 3986, section 3.4, and what is encoded already.
_NO_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_IN_A_QUERY: Final = "%:@/?!$&'()*+,;=-._~"


class PageQuery(BaseModel):
    """Query parameters of every list. Unknown ones are refused: a mistyped filter must not show everything."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    limit: Annotated[int, Field(ge=1, le=100, description="How many items at most.", examples=[20])] = 20
    cursor: Annotated[
        str | None,
        Field(max_length=2_000, description="Where to go on: taken from `next` of the page before."),
    ] = None

    def position(self, *kinds: Callable[[str], Any]) -> tuple[Any, ...] | None:
        """The sort values that the cursor holds, one of each kind; None on the first page."""
        if self.cursor is None:
            return None
        try:
            values = json.loads(base64.urlsafe_b64decode(self.cursor.encode("ascii") + b"=="))
            return tuple(kind(value) for kind, value in zip(kinds, _strings(values), strict=True))
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise InvalidInput.parameter("cursor", "cursor", "is not a cursor that this list gave out") from None

    def first(self, kind: Callable[[str], _T]) -> _T | None:
        """The cursor's only sort value, of a list that is sorted by one."""
        found = self.position(kind)
        return None if found is None else found[0]


def page_of(found: list[_T], limit: int) -> tuple[list[_T], _T | None]:
    """Of `limit` + 1 rows at most: those of this page, and its last one where others follow."""
    return found[:limit], found[limit - 1] if len(found) > limit else None


def next_link(request: Request, response: Response, last: _T | None, place: Callable[[_T], Sequence[object]]) -> Any:
    """The address of the page after `last`, MISSING where there is none; also the `Link` header (RFC 8288)."""
    link = address_after(request, last, place)
    if link is None:
        return MISSING
    response.headers["link"] = as_next(link)
    return link


def address_after(request: Request, last: _T | None, place: Callable[[_T], Sequence[object]]) -> str | None:
    """The address of the page after `last`, which has this place in the order; None where there is none."""
    if last is None:
        return None
    packed = to_json([str(value) for value in place(last)])
    cursor = base64.urlsafe_b64encode(packed).rstrip(b"=").decode()
    # As the client has written it, but for what has no place in an address or in a header.
    raw = _NO_ESCAPE.sub(b"%25", request.scope["query_string"])
    parts = [part for part in quote(raw, safe=_IN_A_QUERY).split("&") if part]
    sent = [part for part in parts if unquote_plus(part.partition("=")[0]) != "cursor"] + [f"cursor={cursor}"]
    return f"{request.scope['path']}?{'&'.join(sent)}"


def as_next(link: str) -> str:
    """What a `Link` header says of the page after this one (RFC 8288)."""
    return f'<{link}>; rel="next"'


def instant(value: str) -> datetime:
    """A cursor's moment."""
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError
    return moment.astimezone(UTC)


def small(value: str) -> int:
    """A cursor's whole number, one that a database column holds."""
    number = int(value)
    if abs(number) >= 2**31:
        raise ValueError
    return number


def _strings(values: object) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError
    # No cursor that was given out holds NUL or half a surrogate pair, and no database compares with them.
    if "\0" in "".join(values).encode().decode():
        raise ValueError
    return values
