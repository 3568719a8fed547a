"""The OpenAPI file: what FastAPI makes, completed so that it says all that the server does."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from app.core.caching import ConditionalRoute, PublicRoute
from app.core.faults import FieldProblem
from app.core.problems import Problem
from app.core.refusals import MEDIA_TYPE

_REFS = "#/components/schemas/"
_HEADERS: dict[str, Any] = {
    "Cache-Control": {
        "description": "How long the answer may be kept; `no-store` where a credential was sent, and of most refusals.",
        "schema": {"type": "string"},
    },
    "Content-Language": {"description": "Language of the texts (BCP 47).", "schema": {"type": "string"}},
    "ETag": {
        "description": 'Strong entity tag, `"<version>-<digest>"`: send it back as `If-None-Match`.',
        "schema": {"type": "string"},
        "example": '"1-5f2b7c93a44f6e8c1b7e"',
    },
    "Idempotent-Replayed": {
        "description": "`true` where an earlier attempt with this key did it.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Last-Modified": {"description": "When it last changed.", "schema": {"type": "string"}},
    "Link": {
        "description": 'The next page, `<...>; rel="next"` (RFC 8288); of one thing its address, `rel="canonical"`.',
        "schema": {"type": "string"},
    },
    "Location": {"description": "Address of what was made.", "schema": {"type": "string", "format": "uri-reference"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "The scheme to use, `Bearer`.", "schema": {"type": "string"}},
    "Vary": {"description": "Request headers that decide about the answer.", "schema": {"type": "string"}},
    "X-Request-Id": {
        "description": "The request's id: quote it when you report a problem.",
        "schema": {"type": "string"},
    },
}


def _header(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the answer that you have.",
    "schema": {"type": "string"},
    "example": '"1-5f2b7c93a44f6e8c1b7e"',
}


def describe(app: FastAPI, routes: Sequence[APIRoute]) -> dict[str, Any]:
    """The whole description."""
    spec = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
        servers=[{"url": "/"}],
    )
    schemas = spec["components"]["schemas"]
    _, own = models_json_schema(
        [(Problem, "serialization"), (FieldProblem, "serialization")], ref_template=_REFS + "{model}"
    )
    schemas.update(own["$defs"])
    spec["components"]["headers"] = _HEADERS
    conditional = {route.name: route for route in routes if isinstance(route, ConditionalRoute)}
    for method, operation in _operations(spec):
        _complete(operation, schemas, conditional.get(operation["operationId"]) if method == "get" else None)
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            field.pop("x-not-in-example", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return spec


def _operations(spec: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in spec["paths"].values():
        yield from path.items()


def _complete(operation: dict[str, Any], schemas: dict[str, Any], read: ConditionalRoute | None) -> None:
    # A door's docstring: the first line is the summary, what follows is the description.
    summary, _, description = operation["description"].partition("\n")
    operation["summary"], operation["description"] = summary.rstrip("."), description.strip() or summary
    answers = operation["responses"]
    if MEDIA_TYPE not in answers.get("422", {"content": MEDIA_TYPE})["content"]:
        # The framework adds its own to every door with a parameter; the ones without ours take any text.
        del answers["422"]
    if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", [])):
        answers["200"].setdefault("headers", {}).update(_header("Link"))
    if read is not None:
        # What is public is packed for whoever takes that.
        varies = ["Vary"] if isinstance(read, PublicRoute) else []
        answers["200"].setdefault("headers", {}).update(_header("ETag", *varies))
        answers["304"] = {
            "description": "You have it already: `If-None-Match` names the current ETag.",
            "headers": dict(answers["200"]["headers"]),
        }
        operation.setdefault("parameters", []).append(_IF_NONE_MATCH)
    if "201" in answers:
        answers["201"].setdefault("headers", {}).update(_header("Location"))
    for parameter in operation.get("parameters", []):
        _complete_parameter(parameter, answers)
    if "requestBody" in operation:
        _complete_content(operation["requestBody"], schemas)
    for answer in answers.values():
        _complete_content(answer, schemas)
        answer.setdefault("headers", {}).update(_header("Cache-Control", "X-Request-Id"))
    operation["responses"] = dict(sorted(answers.items()))


def _complete_content(part: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Give a body or an answer its example, and the description of what it holds."""
    for media_type, content in part.get("content", {}).items():
        if media_type != MEDIA_TYPE and "example" not in content:
            content["example"] = _example(content["schema"], schemas)
        if part.get("description") == "Successful Response":
            part["description"] = schemas[content["schema"]["$ref"].removeprefix(_REFS)]["description"]


def _complete_parameter(parameter: dict[str, Any], answers: dict[str, Any]) -> None:
    schema = parameter["schema"]
    parameter["required"] = schema.pop("x-required", parameter["required"])
    if parameter["name"] == "Idempotency-Key":
        answers["201"].setdefault("headers", {}).update(_header("Idempotent-Replayed"))
    for repeated in ("description", "title"):
        schema.pop(repeated, None)
    examples = schema.pop("examples", None)
    if examples:
        parameter["example"] = examples[0]
    # No parameter can be null: it is there or not.
    kinds = [kind for kind in schema.pop("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema.update(kinds[0])


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """An example put together from those of the fields."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].removeprefix(_REFS)], schemas)
    if "anyOf" in schema and "properties" not in schema:
        # What may be left out is null to the framework.
        return _example(next(kind for kind in schema["anyOf"] if kind != {"type": "null"}), schemas)
    if schema.get("type") == "array":
        return [_example(schema["items"], schemas)]
    properties = schema.get("properties", {})
    return {name: _example(field, schemas) for name, field in properties.items() if "x-not-in-example" not in field}
