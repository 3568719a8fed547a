"""What is public, in memory: finished answers, which nobody has to ask the database for.

Each process remembers what its doors have answered. When something is published it reads in the feed what that touches,
and forgets this: at once where it published it itself, else as soon as it sees it, which it looks for four times a
second. What many ask for is made anew before it is forgotten, so that they need not all wait for it.
"""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import conditions, editions, locales
from app.content.answers import Answers, FinishedAnswer
from app.content.conditions import ConditionReference
from app.content.editions import Edition, Step
from app.content.locales import Languages
from app.core import logs
from app.core.db import Database, DatabaseBusy

# In seconds. What others publish is seen here after both of them at the latest.
LOOK_EVERY: Final = 0.25
LINGER: Final = 0.25
_MEBIBYTE: Final = 1024 * 1024
_MOST_REFERENCES: Final = 10_000


class PublishedPages:
    """What one process remembers of what is public."""

    def __init__(self, database: Database, *, memory_mb: int) -> None:
        # How many requests were answered from memory.
        self.answered = 0
        self._database = database
        self._answers = Answers(memory_mb * _MEBIBYTE)
        self._references: dict[str, ConditionReference] = {}
        # What the answers were made of: it is another one exactly when those are gone that it touched.
        self._edition: Edition | None = None
        self._looking = asyncio.Lock()
        # How many looks have failed.
        self._failures = 0
        # How many of this process's own publishes that edition is sure to hold.
        self._publishes = database.publishes
        self._age = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def age(self) -> int:
        """A number that is another one as soon as what was read before may no longer be so."""
        return self._age + self._database.publishes

    def is_ready(self) -> bool:
        """Whether it is known what is public, with all that this process has published; until then nothing is found."""
        return self._edition is not None and self._is_current()

    async def get_ready(self) -> None:
        """Look what is public, at least what this process has published."""
        try:
            await self.edition()
        except Exception as error:  # noqa: BLE001 - nothing is found here, and the doors say what is the matter
            logs.failure("content_version_unknown", error)

    def find(self, key: Hashable) -> FinishedAnswer | None:
        """The answer that was kept by this key, if it still holds."""
        answer = self._answers.find(key) if self._is_current() else None
        self.answered += answer is not None
        return answer

    def keep(self, key: Hashable, answer: FinishedAnswer, *, age: int) -> None:
        """Remember an answer that was begun at this age: it may have been read before what was published meanwhile."""
        if age != self.age():
            return
        if not self._is_current():
            # This answer knows what was published, and nobody has looked yet whether the others do.
            self._publishes = self._database.publishes
            self._forget_all()
        self._answers.keep(key, answer)

    def languages(self, header: str) -> Languages | None:
        """What a reader with this `Accept-Language` gets; None while nobody has looked what is published."""
        if self._edition is None:
            return None
        return locales.choose(locales.accepted(header), self._edition.locales)

    async def edition(self) -> Edition:
        """What is public now, as a whole."""
        if self._edition is not None and self._is_current():
            return self._edition
        return await self._look(is_due=False)

    async def reference(self, slug: str) -> ConditionReference:
        """A condition as a booking needs it, from memory or from the database; raises ConditionNotFound."""
        await self.edition()
        age, found = self.age(), self._references.get(slug)
        if found is None:
            async with self._database.read() as session:
                found = await conditions.refer(session, slug)
            if age == self.age() and len(self._references) < _MOST_REFERENCES:
                self._references[slug] = found
        return found

    @asynccontextmanager
    async def kept_fresh(self) -> AsyncIterator[None]:
        """Look for what others publish, as long as the block runs."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            for task in (watch, *self._tasks):
                task.cancel()
            await asyncio.gather(watch, *self._tasks, return_exceptions=True)

    def _is_current(self) -> bool:
        return self._publishes == self._database.publishes

    async def _look(self, *, is_due: bool) -> Edition:
        failures = self._failures
        async with self._looking:
            if failures != self._failures:
                # Each of those who waited would wait as long again, one after the other.
                raise DatabaseBusy
            publishes, edition = self._database.publishes, self._edition
            is_own = publishes != self._publishes
            if edition is not None and not is_own and not is_due:
                # Whoever held the lock has looked.
                return edition
            try:
                # Not one of the connections for reads: those who hold them may be waiting for this.
                async with self._database.look() as connection, AsyncSession(connection) as session:
                    step = await editions.look(session, edition)
            except Exception:
                self._failures += 1
                raise
            if step is not None:
                self._turn(step)
                edition = step.edition
            if is_own:
                # Also where the watch has seen it first: who publishes here finds nothing former afterwards.
                self._answers.forget_lingering()
            self._publishes = publishes
            assert edition is not None
            return edition

    def _turn(self, step: Step) -> None:
        if step.slugs is None:
            self._forget_all()
        else:
            self._age += 1
            self._answers.touch(step.slugs)
            for slug in step.slugs:
                self._references.pop(slug, None)
        self._edition = step.edition

    def _forget_all(self) -> None:
        self._age += 1
        self._edition = None
        self._answers.clear()
        self._references.clear()

    async def _watch(self) -> None:
        is_out, loop = False, asyncio.get_running_loop()
        next_at = loop.time()
        while True:
            next_at = max(next_at + LOOK_EVERY, loop.time())
            await asyncio.sleep(next_at - loop.time())
            if self._edition is None:
                # Nobody has asked yet, so nothing is remembered.
                continue
            try:
                await self._look(is_due=True)
                is_out = False
            except Exception as error:  # noqa: BLE001 - whatever it was, the next look may go well
                # While the database is out, nobody publishes, and a page that is known is better than none.
                if not is_out:
                    logs.failure("content_version_unknown", error)
                is_out = True
            if self._answers.lingering:
                await self._make_anew()

    async def _make_anew(self) -> None:
        """Ask again for what lingers; past its time it is forgotten, whether there is a new answer or not."""
        task = asyncio.create_task(self._ask_again())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=LINGER)
        self._answers.forget_lingering()

    async def _ask_again(self) -> None:
        for key, answer in list(self._answers.lingering.items()):
            if self._answers.lingering.get(key) is not answer or answer.again is None:
                continue
            try:
                await answer.again()
            except Exception as error:  # noqa: BLE001 - then whoever asks next is told
                logs.failure("answer_not_made_anew", error)
            if self._answers.lingering.get(key) is answer:
                self._answers.forget([key])
