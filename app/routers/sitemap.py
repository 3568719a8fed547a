"""The sitemap of the frontend's pages."""

import asyncio
import gzip
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from app.content import page_addresses
from app.content.errors import SitemapNotFound
from app.content.page_addresses import PageAddress
from app.core.accept import takes_gzip
from app.core.caching import PublicRoute
from app.core.errors import InvalidInput
from app.core.problems import responses
from app.interop.sitemap import MEDIA_TYPE, PAGES_PER_FILE, sitemap, sitemap_index
from app.routers.deps import ALWAYS, House, HouseInUse

_EXAMPLE = sitemap(
    [PageAddress("acute-lymphoblastic-leukemia", "en", ["en", "es"], datetime(2026, 11, 23, 9, tzinfo=UTC))],
    frontend_url="https://www.example.org",
).decode()
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A sitemap, or an index of sitemaps.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


class SitemapAnswer(Response):
    """The file."""

    media_type = MEDIA_TYPE


class SitemapRoute(PublicRoute):
    """A sitemap is large: it is packed once for all who ask at the same moment, not for each of them."""

    is_packed = False


router = APIRouter(
    tags=["Web"],
    route_class=SitemapRoute,
    default_response_class=SitemapAnswer,
    responses=responses(*ALWAYS),
)


@router.get("/sitemap.xml", responses={**_FILE, **responses(SitemapNotFound)})
async def read_sitemap(request: Request, house: HouseInUse) -> Response:
    """Read the sitemap of the frontend.

    Every published page in every language, at the frontend's address; or, where they are too many for one file, the
    index of `/sitemap-1.xml` and so on. A frontend answers these addresses with what is read here.
    """
    url, parts = await _parts(house)
    if len(parts) == 1:
        return await _part(request, house, url, 1)
    return SitemapAnswer(sitemap_index(parts, frontend_url=url))


@router.get("/sitemap-{number}.xml", responses={**_FILE, **responses(SitemapNotFound, InvalidInput)})
async def read_sitemap_part(
    request: Request,
    house: HouseInUse,
    number: Annotated[int, Path(ge=1, le=50_000, description="Which part, from 1.", examples=[1])],
) -> Response:
    """Read one part of the sitemap of the frontend.

    The first one is there also while all pages are in one file.
    """
    url, parts = await _parts(house)
    if number > len(parts):
        raise SitemapNotFound
    return await _part(request, house, url, number)


async def _parts(house: House) -> tuple[str, list[datetime]]:
    """The frontend's address, and when each part last changed; raises SitemapNotFound where there is none."""

    async def ask() -> list[datetime]:
        async with house.database.read() as session:
            return await page_addresses.list_parts(session, size=PAGES_PER_FILE)

    url = house.settings.frontend_url
    if url is None:
        raise SitemapNotFound
    # A sitemap costs a look at every page: whoever asks while somebody else does gets the same one.
    found = await house.brief.get("sitemap parts", ask)
    if not found:
        raise SitemapNotFound
    return url, found


async def _part(request: Request, house: House, url: str, number: int) -> Response:
    skip = (number - 1) * PAGES_PER_FILE

    async def ask() -> tuple[bytes, bytes]:
        async with house.database.read() as session:
            pages = await page_addresses.list_addresses(session, skip=skip, limit=PAGES_PER_FILE)
        plain = sitemap(pages, frontend_url=url)
        return plain, await asyncio.to_thread(gzip.compress, plain, mtime=0)

    plain, packed = await house.brief.get(("sitemap", number), ask)
    headers = {"vary": "Accept-Encoding"}
    if takes_gzip(", ".join(request.headers.getlist("accept-encoding"))):
        return SitemapAnswer(packed, headers=headers | {"content-encoding": "gzip"})
    return SitemapAnswer(plain, headers=headers)
