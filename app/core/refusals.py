"""The answer that a refusal becomes: RFC 9457 `application/problem+json`."""

import json
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from app.core.errors import Refusal
from app.core.faults import described, named

MEDIA_TYPE: Final = "application/problem+json"


def render(refusal: Refusal, request_id: str) -> Response:
    """The answer that a refusal becomes."""
    body = {**described(type(refusal)), "request_id": request_id, **refusal.extra, **named(refusal)}
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(content, refusal.status, headers, media_type=MEDIA_TYPE)
