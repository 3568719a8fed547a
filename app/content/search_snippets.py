"""Why something was found: the part of its text that holds the words, and where they stand in it."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from app.content.search_index import BETWEEN
from app.content.search_queries import MOST_WORDS, SHORTEST_BEGINNING_IN_TEXT, Stage
from app.content.search_shapes import Place, SearchHighlight, SearchMatch
from app.content.search_words import code_of, fold, is_code, is_like, spans, typos, words_in, words_of

# In code points. The words that were found stand in the first third.
_LONGEST: Final = 200
_BEFORE: Final = 60
_ELLIPSIS: Final = "\N{HORIZONTAL ELLIPSIS}"
_NAMES: Final = frozenset({Place.NAME, Place.ALTERNATE_NAMES})


class _Grade(IntEnum):
    """How a word of the question stands in a text, the best first."""

    WRITTEN = 0
    BEGUN = 1
    MISTYPED = 2


class _Spot(NamedTuple):
    start: int
    end: int
    # Which of the question's words stands there.
    word: int
    grade: _Grade


class _Line(NamedTuple):
    place: str
    text: str
    # Without accents and case.
    plain: str


class _Mistyped(NamedTuple):
    """A word of the question that may have typos."""

    place: int
    text: str
    letters: frozenset[str]
    most: int

    def is_like(self, word: str) -> bool:
        # Most words are told apart at a glance: one typo changes one end at most.
        if self.most == 1 and self.text[0] != word[0] and self.text[-1] != word[-1]:
            return False
        return len(self.letters.difference(word)) <= self.most and is_like(self.text, word, self.most)


class Explainer:
    """Explains what was found for one question."""

    def __init__(self, question: str, stage: Stage) -> None:
        self._words = words_of(question)[:MOST_WORDS]
        self._code = code_of(question)
        self._stage = stage
        self._in_names = _pattern(self._words, shortest_beginning=1)
        self._in_texts = _pattern(self._words, shortest_beginning=SHORTEST_BEGINNING_IN_TEXT)
        self._typos = [_Mistyped(place, word, frozenset(word), typos(word)) for place, word in enumerate(self._words)]
        # Words of texts that were compared with the question's, and which of those they are with a typo.
        self._compared: set[str] = set()
        self._alike: dict[str, int] = {}

    def explain(self, places: Sequence[str], texts: Sequence[str]) -> SearchMatch:
        """The first of the texts that hold the most of the words; they begin with the name."""
        names = sum([place in _NAMES for place in places])
        lines = _lines(places[:names], texts[:names])
        line, spots = self._first(lines, self._likely(lines), self._written, lines[0], [])
        if _held(spots) == len(self._words):
            return _match(line, spots)
        lines += _lines(places[names:], texts[names:])
        likely = self._likely(lines)
        line, spots = self._first(lines, likely, self._written, line, spots)
        if is_code(self._code) and not (spots and line.place in _NAMES):
            for coded in lines:
                if coded.place == Place.CODES and code_of(coded.text).startswith(self._code):
                    return _match(coded, [_Spot(0, len(coded.text), 0, _Grade.WRITTEN)])
        # A word that stands somewhere as it was written has no typo.
        if _held(spots) < len(self._words) and any(
            word.most and not any(word.text in line.plain for line in lines) for word in self._typos
        ):
            readable = [line for line in lines if self._stage > Stage.ALL_WORDS or line.place in _NAMES]
            line, spots = self._first(readable, self._similar(readable), self._mistyped, line, spots)
        return _match(line, spots)

    def _first(
        self,
        lines: Sequence[_Line],
        most: Sequence[int],
        read: Callable[[_Line], list[_Spot]],
        line: _Line,
        spots: list[_Spot],
    ) -> tuple[_Line, list[_Spot]]:
        """The first line that holds the most words, if it holds more than this one; each may hold so many at most."""
        # Reading is dear: those that may hold the most come first.
        for number in sorted(range(len(lines)), key=most.__getitem__, reverse=True):
            if most[number] <= _held(spots):
                break
            found = read(lines[number])
            if _held(found) > _held(spots):
                line, spots = lines[number], found
        return line, spots

    def _likely(self, lines: Sequence[_Line]) -> list[int]:
        """How many of the words each line may hold as they were written."""
        return [sum([word in line.plain for word in self._words]) for line in lines]

    def _similar(self, lines: Sequence[_Line]) -> list[int]:
        """How many of the words each line may hold, as they were written or with a typo."""
        words = words_in(BETWEEN.join(line.plain for line in lines))
        new = words - self._compared
        self._compared |= new
        for asked in self._typos:
            self._alike |= {word: asked.place for word in new if asked.is_like(word)}
        places: dict[int, set[str]] = {place: {word} for place, word in enumerate(self._words)}
        for word in words & self._alike.keys():
            places[self._alike[word]].add(word)
        return [sum([any(word in line.plain for word in words) for words in places.values()]) for line in lines]

    def _written(self, line: _Line) -> list[_Spot]:
        return _best(self._written_spots(line))

    def _mistyped(self, line: _Line) -> list[_Spot]:
        return _best([*self._written_spots(line), *self._mistyped_spots(line)])

    def _written_spots(self, line: _Line) -> Iterator[_Spot]:
        is_name = line.place in _NAMES
        last = len(self._words) - 1
        if line.text.isascii():
            for found in (self._in_names if is_name else self._in_texts).finditer(line.plain):
                word, grade = (self._words.index(found[1]), _Grade.WRITTEN) if found[1] else (last, _Grade.BEGUN)
                yield _Spot(found.start(), found.end(), word, grade)
            return
        for start, end, text in spans(line.text):
            if text in self._words:
                yield _Spot(start, end, self._words.index(text), _Grade.WRITTEN)
            elif text.startswith(self._words[last]) and (
                is_name or len(self._words[last]) >= SHORTEST_BEGINNING_IN_TEXT
            ):
                yield _Spot(start, end, last, _Grade.BEGUN)

    def _mistyped_spots(self, line: _Line) -> Iterator[_Spot]:
        for start, end, word in spans(line.text):
            place = self._alike.get(word)
            if place is not None:
                yield _Spot(start, end, place, _Grade.MISTYPED)


def _lines(places: Sequence[str], texts: Sequence[str]) -> list[_Line]:
    plain = fold(BETWEEN.join(texts)).lower().split(BETWEEN)
    return list(map(_Line, places, texts, plain))


def _best(spots: Iterable[_Spot]) -> list[_Spot]:
    """Without what looks like a word that stands there better already."""
    found = list(spots)
    best = {spot.word: spot.grade for spot in sorted(found, key=lambda spot: -spot.grade)}
    return [spot for spot in found if spot.grade == best[spot.word]]


def _pattern(words: Sequence[str], *, shortest_beginning: int) -> re.Pattern[str]:
    """What finds the words in plain ASCII text: group 1 is a whole word, without it one that the last word begins."""
    choices = [f"({'|'.join(map(re.escape, words))})(?![a-z0-9])"]
    if words and len(words[-1]) >= shortest_beginning:
        choices.append(f"{re.escape(words[-1])}[a-z0-9]*")
    return re.compile(f"(?<![a-z0-9])(?:{'|'.join(choices)})", re.ASCII)


def _held(spots: Iterable[_Spot]) -> int:
    return len({spot.word for spot in spots})


def _match(line: _Line, spots: Sequence[_Spot]) -> SearchMatch:
    text = re.sub(r"\s", " ", line.text)
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
