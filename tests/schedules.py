"""Texts that wait for their time, put there past the doors."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Insert, func, insert, select, update
from sqlmodel import col

from app.access.tables import AuditEntry
from app.content import schedule
from app.content.document import ConditionDocument
from app.content.editorial_tables import ConditionDraft, DraftState
from app.content.tables import Condition, ConditionPage, ConditionRevision
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from tests.pages import page_content
from tests.rows import everything, run

SLUG = "synthetic-condition"


def within(seconds: float) -> datetime:
    """The moment in so many seconds, or so many seconds ago."""
    return clock.now() + timedelta(seconds=seconds)


def new_draft(slug: str = SLUG, *, draft: dict[str, Any] | None = None, **page: Any) -> Insert:
    """A draft of a synthetic page; `draft` is what its row holds beside the words."""
    document = ConditionDocument.model_validate(page_content(slug, **page))
    now = clock.now()
    newest = (
        select(func.max(col(ConditionRevision.number)))
        .join(Condition, col(Condition.id) == ConditionRevision.condition_id)
        .where(col(Condition.slug) == slug, col(ConditionRevision.locale) == document.locale)
    )
    values = {
        "id": new_id(),
        "slug": slug,
        "locale": document.locale,
        "state": DraftState.DRAFT,
        "version": 1,
        "base_revision": newest.scalar_subquery(),
        "document": document.content(),
        "author": "test",
        "created_at": now,
        "changed_at": now,
    }
    return insert(ConditionDraft).values(values | (draft or {}))


def scheduled(publish_at: datetime, slug: str = SLUG, *, draft: dict[str, Any] | None = None, **page: Any) -> Insert:
    """A draft that is to be published at this moment."""
    waiting = {"state": DraftState.SCHEDULED, "publish_at": publish_at}
    return new_draft(slug, draft=waiting | (draft or {}), **page)


async def end_at(database: Database, unpublish_at: datetime, condition_id: UUID) -> None:
    """Let the time of a condition's pages be over at this moment."""
    pages = update(ConditionPage).where(col(ConditionPage.condition_id) == condition_id)
    await run(database, pages.values(unpublish_at=unpublish_at))


def review_until(day: date) -> dict[str, str]:
    """A review whose words hold until this day."""
    last = day - timedelta(days=365)
    return {"last_reviewed_on": str(last), "next_review_on": str(day), "reviewed_by": "Synthetic board"}


async def drafts_of(database: Database) -> list[dict[str, Any]]:
    """Every draft that is there."""
    return await everything(database, ConditionDraft)


async def trail(database: Database) -> list[tuple[str, str, list[str]]]:
    """What was done by the schedule: action, subject, fields."""
    found = await everything(database, AuditEntry, col(AuditEntry.actor) == schedule.BY)
    return [(row["action"], row["subject"], row["fields"]) for row in sorted(found, key=lambda row: row["id"])]


async def public_slugs(database: Database) -> set[str]:
    """The slugs of the synthetic conditions that have a page."""
    pages = {row["condition_id"] for row in await everything(database, ConditionPage)}
    conditions = await everything(database, Condition)
    return {row["slug"] for row in conditions if row["id"] in pages and row["slug"].startswith("synthetic")}


async def opened(client: httpx.AsyncClient, admin: dict[str, str], slug: str = SLUG, **wish: Any) -> dict[str, Any]:
    """Open a preview of this draft."""
    answer = await client.post(f"/conditions/{slug}/draft/preview", json=wish, headers=admin)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def shown(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """What a preview shows."""
    answer = await client.get(url)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page
