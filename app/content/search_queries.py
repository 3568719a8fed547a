"""What is asked of the index, and what an answer is worth.

A word is worth what the best place is worth that has it: a name more than another name, that more than a summary, that
more than a text; as it was written more than as a beginning, that more than with a typo. No word is worth more for
being rare, and no page for being short: so every process gives the same order, and the order says why.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from tantivy import Occur, Query

from app.content.locales import Languages
from app.content.search_index import SCHEMA, YES
from app.content.search_words import is_code, typos

# Of a longer question the first ones are looked for.
MOST_WORDS: Final = 12
# A text is full of words that begin with the same two letters.
SHORTEST_BEGINNING_IN_TEXT: Final = 3


class _Field(NamedTuple):
    name: str
    # What a word in it is worth.
    written: int
    begun: int
    mistyped: int
    is_name: bool


_FIELDS: Final = (
    _Field("name", 100, 70, 10, is_name=True),
    _Field("alternate", 90, 60, 9, is_name=True),
    _Field("summary", 40, 30, 4, is_name=False),
    _Field("text", 20, 15, 2, is_name=False),
)
_WHOLE_NAME: Final = 9_000
_CODE: Final = 8_500
_WHOLE_ALTERNATE: Final = 8_000
_NAME_BEGINS: Final = 50
_CODE_BEGINS: Final = 65


class Stage(IntEnum):
    """How much is forgiven. The next one is tried where the one before finds nothing."""

    # All words; names may differ by a typo.
    ALL_WORDS = 0
    # All words; everything may differ by a typo.
    TYPOS = 1
    # Any of the words; the more of them, the better.
    ANY_WORD = 2


def wish_of(words: Sequence[str], code: str, stage: Stage) -> Query:
    """Whatever has these words, or this code."""
    parts = [_word(word, stage, is_last=place == len(words) - 1) for place, word in enumerate(words)]
    if stage is Stage.ANY_WORD:
        return Query.boolean_query([(Occur.Should, part) for part in parts])
    together = " ".join(words)
    whole = [
        scored(term("whole_name", together), _WHOLE_NAME),
        scored(term("whole_alternate", together), _WHOLE_ALTERNATE),
        scored(_beginning("whole_name", together), _NAME_BEGINS),
    ]
    all_words = Query.boolean_query(
        [*((Occur.Must, part) for part in parts), *((Occur.Should, part) for part in whole)]
    )
    if not is_code(code):
        return all_words
    coded = [scored(term("code", code), _CODE), scored(_beginning("code", code), _CODE_BEGINS)]
    return Query.disjunction_max_query([all_words, *coded])


def _word(word: str, stage: Stage, *, is_last: bool) -> Query:
    """What one word is worth: the best place that has it counts."""
    distance = typos(word)
    parts = []
    for field in _FIELDS:
        parts.append(scored(term(field.name, word), field.written))
        if is_last and (field.is_name or len(word) >= SHORTEST_BEGINNING_IN_TEXT):
            parts.append(scored(_beginning(field.name, word), field.begun))
        if distance and (field.is_name or stage > Stage.ALL_WORDS):
            parts.append(scored(Query.fuzzy_term_query(SCHEMA, field.name, word, distance), field.mistyped))
    return Query.disjunction_max_query(parts)


def term(field: str, word: str) -> Query:
    """Whatever has this word in this field."""
    return Query.term_query(SCHEMA, field, word, "basic")


def _beginning(field: str, word: str) -> Query:
    return Query.fuzzy_term_query(SCHEMA, field, word, 0, prefix=True)


def scored(query: Query, points: int) -> Query:
    """The same, each worth so much."""
    return Query.const_score_query(query, points)


def in_languages(languages: Languages) -> Query:
    """Each thing once, in the language that `locales.best` chooses of those that it has."""
    choices = []
    for place, choice in enumerate((*languages, None)):
        better = [(Occur.MustNot, term("locales", language)) for language in languages[:place]]
        # Without any of them it comes in the first that it has.
        chosen = term("locale", choice) if choice else term("is_first", YES)
        choices.append((Occur.Should, Query.boolean_query([(Occur.Must, chosen), *better])))
    return Query.boolean_query(choices)
