"""What is public, in memory: finished answers, which nobody has to ask the database for.

Each process remembers what its doors have answered, until what is public changes: at once where it did it itself, else
as soon as it sees it, which it looks for four times a second. What a page says of its review changes with the day.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import func, union
from sqlmodel import col, select

from app.content import conditions, locales
from app.content.conditions import ConditionReference
from app.content.editorial_tables import ContentChange
from app.content.locales import Languages
from app.content.tables import CategoryName, ConditionPage, ContentVersion, TreatmentName
from app.core import clock, logs
from app.core.db import Database, rows

LOOK_EVERY: Final = 0.25  # seconds
_MEBIBYTE: Final = 1024 * 1024
# What an answer takes beside its body: its key, its headers and their objects. Measured: tests/test_published.py.
AROUND: Final = 3_500
_MOST_REFERENCES: Final = 10_000
_LOCALES: Final = union(select(ConditionPage.locale), select(CategoryName.locale), select(TreatmentName.locale))


@dataclass(frozen=True, slots=True)
class FinishedAnswer:
    """An answer to GET, ready to be sent; each request's own id is added to the headers."""

    route: str
    etag: bytes
    body: bytes
    full: "FinishedHead"
    # For a client that has the body already.
    not_modified: "FinishedHead"


@dataclass(frozen=True, slots=True)
class FinishedHead:
    """Status and headers, as applications tell them to servers and as servers write them out."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    written: bytes


@dataclass(frozen=True, slots=True)
class Edition:
    """What is public at a moment, as a whole."""

    # The languages in which anything is.
    locales: frozenset[str]
    # When it last changed, None where nobody has told yet.
    changed_at: datetime | None


class PublishedPages:
    """What one process remembers of what is public."""

    def __init__(self, database: Database, *, memory_mb: int = 64) -> None:
        # How many requests were answered from memory.
        self.answered = 0
        self._database = database
        self._most_bytes = memory_mb * _MEBIBYTE
        self._bytes = 0
        # The least used come first.
        self._answers: OrderedDict[Hashable, FinishedAnswer] = OrderedDict()
        self._references: dict[str, ConditionReference] = {}
        self._edition: Edition | None = None
        self._seen: tuple[int, date] | None = None
        self._publishes = database.publishes
        self._age = 0

    def age(self) -> int:
        """A number that is another one as soon as what was read before may no longer be so."""
        if self._publishes != self._database.publishes:
            self._publishes = self._database.publishes
            self._forget()
        return self._age

    def find(self, key: Hashable) -> FinishedAnswer | None:
        """The answer that was kept by this key, if it still holds: ask for `age` right before."""
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
            self.answered += 1
        return answer

    def keep(self, key: Hashable, answer: FinishedAnswer, *, age: int) -> None:
        """Remember an answer that was begun at this age: it may have been read before what was published meanwhile."""
        if age != self.age() or key in self._answers:
            return
        self._answers[key] = answer
        self._bytes += len(answer.body) + AROUND
        while self._bytes > self._most_bytes:
            _, least_used = self._answers.popitem(last=False)
            self._bytes -= len(least_used.body) + AROUND

    def languages(self, header: str) -> Languages | None:
        """What a reader with this `Accept-Language` gets; None while nobody has looked what is published."""
        if self._edition is None:
            return None
        return locales.choose(locales.accepted(header), self._edition.locales)

    async def edition(self) -> Edition:
        """What is public now, as a whole."""
        age, found = self.age(), self._edition
        if found is None:
            async with self._database.read() as session:
                changed_at = (await session.exec(select(func.max(col(ContentChange.at))))).one()
                found = Edition(frozenset(locale for (locale,) in await rows(session, _LOCALES)), changed_at)
            if age == self.age():
                self._edition = found
        return found

    async def reference(self, slug: str) -> ConditionReference:
        """A condition as a booking needs it, from memory or from the database; raises ConditionNotFound."""
        age, found = self.age(), self._references.get(slug)
        if found is None:
            async with self._database.read() as session:
                found = await conditions.refer(session, slug)
            if age == self.age() and len(self._references) < _MOST_REFERENCES:
                self._references[slug] = found
        return found

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Look for what others publish, now and as long as the block runs."""
        await self._look()
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    def _forget(self) -> None:
        self._age += 1
        self._bytes = 0
        self._edition = None
        self._answers.clear()
        self._references.clear()

    async def _look(self) -> None:
        async with self._database.read() as session:
            version = (await session.exec(select(ContentVersion.number))).one()
            seen = version, (await clock.now_in(session)).date()
        # Another number, not a higher one: the database may have been restored from a copy.
        if seen != self._seen:
            self._seen = seen
            self._forget()

    async def _watch(self) -> None:
        is_out = False
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self._look()
                is_out = False
            except Exception as error:  # noqa: BLE001 - whatever it was, the next look may go well
                # While the database is out, nobody publishes, and a page that is known is better than none.
                if not is_out:
                    logs.failure("content_version_unknown", error)
                is_out = True
