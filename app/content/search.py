"""Search: one index in each process, which learns of what is published within a second, and of its own at once.

The index is made when the process starts, beside whatever is asked meanwhile, and from then on it reads what the feed
of changes names. A search waits for the first index; everything else does not.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import locales, search_rows, slugs
from app.content.editorial_tables import Subject
from app.content.locales import Languages
from app.content.search_answers import answer, list_conditions
from app.content.search_index import Entry, SearchIndex, Snapshot
from app.content.search_ranks import Position, Question
from app.content.search_shapes import SearchFacets, SearchItem
from app.content.shapes import ConditionSummary
from app.core import logs
from app.core.db import Database
from app.core.errors import Unavailable

_T = TypeVar("_T")
LOOK_EVERY: Final = 0.25  # seconds
# How long a search waits for the first index, in seconds.
PATIENCE: Final = 5.0
# How many conditions are read and learnt at a time.
_CHUNK: Final = 100
_NOWHERE: Final = UUID(int=0)


class Search:
    """What one process can find."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # One: several that compute at a time would only take turns, and take them from the event loop too.
        self._thread = ThreadPoolExecutor(1, "search")
        self._counting = ThreadPoolExecutor(1, "search-facets")
        self._answer = partial(answer, self._counting)
        # Only the watch changes these.
        self._index = SearchIndex()
        self._groups: dict[UUID, list[Entry]] = {}
        self._snapshot: Snapshot | None = None
        self._version = -1
        # How often this process had published when the last look began.
        self._publishes = -1
        self._is_wanted = asyncio.Event()
        self._news = asyncio.Condition()

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Make the index, and look for what is published, as long as the block runs."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            self._thread.shutdown(wait=False)
            self._counting.shutdown(wait=False)

    def is_ready(self) -> bool:
        """Whether there is an index."""
        return self._snapshot is not None

    async def find(
        self,
        text: str,
        *,
        limit: int,
        languages: Languages = locales.DEFAULT,
        kind: Subject | None = None,
        category: str | None = None,
        after: Position | None = None,
    ) -> tuple[list[SearchItem], SearchFacets, Position | None]:
        """The best of what is published, how all of it is spread, and the place of the last one where others follow.

        `category` is a slug, present or former; an unknown one has nothing. Raises Unavailable where there is no index.
        """
        snapshot = await self._fresh()
        category_id = None
        if category is not None:
            async with self._database.look() as connection:
                thing = await slugs.find(connection, Subject.CATEGORY, category)
            category_id = thing.id if thing else _NOWHERE
        question = Question(text, languages, kind, category_id)
        return await self._once(self._answer, snapshot, question, limit, after)

    async def find_conditions(
        self,
        text: str,
        *,
        limit: int,
        languages: Languages = locales.DEFAULT,
        among: frozenset[UUID] | None = None,
        after: Position | None = None,
    ) -> list[tuple[ConditionSummary, Position]]:
        """The cards of the best conditions, of these if they are given, each with its place in the order.

        Raises Unavailable where there is no index.
        """
        snapshot = await self._fresh()
        question = Question(text, languages, type=Subject.CONDITION, among=among)
        return await self._once(list_conditions, snapshot, question, limit, after)

    async def _once(
        self,
        search: Callable[[Snapshot, Question, int, Position | None], _T],
        snapshot: Snapshot,
        question: Question,
        limit: int,
        after: Position | None,
    ) -> _T:
        loop = asyncio.get_running_loop()

        def begin() -> asyncio.Future[_T]:
            return loop.run_in_executor(self._thread, search, snapshot, question, limit, after)

        # What is found among some is not remembered: it may be among thousands, each time others.
        if question.among is not None:
            return await begin()
        return await snapshot.memory.once((search, question, limit, after), limit, begin)

    async def _fresh(self) -> Snapshot:
        """The index: it knows what this process has published, and what others had published a second ago."""
        needed = self._database.publishes

        def is_fresh() -> bool:
            return self._snapshot is not None and self._publishes >= needed

        if not is_fresh():
            self._is_wanted.set()
            try:
                async with asyncio.timeout(PATIENCE), self._news:
                    await self._news.wait_for(is_fresh)
            except TimeoutError:
                raise Unavailable from None
        assert self._snapshot is not None
        return self._snapshot

    async def _watch(self) -> None:
        is_out = False
        while True:
            self._is_wanted.clear()
            publishes = self._database.publishes
            try:
                await self._look()
                is_out = False
            except Exception as error:  # noqa: BLE001 - whatever it was, the next look may go well
                # While the database is out, nobody publishes, and an index of before is better than none.
                if not is_out:
                    logs.failure("search_index_unknown", error)
                is_out = True
            self._publishes = publishes
            async with self._news:
                self._news.notify_all()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._is_wanted.wait()

    async def _look(self) -> None:
        async with self._database.look() as connection:
            if await search_rows.version(connection) == self._version:
                return
        # All of it at one moment: what a card says of its category must be there among the categories.
        async with self._database.read() as session:
            newest, changed = await search_rows.version(session), None
            if newest > self._version >= 0:
                changed = await search_rows.changed(session, self._version, newest)
            if changed is None:
                # The first time, or the feed has lost its thread: another database was put in this one's place.
                index, groups, has_treatments = SearchIndex(), {}, True
                await _learn_all(session, index)
            else:
                index, groups = self._index, self._groups
                ids, has_treatments = changed
                for begin in range(0, len(ids), _CHUNK):
                    await _learn(session, index, ids[begin : begin + _CHUNK])
            # Which treatments a page offers is found by looking at all pages: the feed tells when that is another.
            kinds = (Subject.CATEGORY, Subject.TREATMENT) if has_treatments else (Subject.CATEGORY,)
            self._groups = await _learn_groups(session, index, groups, kinds)
        self._snapshot = await asyncio.to_thread(index.snapshot)
        self._index, self._version = index, newest


async def _learn_all(session: AsyncSession, index: SearchIndex) -> None:
    last: UUID | None = _NOWHERE
    while last is not None:
        ids = await search_rows.conditions_after(session, last, limit=_CHUNK)
        await _learn(session, index, ids)
        last = ids[-1] if ids else None


async def _learn(session: AsyncSession, index: SearchIndex, ids: list[UUID]) -> None:
    entries = await search_rows.conditions(session, ids)
    await asyncio.to_thread(index.replace, ids, entries)


async def _learn_groups(
    session: AsyncSession, index: SearchIndex, known: dict[UUID, list[Entry]], kinds: Collection[Subject]
) -> dict[UUID, list[Entry]]:
    """Categories or treatments, or both: all of them, they are few."""
    groups = {key: entries for key, entries in known.items() if entries[0].card.type not in kinds}
    groups |= await search_rows.groups(session, kinds)
    changed = [key for key in known.keys() | groups.keys() if known.get(key) != groups.get(key)]
    entries = [entry for key in changed for entry in groups.get(key, ())]
    await asyncio.to_thread(index.replace, changed, entries)
    return groups
