"""Which answers of the doors the lane remembers, and as what."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Message, Scope

from app.content.answers import FinishedAnswer, FinishedHead
from app.core.conditional import NOT_IN_304, PUBLIC

# Each request has its own.
REQUEST_ID: Final = b"x-request-id"
_PATH: Final = re.compile(r"/(conditions|categories|treatment-options)(/[a-z0-9-]{1,100}(/treatment-options)?)?")
# Not `q`: what is found follows what is published a moment later.
_PARAMETERS: Final = frozenset(
    {"category", "code", "cursor", "letter", "limit", "locale", "review_status", "treatment"}
)
_LONGEST_QUERY: Final = 500
_FIRST_LINES: Final = {
    status: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
    for status in (HTTPStatus.OK, HTTPStatus.NOT_MODIFIED)
}
_PAGE: Final = re.compile(r"/conditions/([^/]+)")


def is_worth_keeping(scope: Scope) -> bool:
    """Whether this asks for something that many ask for."""
    if scope["type"] != "http" or scope["method"] != "GET" or not _PATH.fullmatch(scope["path"]) or has_body(scope):
        return False
    query = scope["query_string"].decode("latin-1")
    return len(query) <= _LONGEST_QUERY and _PARAMETERS.issuperset(parse_qs(query, keep_blank_values=True))


def has_body(scope: Scope) -> bool:
    """Whether a request says that it has a body."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in scope["headers"]
    )


def finish(messages: Sequence[Message], path: str, *, cache_control: str = PUBLIC) -> FinishedAnswer | None:
    """An answer as it is remembered, None for one that is not for everybody: it would not have this `Cache-Control`."""
    is_for_all = bool(messages) and (b"cache-control", cache_control.encode()) in messages[0]["headers"]
    if not is_for_all or messages[0]["status"] != HTTPStatus.OK:
        return None
    headers = [(name, value) for name, value in messages[0]["headers"] if name != REQUEST_ID]
    page = _PAGE.fullmatch(path)
    return FinishedAnswer(
        route=re.sub(r"(?<=/)([^/]+)/[^/]+", r"\1/{slug}", path, count=1),
        etag=dict(headers)[b"etag"],
        body=b"".join(message.get("body", b"") for message in messages[1:]),
        full=_head(HTTPStatus.OK, headers),
        not_modified=_head(HTTPStatus.NOT_MODIFIED, [one for one in headers if one[0].decode() not in NOT_IN_304]),
        page=page[1] if page else None,
    )


def _head(status: HTTPStatus, headers: Sequence[tuple[bytes, bytes]]) -> FinishedHead:
    return FinishedHead(
        int(status), headers, _FIRST_LINES[status] + b"".join(b"%b: %b\r\n" % header for header in headers)
    )
