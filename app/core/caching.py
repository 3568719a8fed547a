"""Conditional reads (RFC 9110, section 13): every answer to a GET has a strong ETag, and 304 where it still holds."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from app.core.etags import etag, matches

PUBLIC = "public, max-age=60, stale-while-revalidate=600, stale-if-error=86400"
REVALIDATE = "no-cache"


def conditional(cache_control: str) -> type[APIRoute]:
    """A route class whose 200 answers to GET carry an ETag and `cache_control`.

    A door that reads one versioned thing says so: `request.state.version = slot.version`.
    """

    class ConditionalRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def answer(request: Request) -> Response:
                response = await handler(request)
                if request.method == "GET" and response.status_code == HTTPStatus.OK:
                    return _conditional(request, response, cache_control)
                return response

            return answer

    return ConditionalRoute


def _conditional(request: Request, response: Response, cache_control: str) -> Response:
    tag = response.headers.get("etag")
    if tag is None:
        tag = etag(getattr(request.state, "version", 0), bytes(response.body))
        response.headers["etag"] = tag
    response.headers["cache-control"] = cache_control
    if matches(request.headers.get("if-none-match"), tag):
        kept = {
            name: value for name, value in response.headers.items() if name not in ("content-length", "content-type")
        }
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
    return response
