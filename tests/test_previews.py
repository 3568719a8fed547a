"""Previews: a draft as the page that it would be, for whoever has the link, for a while."""

import json
import logging
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.content import drafts, pages
from app.content.editorial_tables import ConditionDraft
from app.core import clock
from app.core.db import Database
from app.core.logs import JsonLines
from app.core.settings import Settings
from tests.conftest import headers_with
from tests.doors import started
from tests.pages import page_content, publish, treatment
from tests.rows import everything, run
from tests.schedules import SLUG, new_draft, opened, review_until, shown

TIMES = {"published_at", "updated_at"}
# Everything that a document can say.
WHOLE: dict[str, Any] = {
    "alternate_names": ["Synthetic other name", "SON"],
    "treatment_options": [treatment("synthetic-b"), treatment("synthetic-a", name="Synthetic A")],
    "codes": [{"system": "mesh", "code": "D054198"}, {"system": "icd-10", "code": "C91.0"}],
    "urgency_signs": [{"sign": "Synthetic sign.", "urgency": "urgent", "action": "Synthetic action."}],
    "references": [
        {"section": "overview", "title": "Synthetic guideline", "url": "https://example.org/guideline"},
        {"section": "causes", "title": "Synthetic", "url": "https://example.org/2", "publisher": "Synthetic society"},
    ],
}


async def test_a_preview_is_the_page_that_publishing_makes(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    today = clock.now().date()
    english = WHOLE | {"review": review_until(today + timedelta(days=10))}
    spanish = {
        "locale": "es",
        "name": "Synthetic Spanish",
        "category": {"slug": "synthetic-category", "name": "Synthetic Spanish Category"},
        "source_revision": 1,
        # Not what the page shows: codes do not depend on language.
        "codes": [{"system": "mesh", "code": "D000001"}],
    }
    steps: list[dict[str, Any]] = [{}, english, spanish, english | {"summary": "Synthetic third."}, spanish]
    for page in steps:
        locale = page.get("locale", "en")
        await run(database, new_draft(SLUG, **page))
        answer = await client.post(f"/conditions/{SLUG}/draft/preview?locale={locale}", headers=admin)
        preview = await shown(client, answer.json()["url"])
        async with database.write() as session:
            draft = (await session.exec(select(ConditionDraft))).one()
            await drafts.publish_draft(session, draft, by="test")
        async with database.read() as session:
            published = (await pages.get_published(session, SLUG, locale)).model_dump(mode="json")
        assert {name: said for name, said in preview.items() if name not in TIMES} == {
            name: said for name, said in published.items() if name not in TIMES
        }
        assert preview.keys() == published.keys()
        # Of a page that was published before, the first day is known.
        assert preview["published_at"] == published["published_at"] or published["revision"] == 1
    assert {option["slug"] for option in published["treatment_options"]} == {"synthetic-treatment"}


async def test_whoever_has_the_link_reads_the_draft_and_nobody_keeps_it(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await run(database, new_draft(summary="Synthetic secret."))
    link = await opened(client, admin, seconds=60)
    answer = await client.get(link["url"])
    assert (answer.status_code, answer.json()["summary"]) == (200, "Synthetic secret.")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert answer.headers["Content-Language"] == "en"
    assert (await client.head(link["url"])).headers["X-Robots-Tag"] == "noindex"
    left = datetime.fromisoformat(link["expires_at"]) - clock.now()
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    (draft,) = await everything(database, ConditionDraft)
    (entry,) = await everything(database, AuditEntry, col(AuditEntry.action) == "condition_draft.previewed")
    assert entry["subject"] == str(draft["id"])
    again = await client.get(link["url"], headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.headers["Cache-Control"], again.headers["X-Robots-Tag"]) == (
        304,
        "no-store",
        "noindex",
    )
    # To everybody else it is not there.
    assert (await client.get(f"/conditions/{SLUG}")).status_code == 404
    assert "ynthetic" not in (await client.get("/conditions")).text


async def test_a_preview_follows_its_draft_until_that_is_gone(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    made = await publish(database, SLUG, summary="Synthetic first.")
    await run(database, new_draft(draft={"condition_id": made.condition_id}, summary="Synthetic second."))
    url = (await opened(client, admin))["url"]
    before = await shown(client, url)
    assert (before["summary"], before["revision"]) == ("Synthetic second.", 2)
    changed = update(ConditionDraft).values(
        document=page_content(SLUG, summary="Synthetic third."), changed_at=clock.now() + timedelta(seconds=5)
    )
    await run(database, changed)
    after = await shown(client, url)
    assert after["summary"] == "Synthetic third."
    assert datetime.fromisoformat(after["updated_at"]) > datetime.fromisoformat(before["updated_at"])
    async with database.write() as session:
        await drafts.publish_draft(session, (await session.exec(select(ConditionDraft))).one(), by="test")
    assert (await client.get(url)).status_code == 404
    # The link opened that draft, not the page's next one.
    await run(database, new_draft(draft={"condition_id": made.condition_id}))
    assert (await client.get(url)).status_code == 404


async def test_a_token_is_in_no_log(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await run(database, new_draft())
    url = (await opened(client, admin))["url"]
    token = url.removeprefix("/previews/")
    await shown(client, url)
    await client.get(url + "x")
    lines = [JsonLines().format(record) for record in caplog.records if not record.name.startswith("http")]
    assert [json.loads(line)["route"] for line in lines if '"request"' in line] == [
        "/conditions/{slug}/draft/preview",
        "/previews/{token}",
        "/previews/{token}",
    ]
    assert token[:20] not in "".join(lines)


async def test_who_may_read_drafts_opens_previews_and_nobody_else(
    client: httpx.AsyncClient, database: Database
) -> None:
    await run(database, new_draft())
    reader = await headers_with(database, Scope.CONTENT_READ)
    writer = await headers_with(database, *(scope for scope in Scope if scope is not Scope.CONTENT_READ))
    address = f"/conditions/{SLUG}/draft/preview"
    answers = [(await client.post(address, headers=headers)).status_code for headers in (reader, writer, {})]
    assert answers == [200, 403, 401]


async def test_a_preview_is_of_a_draft_and_for_a_time(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, "synthetic-published")
    await run(database, new_draft())
    for slug in ("synthetic-published", "nothing", "Nothing%00"):
        answer = await client.post(f"/conditions/{slug}/draft/preview", headers=admin)
        assert (answer.status_code, answer.json()["code"]) == (404, "draft-not-found")
    spanish = await client.post(f"/conditions/{SLUG}/draft/preview?locale=es", headers=admin)
    assert spanish.status_code == 404
    for wish in ({"seconds": 0}, {"seconds": 60 * 60 * 24 * 30 + 1}, {"seconds": "a day"}, {"days": 1}):
        answer = await client.post(f"/conditions/{SLUG}/draft/preview", json=wish, headers=admin)
        assert answer.status_code == 422


async def test_how_long_a_preview_is_open_unless_somebody_says_is_a_setting(
    settings: Settings, admin: dict[str, str], database: Database
) -> None:
    await run(database, new_draft())
    assert Settings(_env_file=None).preview_seconds == 86400
    async with started(settings.model_copy(update={"preview_seconds": 600})) as client:
        left = datetime.fromisoformat((await opened(client, admin))["expires_at"]) - clock.now()
    assert timedelta(seconds=590) < left <= timedelta(seconds=600)
