"""Conditional reads (RFC 9110, section 13): every answer to a GET has a strong ETag, and 304 where it still holds."""

import asyncio
import gzip
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.core.accept import takes_gzip
from app.core.etags import etag, matches

PUBLIC: Final = "public, max-age=60, stale-while-revalidate=600, stale-if-error=86400"
REVALIDATE: Final = "no-cache"
# Of this many bytes and more, packing is left to a thread.
_LARGE: Final = 64 * 1024
# What tells of a body is not in an answer without one.
NOT_IN_304: Final = frozenset({"content-encoding", "content-length", "content-type"})


async def pack(request: Request, response: Response) -> None:
    """Compress the answer where the client takes that and it becomes shorter."""
    varies = response.headers.get("vary")
    response.headers["vary"] = f"Accept-Encoding, {varies}" if varies else "Accept-Encoding"
    if takes_gzip(", ".join(request.headers.getlist("accept-encoding"))):
        body = bytes(response.body)
        # Measured: 0.7 ms for 30 kB, 440 ms for 4 MB, a category of 10,000 conditions. Nobody waits for that.
        is_large = len(body) > _LARGE
        packed = await asyncio.to_thread(_packed, body) if is_large else _packed(body)
        if len(packed) < len(response.body):
            response.body = packed
            response.headers["content-encoding"] = "gzip"
            response.headers["content-length"] = str(len(packed))


def _packed(body: bytes) -> bytes:
    # Without the time: the same text has the same bytes, and so the same tag, whoever packs it and when.
    return gzip.compress(body, mtime=0)


def conditional(request: Request, response: Response, cache_control: str) -> Response:
    """The answer with its ETag and `cache_control`, or 304 where the client has it already."""
    tag = response.headers.get("etag")
    if tag is None:
        tag = etag(getattr(request.state, "version", 0), bytes(response.body))
        response.headers["etag"] = tag
    response.headers["cache-control"] = cache_control
    if matches(", ".join(request.headers.getlist("if-none-match")), tag):
        kept = {name: value for name, value in response.headers.items() if name not in NOT_IN_304}
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
    return response
