"""The frontend's pages for search engines: the Sitemaps protocol 0.9, with every page's languages as `hreflang`."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from app.content.page_addresses import PageAddress
from app.core.shapes import DEFAULT_LOCALE
from app.interop.frontend import condition_url

MEDIA_TYPE: Final = "application/xml"
# The protocol allows 50,000 in a file, and 50 MB. A page in ten languages takes up to 2.5 kB, and each answer is made
# in memory while others wait.
PAGES_PER_FILE: Final = 10_000

_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_PROTOCOL: Final = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
_XHTML: Final = 'xmlns:xhtml="http://www.w3.org/1999/xhtml"'


def sitemap(pages: Iterable[PageAddress], *, frontend_url: str) -> bytes:
    """The file of these pages."""
    # Nothing is escaped: neither a slug nor a locale nor the setting can hold a character that XML would take for its
    # own.
    entries = "".join(_entry(page, frontend_url) for page in pages)
    return f"{_HEAD}<urlset {_PROTOCOL} {_XHTML}>\n{entries}</urlset>\n".encode()


def sitemap_index(changed_at: Sequence[datetime], *, frontend_url: str) -> bytes:
    """The file that names the sitemaps, of which each last changed at one of these moments."""
    entries = "".join(
        f"<sitemap><loc>{frontend_url}/sitemap-{number}.xml</loc><lastmod>{_moment(moment)}</lastmod></sitemap>\n"
        for number, moment in enumerate(changed_at, 1)
    )
    return f"{_HEAD}<sitemapindex {_PROTOCOL}>\n{entries}</sitemapindex>\n".encode()


def _entry(page: PageAddress, frontend_url: str) -> str:
    loc = condition_url(frontend_url, page.slug, page.locale)
    return f"<url><loc>{loc}</loc><lastmod>{_moment(page.updated_at)}</lastmod>{_links(page, frontend_url)}</url>\n"


def _links(page: PageAddress, frontend_url: str) -> str:
    """Every language of the page, its own among them, as the search engines want it; nothing where there is one."""
    if len(page.locales) == 1:
        return ""
    links = [(locale, locale) for locale in page.locales]
    if DEFAULT_LOCALE in page.locales:
        links.append(("x-default", DEFAULT_LOCALE))
    return "".join(
        f'<xhtml:link rel="alternate" hreflang="{name}" href="{condition_url(frontend_url, page.slug, locale)}"/>'
        for name, locale in links
    )


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
