"""Spans of time that keep apart: pure arithmetic, without a session and without a clock.

Spans are half-open, [start, end): they may touch. Each holds the time of its clinician, of its room, or of both.
"""

from array import array
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """A row of a file that holds somebody's time; moments are whole numbers, of whatever unit."""

    holders: tuple[Hashable, ...]
    row: int
    start: int
    end: int


class Timeline:
    """Spans of one holder, of which no two overlap: three numbers each."""

    def __init__(self) -> None:
        self._starts, self._ends, self._rows = array("q"), array("q"), array("q")

    def in_the_way(self, start: int, end: int) -> int | None:
        """The row of a span that overlaps with this one."""
        # They are apart, so of those that begin before its end, only the last one can reach into it.
        place = bisect_left(self._starts, end)
        return self._rows[place - 1] if place and self._ends[place - 1] > start else None

    def add(self, span: Span) -> None:
        """Put a span there that nothing is in the way of."""
        place = bisect_left(self._starts, span.end)
        self._starts.insert(place, span.start)
        self._ends.insert(place, span.end)
        self._rows.insert(place, span.row)


def overlaps(spans: Iterable[Span]) -> Iterator[tuple[int, int, Hashable]]:
    """Rows that an earlier one is in the way of, each with that one and the holder of both.

    Who comes first stays; who does not stay is in nobody's way.
    """
    timelines: dict[Hashable, Timeline] = {}
    for span in spans:
        concerned = [(holder, timelines.setdefault(holder, Timeline())) for holder in span.holders]
        found = ((holder, timeline.in_the_way(span.start, span.end)) for holder, timeline in concerned)
        holder, earlier = next(((holder, row) for holder, row in found if row is not None), (None, None))
        if earlier is not None:
            yield span.row, earlier, holder
            continue
        for _, timeline in concerned:
            timeline.add(span)
