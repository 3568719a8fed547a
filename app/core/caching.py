"""Routes whose answers to GET are conditional, and packed where that is worth it."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from app.core.bodies import StrictRequest
from app.core.conditional import PUBLIC, REVALIDATE, conditional, pack


class ConditionalRoute(APIRoute):
    """A route whose 200 answers to GET carry an ETag and `cache_control`; what else it takes, it takes strictly.

    A door that reads one versioned thing says so: `request.state.version = slot.version`.
    """

    cache_control: ClassVar[str]
    # Whether it is sent compressed to whoever takes that.
    is_packed: ClassVar[bool] = False

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The framework's answer; but where a door has this very address, its last part is nothing's id or slug.

        So what that door does not take is 405 there, not some other door's 404 or 422.
        """
        match, inner = super().matches(scope)
        if match is Match.FULL and "{" in self.path and scope["path"] in scope["app"].state.plain_paths:
            return Match.NONE, {}
        return match, inner

    async def quick_answer(self, request: Request) -> Response | None:  # noqa: ARG002 - for those that have one
        """The answer to a GET where it can be had without the framework's part: parameters, callers and the like."""
        return None

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler, and what is added to its answer."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            if request.method != "GET":
                return await handler(StrictRequest(request.scope, request.receive))
            response = await self.quick_answer(request) or await handler(request)
            if response.status_code == HTTPStatus.OK:
                if self.is_packed:
                    await pack(request, response)
                return conditional(request, response, self.cache_control)
            return response

        return answer


class PublicRoute(ConditionalRoute):
    """Content: any cache may keep it for a minute, and longer while nobody can be asked."""

    cache_control = PUBLIC
    is_packed = True


class FreshRoute(ConditionalRoute):
    """What changes any moment: a cache has to ask each time."""

    cache_control = REVALIDATE
