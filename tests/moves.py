"""What is moved about, and seen to have moved."""

import asyncio
from typing import Any

import httpx

from app.content.document import ConditionDocument
from app.content.editorial_tables import ConditionDraft, ContentChange, DraftState, Subject
from app.core import clock
from app.core.db import Database
from tests.pages import page_content
from tests.rows import everything


async def rename(client: httpx.AsyncClient, admin: dict[str, str], address: str, new: str) -> httpx.Response:
    """Give what is at this address another slug."""
    return await client.post(f"{address}/rename", json={"slug": new}, headers=admin)


async def seen(client: httpx.AsyncClient, address: str, status: int) -> httpx.Response:
    """The answer at this address, once it has this status: what another process did is seen within a second."""
    answer = await client.get(address)
    async with asyncio.timeout(5):
        while answer.status_code != status:
            await asyncio.sleep(0.05)
            answer = await client.get(address)
    return answer


async def put_draft(database: Database, slug: str = "synthetic-condition", **changes: Any) -> None:
    """Begin a draft past the room's own rules; `condition_id` is the row's, the rest is the page's."""
    condition_id, now = changes.pop("condition_id", None), clock.now()
    document = ConditionDocument.model_validate(page_content(slug, **changes))
    draft = ConditionDraft(
        condition_id=condition_id,
        slug=slug,
        locale=document.locale,
        state=DraftState.DRAFT,
        version=1,
        document=document.content(),
        author="test",
        created_at=now,
        changed_at=now,
    )
    async with database.write() as session:
        session.add(draft)


async def feed(database: Database, *members: str) -> list[tuple[Any, ...]]:
    """These members of what was changed since the seed, oldest first."""
    changes = sorted(await everything(database, ContentChange), key=lambda change: int(change["number"]))
    # What the seed's page is the first to name is told before it.
    seeded = next(place for place, change in enumerate(changes, 1) if change["subject"] == Subject.CONDITION)
    return [tuple(change[member] for member in members) for change in changes[seeded:]]
