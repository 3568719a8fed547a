"""Finished answers in memory: bounded, found by what was asked, forgotten by what they tell of."""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

# What an answer takes beside its body: its key, its headers and their objects. Measured: tests/test_published.py.
AROUND: Final = 3_500
# An answer that is asked for more often than so many times a second is hot: let go, it would keep many waiting.
OFTEN: Final = 10
# How many linger at most.
MOST_LINGERING: Final = 32


@dataclass(frozen=True, slots=True)
class FinishedHead:
    """Status and headers, as applications tell them to servers and as servers write them out."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    written: bytes


@dataclass(slots=True)
class FinishedAnswer:
    """An answer to GET, ready to be sent; each request's own id is added to the headers."""

    route: str
    etag: bytes
    body: bytes
    full: FinishedHead
    # For a client that has the body already.
    not_modified: FinishedHead
    # The slug of the condition whose page it is; None where it tells of several, or of when anything changed last.
    page: str | None = None
    # Asks the door once more, and has its answer kept.
    again: Callable[[], Awaitable[None]] | None = None
    made_at: float = field(default_factory=time.monotonic)
    asked: int = 0

    def is_hot(self, now: float) -> bool:
        """Whether many ask for it."""
        return self.again is not None and self.asked > OFTEN * (now - self.made_at)


class Answers:
    """What is remembered. Past so many bytes, the least used is forgotten."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        # The least used come first.
        self._found: OrderedDict[Hashable, FinishedAnswer] = OrderedDict()
        # Keys, by the page that their answers are.
        self._keys: defaultdict[str | None, set[Hashable]] = defaultdict(set)
        # Former answers that are given until they are made anew, the hottest first.
        self.lingering: dict[Hashable, FinishedAnswer] = {}

    def find(self, key: Hashable) -> FinishedAnswer | None:
        """The answer that was kept by this key."""
        answer = self._found.get(key)
        if answer is not None:
            self._found.move_to_end(key)
            answer.asked += 1
        return answer

    def keep(self, key: Hashable, answer: FinishedAnswer) -> None:
        """Remember an answer, unless there is one that does not linger."""
        if key in self.lingering:
            self.forget([key])
        if key in self._found:
            return
        self._found[key] = answer
        self._keys[answer.page].add(key)
        self._bytes += len(answer.body) + AROUND
        while self._bytes > self._most_bytes:
            self.forget([next(iter(self._found))])

    def touch(self, slugs: Collection[str]) -> None:
        """Forget these conditions' pages, and all that is not one condition's page; the hot ones linger."""
        now = time.monotonic()
        touched = {key: self._found[key] for page in (None, *slugs) for key in self._keys.get(page, ())}
        hot = sorted(
            (key for key, answer in touched.items() if answer.is_hot(now)), key=lambda key: -touched[key].asked
        )
        self.lingering |= {key: touched[key] for key in hot[:MOST_LINGERING]}
        self.forget([key for key in touched if key not in self.lingering])

    def forget(self, keys: Iterable[Hashable]) -> None:
        """Forget the answers that were kept by these keys."""
        for key in keys:
            answer = self._found.pop(key)
            self._bytes -= len(answer.body) + AROUND
            self.lingering.pop(key, None)
            self._keys[answer.page].discard(key)
            if not self._keys[answer.page]:
                del self._keys[answer.page]

    def forget_lingering(self) -> None:
        """Forget the former answers that are still given."""
        self.forget(list(self.lingering))

    def clear(self) -> None:
        """Forget all of them."""
        self._bytes = 0
        self._found.clear()
        self._keys.clear()
        self.lingering.clear()

    def values(self) -> Iterable[FinishedAnswer]:
        """All of them, the least used first."""
        return self._found.values()
