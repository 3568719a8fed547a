"""The API's description: for programs, and as a page for people."""

from importlib.resources import files

from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

from app.core.caching import FreshRoute
from app.core.errors import NotFound

description = APIRouter(route_class=FreshRoute, include_in_schema=False)
docs = APIRouter(prefix="/docs", include_in_schema=False)

_ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
# The page may load from this server only, whatever its script tries.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)


@description.get("/openapi.json")
async def read_openapi(request: Request) -> Response:
    """The API's description (OpenAPI 3.1)."""
    return Response(request.app.state.openapi_bytes(), media_type="application/json")


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
