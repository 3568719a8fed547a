"""Published pages in memory, as finished bytes: what a reader gets without asking the database.

Each process remembers what it has served. It learns that something was published from the one-row version, which it
looks at twice a second: whatever another process published is seen within a second.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlmodel import select

from app.content import conditions, pages
from app.content.conditions import ConditionReference
from app.content.tables import ContentVersion
from app.core import logs
from app.core.db import Database
from app.core.etags import etag

LOOK_EVERY: Final = 0.5  # seconds
REMEMBERED: Final = 1_000  # pages


@dataclass(frozen=True, slots=True)
class FinishedPage:
    """One page, ready to be sent."""

    body: bytes
    etag: str
    locale: str
    # The same condition as a booking of a consultation needs it.
    reference: ConditionReference


class PublishedPages:
    """The pages that one process remembers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pages: OrderedDict[str, FinishedPage] = OrderedDict()
        self._version = 0

    def remembered(self, slug: str) -> FinishedPage | None:
        """The page of a condition, if it is in memory."""
        page = self._pages.get(slug)
        if page is not None:
            self._pages.move_to_end(slug)
        return page

    async def page(self, slug: str) -> FinishedPage:
        """The page of a condition, from memory or from the database; raises ConditionNotFound."""
        return self.remembered(slug) or await self._load(slug)

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Look for what others publish, as long as the block runs."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _load(self, slug: str) -> FinishedPage:
        async with self._database.read() as session:
            # Version and page come from one snapshot: a publish meanwhile makes the version newer, not the page.
            version = (await session.exec(select(ContentVersion.number))).one()
            shown = await pages.get_published(session, slug)
            reference = await conditions.refer(session, slug)
        body = shown.model_dump_json().encode()
        page = FinishedPage(body, etag(shown.revision, body), shown.locale, reference)
        self._learn(version)
        if version == self._version:
            self._pages[slug] = page
            if len(self._pages) > REMEMBERED:
                self._pages.popitem(last=False)
        return page

    def _learn(self, version: int) -> None:
        if version > self._version:
            self._version = version
            self._pages.clear()

    async def _watch(self) -> None:
        is_out = False
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                async with self._database.read() as session:
                    self._learn((await session.exec(select(ContentVersion.number))).one())
                is_out = False
            except Exception as error:  # noqa: BLE001 - whatever it was, the next look may go well
                # While the database is out, nobody publishes, and a page that is known is better than none.
                if not is_out:
                    logs.failure("content_version_unknown", error)
                is_out = True
