"""Problems: what each of them means, for people."""

import html
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from app.core.caching import PublicRoute
from app.core.errors import NotFound, Refusal, all_refusals
from app.core.problems import responses
from app.routers.deps import ALWAYS

router = APIRouter(prefix="/problems", tags=["Service"], route_class=PublicRoute, responses=responses(*ALWAYS))


@router.get(
    "/{code}",
    response_class=HTMLResponse,
    responses={
        200: {
            "description": "The page.",
            "content": {
                "text/html": {"schema": {"type": "string"}, "example": "<!doctype html><title>Not found</title>"}
            },
            "headers": {"Content-Security-Policy": {"description": "It loads nothing.", "schema": {"type": "string"}}},
        },
        **responses(NotFound),
    },
)
async def read_problem(
    code: Annotated[str, Path(description="The problem's `code`.", examples=["slot-taken"])],
) -> HTMLResponse:
    """Read what a problem means.

    A page for people; its address is the `type` of the problem.
    """
    refusal = next((known for known in all_refusals() if known.code == code), None)
    if refusal is None:
        raise NotFound
    return HTMLResponse(_problem_page(refusal), headers={"content-security-policy": "default-src 'none'"})


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
