"""Answers with what is public: a condition's page whole, and in which language any answer is.

Nothing here needs FastAPI, so that a process that starts can answer with a page before that is loaded.
"""

from datetime import UTC, datetime
from email.utils import format_datetime

from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from app.content import locales, page_times, pages
from app.content.locales import Languages
from app.content.published import PublishedPages
from app.content.shapes import ConditionPublic
from app.core.media_types import prefers
from app.core.shapes import DEFAULT_LOCALE
from app.interop.schema_org import MEDIA_TYPE, medical_web_page_bytes


class JsonLdAnswer(Response):
    """A page as JSON-LD."""

    media_type = MEDIA_TYPE


async def page_answer(
    request: Request,
    session: AsyncSession,
    published: PublishedPages,
    slug: str,
    *,
    languages: Languages,
    frontend_url: str | None,
) -> Response:
    """A condition's page in the best of these languages, as JSON or as JSON-LD; raises ConditionNotFound."""
    page = await pages.get_published(session, slug, await pages.language_for(session, slug, languages))
    if prefers(", ".join(request.headers.getlist("accept")), MEDIA_TYPE, "application/json"):
        answer = json_ld_of(page, frontend_url)
    else:
        answer = Response(page.model_dump_json(), media_type="application/json")
    request.state.version = page.revision
    changed_at = await page_times.changed_at(session, page)
    address, varies = f"/conditions/{slug}", "Accept, Accept-Language"
    await say(published, answer, page.locale, address=address, changed_at=changed_at, varies=varies)
    return answer


def json_ld_of(page: ConditionPublic, frontend_url: str | None) -> Response:
    """The JSON-LD of a page."""
    return JsonLdAnswer(medical_web_page_bytes(page, frontend_url=frontend_url))


async def languages_of(published: PublishedPages, accept_language: str | None, locale: str | None) -> Languages:
    """The languages to look for, best first: what is published of those that were asked for."""
    edition = await published.edition()
    return locales.choose([locale] if locale else locales.accepted(accept_language or ""), edition.locales)


async def say(
    published: PublishedPages,
    response: Response,
    language: str,
    *,
    address: str | None = None,
    changed_at: datetime | None = None,
    varies: str = "Accept-Language",
) -> None:
    """Put into the answer in which language it is, when it changed, and, if it has one, its own address in it."""
    headers = response.headers
    headers["content-language"] = language
    headers["vary"] = varies
    changed_at = changed_at or (await published.edition()).changed_at
    if changed_at is not None:
        headers["last-modified"] = format_datetime(changed_at.astimezone(UTC), usegmt=True)
    if address is not None:
        in_it = "" if language == DEFAULT_LOCALE else f"?locale={language}"
        headers["link"] = f'<{address}{in_it}>; rel="canonical"'
