"""Words as search compares them: without case and accents, the same in the index, in a question and in a snippet."""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

# Scripts that are written without spaces: each character is a word.
_ALONE: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
# Vowel signs and tone marks that Python does not count among the letters of a word.
_MARKS: Final = (
    "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
    "\u0e31-\u0e4e\u0eb1-\u0ecd\u0f71-\u0fbc\u102b-\u109f\u17b4-\u17dd"
)
_ASCII_WORD: Final = re.compile(r"[A-Za-z0-9]+")
# The signs of ASCII, each as a space.
_NO_SIGNS: Final = dict.fromkeys((code for code in range(128) if not chr(code).isalnum()), " ")
_WORD: Final = re.compile(rf"[{_ALONE}]|(?:(?![{_ALONE}_])[\w{_MARKS}])+")
_ACCENT: Final = re.compile("[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]+")
_LONGEST: Final = 64
_SHORTEST_CODE: Final = 3

_ALONE_IN_INDEX: Final = r"\p{Han}\p{Hiragana}\p{Katakana}"
ANALYZER: Final = (
    TextAnalyzerBuilder(Tokenizer.regex(rf"[{_ALONE_IN_INDEX}]|[\w&&[^_{_ALONE_IN_INDEX}]]+"))
    .filter(Filter.lowercase())
    # Letters that Unicode does not take apart: oe, ss, o with a stroke.
    .filter(Filter.ascii_fold())
    .filter(Filter.remove_long(_LONGEST))
    .build()
)


def fold(text: str) -> str:
    """The text without accents, ready for the analyzer, which does the rest."""
    if text.isascii():
        return text
    return _ACCENT.sub("", unicodedata.normalize("NFKD", text.casefold()))


def words_of(text: str) -> list[str]:
    """Its words, in order."""
    return ANALYZER.analyze(fold(text))


def code_of(text: str) -> str:
    """A code as it is compared, without signs: `C91.0`, `c91.0,` and `C910` are one."""
    return "".join(filter(str.isalnum, text.casefold()))


def is_code(code: str) -> bool:
    """Whether somebody who writes this may mean a code."""
    return len(code) >= _SHORTEST_CODE and any(character.isdigit() for character in code)


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Every word with its place in the text, in code points."""
    for found in (_ASCII_WORD if text.isascii() else _WORD).finditer(text):
        for word in _folded(found[0]):
            yield found.start(), found.end(), word


def typos(word: str) -> int:
    """How many typos a word may have: none in short ones and in codes, one from 4 letters on, two from 8 on."""
    if not word.isalpha():
        return 0
    return (len(word) >= 4) + (len(word) >= 8)  # noqa: PLR2004 - the docstring says it


def is_like(word: str, other: str, most: int) -> bool:
    """Whether so many typos make one of the other: a letter more, less, another, or two that changed places.

    The same distance (optimal string alignment) as the index's.
    """
    if abs(len(word) - len(other)) > most:
        return False
    place = next((n for n, pair in enumerate(zip(word, other, strict=False)) if pair[0] != pair[1]), None)
    if place is None:
        return True
    if not most:
        return False
    rest, other_rest = word[place:], other[place:]
    return (
        is_like(rest[1:], other_rest[1:], most - 1)
        or is_like(rest[1:], other_rest, most - 1)
        or is_like(rest, other_rest[1:], most - 1)
        or (rest[:2] == other_rest[1::-1] and is_like(rest[2:], other_rest[2:], most - 1))
    )


def words_in(plain: str) -> set[str]:
    """The words of a text that is folded and in lower case."""
    return set(plain.translate(_NO_SIGNS).split() if plain.isascii() else _WORD.findall(plain))


@lru_cache(maxsize=20_000)
def _folded(token: str) -> tuple[str, ...]:
    return (token.lower(),) if token.isascii() else tuple(words_of(token))
