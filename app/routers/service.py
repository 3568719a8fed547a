"""The service about itself: health, the meaning of problems, the API's description."""

import html
from importlib.resources import files
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import Field

from app.core import schema
from app.core.caching import PUBLIC, REVALIDATE, conditional
from app.core.db import Database
from app.core.errors import NotFound, Refusal, Unavailable, all_refusals
from app.core.problems import responses
from app.core.shapes import ResponseShape
from app.routers.deps import ALWAYS

health = APIRouter(prefix="/health", tags=["Service"], responses=responses(*ALWAYS))
problems = APIRouter(
    prefix="/problems", tags=["Service"], route_class=conditional(PUBLIC), responses=responses(*ALWAYS)
)
description = APIRouter(route_class=conditional(REVALIDATE), include_in_schema=False)

_ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
# The page may load from this server only, whatever its script tries.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)


class Health(ResponseShape):
    """The service is well."""

    status: Literal["ok"] = Field(description="Always `ok`; what is not well is a problem.", examples=["ok"])


@health.get("/live")
async def read_liveness() -> Health:
    """Say whether the process is alive.

    It asks nobody else: a process that answers need not be restarted.
    """
    return Health(status="ok")


@health.get("/ready", responses=responses(Unavailable))
async def read_readiness(request: Request) -> Health:
    """Say whether requests can be served.

    The database answers, and its schema is the one that this version was written for.
    """
    database: Database = request.app.state.database
    async with database.read() as session:
        connection = await session.connection()
        if await connection.run_sync(schema.pending_migrations):
            raise Unavailable
    return Health(status="ok")


@problems.get(
    "/{code}",
    response_class=HTMLResponse,
    responses={
        200: {
            "description": "The page.",
            "content": {
                "text/html": {"schema": {"type": "string"}, "example": "<!doctype html><title>Not found</title>"}
            },
        },
        **responses(NotFound),
    },
)
async def read_problem(code: str) -> HTMLResponse:
    """Read what a problem means.

    A page for people; its address is the `type` of the problem.
    """
    refusal = next((known for known in all_refusals() if known.code == code), None)
    if refusal is None:
        raise NotFound
    return HTMLResponse(_problem_page(refusal), headers={"content-security-policy": "default-src 'none'"})


@description.get("/openapi.json")
async def read_openapi(request: Request) -> Response:
    """The API's description (OpenAPI 3.1)."""
    return Response(request.app.state.openapi_bytes(), media_type="application/json")


def _problem_page(refusal: type[Refusal]) -> str:
    first, *rest = refusal.explanation().split("\n\n")
    paragraphs = "".join(f"<p>{html.escape(part)}</p>" for part in (first, *rest))
    members = "".join(
        f"<li><code>{html.escape(name)}</code>: {html.escape(str(member['description']))}</li>"
        for name, member in refusal.members.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{refusal.title}</title>'
        f"<h1>{refusal.title}</h1><p>HTTP status {refusal.status}, code <code>{refusal.code}</code>.</p>"
        f"{paragraphs}{f'<ul>{members}</ul>' if members else ''}</html>"
    )


docs = APIRouter(prefix="/docs", include_in_schema=False)


@docs.get("")
async def show_docs() -> HTMLResponse:
    """The API docs, made by Swagger UI; its files are served from here."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Carepath API",
        swagger_js_url="/docs/swagger-ui-bundle.js",
        swagger_css_url="/docs/swagger-ui.css",
        swagger_favicon_url="/docs/favicon.png",
    )
    page.headers["content-security-policy"] = _DOCS_POLICY
    return page


@docs.get("/{name}")
async def send_docs_file(name: str) -> FileResponse:
    """One of the page's files."""
    if name not in _ASSETS:
        raise NotFound
    return FileResponse(str(files("fastapi_offline") / "static" / name), media_type=_ASSETS[name])
