"""What many ask for at the same moment is looked up once."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from app.core.db import Database

_T = TypeVar("_T")
# How old an answer may be, in seconds: as long as another process's writes go unseen. Our own are seen at once.
SECONDS: Final = 1.0
MOST_ANSWERS: Final = 512


@dataclass(frozen=True, slots=True)
class _Answer:
    task: asyncio.Task[Any]
    asked_at: float
    # How many writes of this process it has seen.
    writes: int


class BriefMemory:
    """Answers of the last second, forgotten with each write of this process.

    Whoever asks while somebody else does waits for the same answer. For what anyone may see: all who ask by one key
    get one answer.
    """

    def __init__(self, database: Database, *, seconds: float = SECONDS) -> None:
        self._database = database
        self._seconds = seconds
        self._answers: dict[Hashable, _Answer] = {}

    async def get(self, key: Hashable, ask: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """The answer of `ask`, its own or one that is still fresh. What it raises is raised for all who wait for it."""
        now, writes = asyncio.get_running_loop().time(), self._database.writes
        answer = self._answers.get(key)
        if answer is None or answer.writes != writes or now - answer.asked_at >= self._seconds:
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            answer = self._answers[key] = _Answer(asyncio.create_task(ask()), now, writes)
            answer.task.add_done_callback(lambda task: self._keep_no_failure(key, task))
        # One who hangs up does not take the answer from the others.
        waiting: Awaitable[_T] = asyncio.shield(answer.task)
        return await waiting

    def _keep_no_failure(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        kept = self._answers.get(key)
        if (task.cancelled() or task.exception() is not None) and kept is not None and kept.task is task:
            del self._answers[key]
