"""What was found, remembered as long as nothing else is published."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

_T = TypeVar("_T")
# How many answers are remembered, and how many items they may hold together, of some kilobytes each.
MOST_ANSWERS: Final = 1_000
MOST_ITEMS: Final = 10_000


class Memory:
    """The newest answers, each found by what was asked."""

    def __init__(self) -> None:
        # Each with how many items it may hold. The oldest come first.
        self._answers: dict[Hashable, tuple[asyncio.Future[Any], int]] = {}
        self._items = 0

    async def once(self, key: Hashable, most_items: int, begin: Callable[[], asyncio.Future[_T]]) -> _T:
        """The answer, begun if nobody has asked for it yet. Who asks the same meanwhile waits for the same answer."""
        if key in self._answers:
            answer = self._answers[key][0]
        else:
            while self._answers and (len(self._answers) >= MOST_ANSWERS or self._items + most_items > MOST_ITEMS):
                self.forget(next(iter(self._answers)))
            answer = begin()
            self._answers[key] = answer, most_items
            self._items += most_items
            answer.add_done_callback(lambda done: None if _is_good(done) else self._forget_failed(key, done))
        # One who gives up does not take the answer from the others.
        return await asyncio.shield(answer)

    def forget(self, key: Hashable) -> None:
        """Forget one answer."""
        self._items -= self._answers.pop(key)[1]

    def asked(self) -> list[Hashable]:
        """What was asked, the oldest first."""
        return list(self._answers)

    def _forget_failed(self, key: Hashable, failed: asyncio.Future[Any]) -> None:
        if key in self._answers and self._answers[key][0] is failed:
            self.forget(key)


def _is_good(done: asyncio.Future[Any]) -> bool:
    return not done.cancelled() and done.exception() is None
