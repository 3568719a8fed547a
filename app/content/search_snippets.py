"""Why something was found: which of its texts holds the words, and where they stand in it."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from app.content.search_index import BETWEEN
from app.content.search_marks import Grade, Line, Spot, best_of, held_by, lines_of, show
from app.content.search_queries import MOST_WORDS, SHORTEST_BEGINNING_IN_TEXT, Stage
from app.content.search_shapes import Place, SearchMatch
from app.content.search_words import code_of, is_code, is_like, spans, typos, words_in, words_of

_NAMES: Final = frozenset({Place.NAME, Place.ALTERNATE_NAMES})


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
        lines = lines_of(places[:names], texts[:names])
        line, spots = self._first(lines, self._likely(lines), self._written, lines[0], [])
        if held_by(spots) == len(self._words):
            return show(line, spots)
        lines += lines_of(places[names:], texts[names:])
        likely = self._likely(lines)
        line, spots = self._first(lines, likely, self._written, line, spots)
        if is_code(self._code) and not (spots and line.place in _NAMES):
            for coded in lines:
                if coded.place == Place.CODES and code_of(coded.text).startswith(self._code):
                    return show(coded, [Spot(0, len(coded.text), 0, Grade.WRITTEN)])
        # A word that stands somewhere as it was written has no typo.
        if held_by(spots) < len(self._words) and any(
            word.most and not any(word.text in line.plain for line in lines) for word in self._typos
        ):
            readable = [line for line in lines if self._stage > Stage.ALL_WORDS or line.place in _NAMES]
            line, spots = self._first(readable, self._similar(readable), self._mistyped, line, spots)
        return show(line, spots)

    def _first(
        self,
        lines: Sequence[Line],
        most: Sequence[int],
        read: Callable[[Line], list[Spot]],
        line: Line,
        spots: list[Spot],
    ) -> tuple[Line, list[Spot]]:
        """The first line that holds the most words, if it holds more than this one; each may hold so many at most."""
        # Reading is dear: those that may hold the most come first.
        for number in sorted(range(len(lines)), key=most.__getitem__, reverse=True):
            if most[number] <= held_by(spots):
                break
            found = read(lines[number])
            if held_by(found) > held_by(spots):
                line, spots = lines[number], found
        return line, spots

    def _likely(self, lines: Sequence[Line]) -> list[int]:
        """How many of the words each line may hold as they were written."""
        return [sum([word in line.plain for word in self._words]) for line in lines]

    def _similar(self, lines: Sequence[Line]) -> list[int]:
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

    def _written(self, line: Line) -> list[Spot]:
        return best_of(self._written_spots(line))

    def _mistyped(self, line: Line) -> list[Spot]:
        return best_of([*self._written_spots(line), *self._mistyped_spots(line)])

    def _written_spots(self, line: Line) -> Iterator[Spot]:
        is_name = line.place in _NAMES
        last = len(self._words) - 1
        if line.text.isascii():
            for found in (self._in_names if is_name else self._in_texts).finditer(line.plain):
                word, grade = (self._words.index(found[1]), Grade.WRITTEN) if found[1] else (last, Grade.BEGUN)
                yield Spot(found.start(), found.end(), word, grade)
            return
        for start, end, text in spans(line.text):
            if text in self._words:
                yield Spot(start, end, self._words.index(text), Grade.WRITTEN)
            elif text.startswith(self._words[last]) and (
                is_name or len(self._words[last]) >= SHORTEST_BEGINNING_IN_TEXT
            ):
                yield Spot(start, end, last, Grade.BEGUN)

    def _mistyped_spots(self, line: Line) -> Iterator[Spot]:
        for start, end, word in spans(line.text):
            place = self._alike.get(word)
            if place is not None:
                yield Spot(start, end, place, Grade.MISTYPED)


def _pattern(words: Sequence[str], *, shortest_beginning: int) -> re.Pattern[str]:
    """What finds the words in plain ASCII text: group 1 is a whole word, without it one that the last word begins."""
    choices = [f"({'|'.join(map(re.escape, words))})(?![a-z0-9])"]
    if words and len(words[-1]) >= shortest_beginning:
        choices.append(f"{re.escape(words[-1])}[a-z0-9]*")
    return re.compile(f"(?<![a-z0-9])(?:{'|'.join(choices)})", re.ASCII)
