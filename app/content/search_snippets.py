"""Why something was found: which of its texts holds the words, and where they stand in it."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

from app.content.search_index import BETWEEN
from app.content.search_marks import Grade, Line, Spot, best_of, held_by, lines_of, show
from app.content.search_queries import MOST_WORDS, SHORTEST_BEGINNING_IN_TEXT, Stage
from app.content.search_shapes import Place, SearchMatch
from app.content.search_words import code_of, is_code, is_like, spans, typos, words_in, words_of

_NAMES: Final = frozenset({Place.NAME, Place.ALTERNATE_NAMES})


class _Mistyped:
    """A word of the question that may have typos."""

    def __init__(self, place: int, text: str) -> None:
        self.place = place
        self.text = text
        self.most = typos(text)
        self._letters = frozenset(text)
        # Words of texts that were compared with it, and those of them that are this one with typos.
        self._compared: set[str] = set()
        self._alike: set[str] = set()

    def among(self, words: set[str]) -> set[str]:
        """Those that are this one with typos."""
        new = words - self._compared
        self._compared |= new
        self._alike.update(self._compare(new))
        return words & self._alike

    def _compare(self, words: Collection[str]) -> list[str]:
        if self.most == 1:
            # Most words are told apart at a glance: one typo leaves a half as it is, or is where the halves meet.
            text, half = self.text, len(self.text) // 2
            begins, end = (text[:half], text[: half - 1] + text[half] + text[half - 1]), text[half:]
            words = [word for word in words if word.startswith(begins) or word.endswith(end)]
        fewest, longest = len(self.text) - self.most, len(self.text) + self.most
        return [
            word
            for word in words
            if fewest <= len(word) <= longest
            and len(self._letters.difference(word)) <= self.most
            and is_like(self.text, word, self.most)
        ]


class Explainer:
    """Explains what was found for one question."""

    def __init__(self, question: str, stage: Stage) -> None:
        # Each once, and the last one last: it may be the beginning of a word.
        self._words = list(dict.fromkeys(reversed(words_of(question)[:MOST_WORDS])))[::-1]
        self._choices = [[word] for word in self._words]
        self._code = code_of(question)
        self._stage = stage
        self._typos = [_Mistyped(place, word) for place, word in enumerate(self._words) if typos(word)]
        # Words of the texts at hand that are words of the question with typos, and which ones.
        self._alike: dict[str, int] = {}

    def explain(self, places: Sequence[str], texts: Sequence[str]) -> SearchMatch:
        """The first of the texts that hold the most of the words; they begin with the name."""
        names = sum([place in _NAMES for place in places])
        lines = lines_of(places[:names], texts[:names])
        line, spots = self._first(lines, _most(lines, self._choices), self._written, lines[0], [])
        if held_by(spots) == len(self._words):
            return show(line, spots)
        lines += lines_of(places[names:], texts[names:])
        line, spots = self._first(lines, _most(lines, self._choices), self._written, line, spots)
        if is_code(self._code) and not (spots and line.place in _NAMES):
            for coded in lines:
                if coded.place == Place.CODES and code_of(coded.text).startswith(self._code):
                    return show(coded, [Spot(0, len(coded.text), 0, Grade.WRITTEN)])
        plain = _plain(lines)
        # A word that stands somewhere as it was written has no typo.
        if any(word.text not in plain for word in self._typos):
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
        held = held_by(spots)
        numbers = [number for number, count in enumerate(most) if count > held]
        for number in sorted(numbers, key=most.__getitem__, reverse=True):
            if most[number] <= held_by(spots):
                break
            found = read(lines[number])
            if held_by(found) > held_by(spots):
                line, spots = lines[number], found
        return line, spots

    def _similar(self, lines: Sequence[Line]) -> list[int]:
        """How many of the words each line may hold, as they were written or, where no line has them so, with typos."""
        words = words_in(_plain(lines))
        missing = [word for word in self._typos if word.text not in words]
        self._alike = {word: asked.place for asked in missing for word in asked.among(words)}
        choices = [*map(list, self._choices)]
        for word, place in self._alike.items():
            choices[place].append(word)
        return _most(lines, choices)

    def _written(self, line: Line) -> list[Spot]:
        return best_of(self._written_spots(line))

    def _mistyped(self, line: Line) -> list[Spot]:
        return best_of([*self._written_spots(line), *self._mistyped_spots(line)])

    def _written_spots(self, line: Line) -> Iterator[Spot]:
        is_name = line.place in _NAMES
        last = len(self._words) - 1
        if line.text.isascii():
            for place, word in enumerate(self._words):
                can_begin = place == last and (is_name or len(word) >= SHORTEST_BEGINNING_IN_TEXT)
                for start, end in _found(line.plain, word):
                    if end - start == len(word):
                        yield Spot(start, end, place, Grade.WRITTEN)
                    elif can_begin:
                        yield Spot(start, end, place, Grade.BEGUN)
            return
        for start, end, text in spans(line.text):
            if text in self._words:
                yield Spot(start, end, self._words.index(text), Grade.WRITTEN)
            elif text.startswith(self._words[last]) and (
                is_name or len(self._words[last]) >= SHORTEST_BEGINNING_IN_TEXT
            ):
                yield Spot(start, end, last, Grade.BEGUN)

    def _mistyped_spots(self, line: Line) -> Iterator[Spot]:
        if line.text.isascii():
            for word, place in self._alike.items():
                for start, end in _found(line.plain, word):
                    if end - start == len(word):
                        yield Spot(start, end, place, Grade.MISTYPED)
            return
        for start, end, word in spans(line.text):
            if word in self._alike:
                yield Spot(start, end, self._alike[word], Grade.MISTYPED)


def _plain(lines: Iterable[Line]) -> str:
    return BETWEEN.join([line.plain for line in lines])


def _most(lines: Sequence[Line], choices: Iterable[Iterable[str]]) -> list[int]:
    """How many of the choices each line may hold: of each, one word is enough."""
    plain = _plain(lines)
    most = [0] * len(lines)
    for words in choices:
        held = [word for word in words if word in plain]
        if held:
            for number, line in enumerate(lines):
                for word in held:
                    if word in line.plain:
                        most[number] += 1
                        break
    return most


def _found(plain: str, beginning: str) -> Iterator[tuple[int, int]]:
    """Where the words stand that begin so, in plain ASCII text."""
    # The beginning first: the places of its letters are found much faster than those of all words.
    word = re.escape(beginning)
    for found in re.finditer(rf"{word}(?<![a-z0-9]{word})[a-z0-9]*", plain):
        yield found.span()
