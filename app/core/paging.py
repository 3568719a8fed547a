"""Lists in pages: opaque keyset cursors, so that a page never skips or repeats a row while others are added."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Request, Response
from pydantic import MISSING, BaseModel, ConfigDict, Field

from app.core.errors import InvalidInput

_T = TypeVar("_T")


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


def next_link(
    request: Request, response: Response, query: PageQuery, last: _T | None, place: Callable[[_T], Sequence[object]]
) -> Any:
    """The address of the page after `last`, which has this place in the order; also the `Link` header (RFC 8288)."""
    if last is None:
        return MISSING
    packed = json.dumps([str(value) for value in place(last)], ensure_ascii=False, separators=(",", ":")).encode()
    cursor = base64.urlsafe_b64encode(packed).rstrip(b"=").decode()
    sent = query.model_dump(mode="json", by_alias=True, exclude_unset=True) | {"cursor": cursor}
    link = f"{request.url.path}?{urlencode(sent, doseq=True)}"
    response.headers["link"] = f'<{link}>; rel="next"'
    return link


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
