"""Those who publish one page at the same moment, and what came of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.content import content_import, draft_review, drafts, seed_files
from app.content.content_import import ImportOutdated
from app.content.document import ConditionDocument
from app.content.draft_shapes import DraftPublication
from app.content.tables import Condition, ConditionPage
from app.core.db import Database
from app.core.errors import Refusal
from app.core.settings import Settings
from tests.conftest import headers_with
from tests.editing import SLUG, look
from tests.pages import page_content
from tests.rows import everything

# Within this time the other process is there.
PATIENCE = 60.0


async def seen_by_all(database: Database) -> dict[str, tuple[int, str]]:
    """Revision and summary of every synthetic page, by its slug."""
    names = {row["id"]: row["slug"] for row in await everything(database, Condition)}
    pages = await everything(database, ConditionPage)
    found = {names[page["condition_id"]]: (page["revision"], page["summary"]) for page in pages}
    return {slug: page for slug, page in found.items() if slug.startswith("synthetic")}


async def fields_of(database: Database, action: str) -> list[list[str]]:
    """The fields that the trail names for each of these actions, oldest first."""
    entries = await everything(database, AuditEntry, col(AuditEntry.action) == action)
    return [entry["fields"] for entry in sorted(entries, key=lambda entry: str(entry["id"]))]


async def another(database: Database) -> dict[str, str]:
    """The headers of somebody else who may publish."""
    return await headers_with(database, Scope.CONTENT_READ, Scope.CONTENT_PUBLISH)


async def until_state(client: httpx.AsyncClient, who: dict[str, str], state: str, slug: str = SLUG) -> None:
    """Wait until a draft stands so."""
    seen, _ = await look(client, who, slug)
    async with asyncio.timeout(10):
        while seen["state"] != state:
            await asyncio.sleep(0.05)
            seen, _ = await look(client, who, slug)


async def begin_draft(database: Database, slug: str) -> None:
    """Begin a draft of a published page."""
    wish = ConditionDocument.model_validate(page_content(slug, summary="Synthetic draft."))
    async with database.write() as session:
        await drafts.replace(session, slug, wish, tags=None, by="editor")


async def publish_draft(database: Database, slug: str) -> str:
    """Publish a draft; returns what came of it."""
    try:
        async with database.write() as session:
            wish = DraftPublication()
            await draft_review.publish(session, slug, "en", wish, needs_approval=False, tags=None, by="editor")
    except Refusal as refusal:
        return refusal.code
    return "published"


def importing(settings: Settings, folders: list[Path], start: Any, results: Any) -> None:
    """Import each folder: compare it, and publish when the other process is about to publish, too."""

    async def import_from(database: Database, folder: Path) -> str:
        found = await content_import.compare(database, seed_files.read_documents(folder))
        start.wait(PATIENCE)
        try:
            await content_import.publish(database, found.changed, by="command_line")
        except ImportOutdated:
            return "outdated"
        return "published"

    results.put(("importing", _each(settings, folders, import_from, start)))


def publishing(settings: Settings, slugs: list[str], start: Any, results: Any) -> None:
    """Publish the draft of each of these when the other process is about to publish, too."""

    async def publish_one(database: Database, slug: str) -> str:
        start.wait(PATIENCE)
        # An import begins with the file's comparison: give it half of the victories.
        await asyncio.sleep(0.002 * (slugs.index(slug) % 4))
        return await publish_draft(database, slug)

    results.put(("publishing", _each(settings, slugs, publish_one, start)))


def _each(
    settings: Settings, things: list[Any], act: Callable[[Database, Any], Awaitable[str]], start: Any
) -> list[str]:
    async def work() -> list[str]:
        database = Database(settings)
        try:
            outcomes = []
            for thing in things:
                outcomes.append(await act(database, thing))
                # Nobody looks at the next page before both are done with this one.
                start.wait(PATIENCE)
        finally:
            await database.close()
        return outcomes

    return asyncio.run(work())
