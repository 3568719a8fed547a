"""Every refusal becomes a problem, the framework's and the database's own included; and what the OpenAPI file says."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import MISSING, Field
from sqlalchemy.exc import DBAPIError, IntegrityError
from starlette.exceptions import HTTPException

from app.core import logs
from app.core.database_errors import constraint_of, is_temporary
from app.core.db import DatabaseBusy
from app.core.errors import (
    BodyTooLarge,
    InternalError,
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    Refusal,
    Unavailable,
    refusal_for,
)
from app.core.faults import NOT_JSON, FieldProblem, described, faults_of
from app.core.refusals import MEDIA_TYPE, render
from app.core.shapes import ResponseShape

_BY_STATUS: Mapping[int, type[Refusal]] = {r.status: r for r in (NotFound, MethodNotAllowed, BodyTooLarge)}
_EXAMPLE_REQUEST_ID = "01993b2e5f7c7d0c8a2b6f4e1d3c5a79"


class Problem(ResponseShape):
    """A refusal (RFC 9457). Some have members of their own."""

    type: str = Field(description="Stable address of the problem's page, relative to this API.")
    title: str = Field(description="Short name of the problem.")
    status: int = Field(description="HTTP status.")
    detail: str = Field(description="What happened, for people.")
    code: str = Field(description="Stable name of the problem, for programs.")
    request_id: str = Field(description="Quote it when you report the problem.")
    errors: list[FieldProblem] | MISSING = Field(default=MISSING, description="Each thing wrong with the request.")


def responses(*refusals: type[Refusal]) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI file says of these refusals: one entry a status, one example a refusal."""
    found: dict[int | str, dict[str, Any]] = {}
    for refusal in refusals:
        entry = found.setdefault(refusal.status, {"description": "", "content": {MEDIA_TYPE: {"examples": {}}}})
        entry["description"] = f"{entry['description']} {refusal.detail()}".strip()
        entry["content"][MEDIA_TYPE]["examples"][refusal.code] = {"summary": refusal.title, "value": _example(refusal)}
        schema: dict[str, Any] = {"$ref": "#/components/schemas/Problem"}
        if refusal.members:
            added = {"type": "object", "properties": dict(refusal.members)}
            schema = {"allOf": [{"$ref": "#/components/schemas/Problem"}, added]}
        previous = entry["content"][MEDIA_TYPE].get("schema")
        if previous is None or refusal.members:
            entry["content"][MEDIA_TYPE]["schema"] = schema
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in refusal.headers}
        entry["headers"] = entry.get("headers", {}) | headers
    return found


def answer_with_problems(app: FastAPI, routes: Sequence[APIRoute]) -> None:
    """Make every refusal, the framework's and the database's own included, a problem."""

    async def refuse(request: Request, error: Exception) -> Response:
        refusal = _as_refusal(error)
        if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logs.failure("refused", error, request_id=request.state.request_id, code=refusal.code)
        answer = render(refusal, request.state.request_id)
        if isinstance(refusal, MethodNotAllowed):
            # The framework names the methods of the first route with this path only. HEAD works wherever GET does.
            here = _methods_at(request.url.path, routes)
            answer.headers["Allow"] = ", ".join(sorted(here | ({"HEAD"} if "GET" in here else set())))
        return answer

    for kind in (Refusal, RequestValidationError, HTTPException, DBAPIError, DatabaseBusy):
        app.add_exception_handler(kind, refuse)


def _methods_at(path: str, routes: Sequence[APIRoute]) -> set[str]:
    # A door with this very address goes before one that takes the last part for an id.
    found = [r for r in routes if r.path == path] or [r for r in routes if r.path_regex.match(path)]
    return {method for route in found for method in route.methods or ()}


def _as_refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, RequestValidationError):
        return InvalidInput(*faults_of(error.errors()))
    if isinstance(error, HTTPException):
        return _of_framework(error)
    if isinstance(error, IntegrityError):
        return _of_constraint(constraint_of(error))
    if isinstance(error, DatabaseBusy) or (isinstance(error, DBAPIError) and is_temporary(error)):
        return Unavailable()
    return InternalError()


def _of_framework(error: HTTPException) -> Refusal:
    if isinstance(error.__cause__, Refusal):
        # What `StrictRequest` says of a body; the framework takes any error there for its own.
        return error.__cause__
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # What it says of a body that is not UTF-8, nested too deep, or holds a number of thousands of digits.
        return InvalidInput(NOT_JSON)
    return _BY_STATUS.get(error.status_code, InternalError)()


def _of_constraint(constraint: str | None) -> Refusal:
    refusal = refusal_for(constraint)
    if refusal is None:
        logs.failure("constraint", constraint=constraint)
        return InternalError()
    return refusal()


def _example(refusal: type[Refusal]) -> dict[str, Any]:
    example = {**described(refusal), "request_id": _EXAMPLE_REQUEST_ID}
    example |= {name: schema["examples"][0] for name, schema in refusal.members.items()}
    if refusal is InvalidInput:
        example["errors"] = [
            {"detail": "must be later than starts_at", "code": "end_before_start", "pointer": "/ends_at"}
        ]
    return example
