"""What a door answers where nothing has the slug that was asked for: it may have been renamed, or withdrawn."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request, Response
from pydantic import TypeAdapter

from app.content import slugs, withdrawals
from app.content.editorial_tables import Subject
from app.content.errors import (
    CategoryNotFound,
    ConditionNotFound,
    ConditionWithdrawn,
    DraftNotFound,
    RevisionNotFound,
    TreatmentOptionNotFound,
)
from app.content.shapes import Moved
from app.core.caching import FreshRoute, PublicRoute
from app.core.conditional import PUBLIC
from app.core.db import Database
from app.core.errors import Refusal
from app.core.problems import responses
from app.core.refusals import render
from app.routers.deps import PathSlug

_SUBJECTS: Final[dict[type[Refusal], Subject]] = {
    ConditionNotFound: Subject.CONDITION,
    CategoryNotFound: Subject.CATEGORY,
    TreatmentOptionNotFound: Subject.TREATMENT,
}
_Slug: TypeAdapter[str] = TypeAdapter(PathSlug)
_LINK = {"schema": {"type": "string"}}


class SlugRoute(PublicRoute):
    """A route of what has a slug, `/<things>/{slug}...`: its former slugs lead on, with 308, to its present one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler, and what is answered where it finds nothing."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except (ConditionNotFound, CategoryNotFound, TreatmentOptionNotFound) as refusal:
                if request.method != "GET" or "slug" not in request.path_params:
                    raise
                elsewhere = await _elsewhere(request, _SUBJECTS[type(refusal)])
                if elsewhere is None:
                    raise
                return elsewhere

        return answer


class EditorRoute(FreshRoute):
    """A route of what editors do, `/conditions/{slug}/...`: former slugs lead on as the page's do, whatever the method.

    For editors, a condition that was withdrawn is still there.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The framework's handler, and what is answered where it finds nothing."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except (ConditionNotFound, DraftNotFound, RevisionNotFound):
                present = await _present(request)
                if present is None:
                    raise
                return present

        return answer


def moved(*, can_be_gone: bool = False) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI file says of former slugs and, of conditions, of withdrawn ones."""
    told: dict[int | str, dict[str, Any]] = {
        308: {
            "description": "It has another slug now; the query goes along.",
            "model": Moved,
            "headers": {
                "Location": {
                    "description": "Its present address, relative to this API.",
                    "schema": {"type": "string", "format": "uri-reference"},
                },
                "Link": {"description": 'The same without the query, `<...>; rel="canonical"`.', **_LINK},
            },
        }
    }
    if can_be_gone:
        told |= responses(ConditionWithdrawn)
        successor = 'The page that took its place, `<...>; rel="successor-version"`, where one did.'
        told[410]["headers"] = {"Link": {"description": successor, **_LINK}}
    return told


async def _elsewhere(request: Request, subject: Subject) -> Response | None:
    asked: str = request.path_params["slug"]
    database: Database = request.app.state.database
    # Not one more of the connections for reads: the door holds its own still, and they are few.
    async with database.look() as connection:
        thing = await slugs.find(connection, subject, _Slug.validate_python(asked))
        if thing is None:
            return None
        gone = await withdrawals.find(connection, thing.id) if subject is Subject.CONDITION else None
    if gone is not None:
        return _gone(request, gone.replacement)
    return None if thing.slug == asked else _moved(request, asked, thing.slug)


async def _present(request: Request) -> Response | None:
    """Where the condition is that had the slug in this address once."""
    asked: str = request.path_params["slug"]
    database: Database = request.app.state.database
    async with database.look() as connection:
        thing = await slugs.find(connection, Subject.CONDITION, _Slug.validate_python(asked))
    return None if thing is None or thing.slug == asked else _moved(request, asked, thing.slug)


def _moved(request: Request, asked: str, present: str) -> Response:
    path: str = request.scope["path"]
    things = path[1:].partition("/")[0]
    address = f"/{things}/{present}{path[len(f'/{things}/{asked}') :]}"
    query = quote(request.scope["query_string"], safe="!$&'()*+,/:;=?@~%")
    location = f"{address}?{query}" if query else address
    headers = {"location": location, "link": f'<{address}>; rel="canonical"', "cache-control": PUBLIC}
    body = Moved(moved_to=location).model_dump_json()
    return Response(body, HTTPStatus.PERMANENT_REDIRECT, headers, media_type="application/json")


def _gone(request: Request, replacement: str | None) -> Response:
    address = f"/conditions/{replacement}"
    refusal = ConditionWithdrawn(replacement=address) if replacement else ConditionWithdrawn()
    answer = render(refusal, request.state.request_id)
    answer.headers["cache-control"] = PUBLIC
    if replacement:
        answer.headers["link"] = f'<{address}>; rel="successor-version"'
    return answer
