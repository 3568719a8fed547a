"""Lines of text, the words that are marked in them, and the part of a line that is shown."""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from app.content.search_index import BETWEEN
from app.content.search_shapes import Place, SearchHighlight, SearchMatch
from app.content.search_words import fold

# In code points. The words that were found stand in the first third.
_LONGEST: Final = 200
_BEFORE: Final = 60
_ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"


class Grade(IntEnum):
    """How a word of the question stands in a text, the best first."""

    WRITTEN = 0
    BEGUN = 1
    MISTYPED = 2


class Spot(NamedTuple):
    """A place in a line where a word of the question stands."""

    start: int
    end: int
    # Which of the question's words stands there.
    word: int
    grade: Grade


class Line(NamedTuple):
    """One text of an entry."""

    place: str
    text: str
    # Without accents and case.
    plain: str


def lines_of(places: Sequence[str], texts: Sequence[str]) -> list[Line]:
    """An entry's lines."""
    plain = fold(BETWEEN.join(texts)).lower().split(BETWEEN)
    return list(map(Line, places, texts, plain))


def best_of(spots: Iterable[Spot]) -> list[Spot]:
    """Without what looks like a word that stands there better already."""
    found = list(spots)
    best = {spot.word: spot.grade for spot in sorted(found, key=lambda spot: -spot.grade)}
    return [spot for spot in found if spot.grade == best[spot.word]]


def held_by(spots: Iterable[Spot]) -> int:
    """How many of the question's words stand there."""
    return len({spot.word for spot in spots})


def show(line: Line, spots: Sequence[Spot]) -> SearchMatch:
    """The part of a line where the first words stand."""
    text = line.text if line.text.isprintable() else re.sub(r"\s", " ", line.text)
    begin, end = 0, len(text)
    if end > _LONGEST:
        first = min((spot.start for spot in spots), default=0)
        begin = _next_word(text, first - _BEFORE, first) if first > _BEFORE else 0
        end = min(end, begin + _LONGEST)
        if end < len(text):
            last = max((spot.end for spot in spots if spot.end <= end), default=begin + 1)
            end = max(last, text.rfind(" ", begin, end))
    before = _ELLIPSIS if begin else ""
    moved = len(before) - begin
    # Two of the question's words may be one word of the text.
    places = sorted({(spot.start, spot.end) for spot in spots if begin <= spot.start and spot.end <= end})
    return SearchMatch(
        section=Place(line.place),
        snippet=before + text[begin:end] + (_ELLIPSIS if end < len(text) else ""),
        highlights=[SearchHighlight(start=start + moved, end=stop + moved) for start, stop in places],
    )


def _next_word(text: str, start: int, most: int) -> int:
    """Where the next word begins, from `start` on."""
    return text.find(" ", start, most) + 1 or start
