"""Which language a reader gets: what was asked for, against what is published.

The order is RFC 4647's (section 3.4, lookup): the asked language, the same with a subtag less (pt-BR, pt), the next one
that was asked for; then the default language; then whichever there is. A page is never refused for its language.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, case
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from app.content.tables import Category, CategoryName, ConditionPage, Treatment, TreatmentName
from app.core.accept import preferences
from app.core.shapes import DEFAULT_LOCALE

# A language range of RFC 4647, in any casing, and the length that BCP 47 recommends to provide for.
RANGE_PATTERN: Final = r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"
MAX_RANGE: Final = 35
# Of one request: more wishes than this only make more answers to remember.
_MOST_WISHES: Final = 3

# Published languages in the order in which a reader wants them; the default language is always among them.
Languages: TypeAlias = tuple[str, ...]
DEFAULT: Final[Languages] = (DEFAULT_LOCALE,)


def canonical(tag: str) -> str:
    """A language tag in the casing that BCP 47 recommends (RFC 5646, section 2.1.1): zh-Hans-CN."""
    subtags = tag.lower().split("-")
    for place, subtag in enumerate(subtags[1:], 1):
        if len(subtag) == 1:  # what follows belongs to an extension
            break
        subtags[place] = {2: subtag.upper(), 4: subtag.title()}.get(len(subtag), subtag)
    return "-".join(subtags)


def lookup(tag: str) -> Iterator[str]:
    """A language and what it falls back to, one subtag less each time: zh-Hans-CN, zh-Hans, zh."""
    subtags = canonical(tag).split("-")
    while subtags:
        yield "-".join(subtags)
        subtags.pop()
        if len(subtags) > 1 and len(subtags[-1]) == 1:
            subtags.pop()


def accepted(header: str) -> list[str]:
    """The languages of an `Accept-Language`, best first. `*` and what has no weight ask for nothing in particular."""
    return [tag for tag, weight in preferences(header).items() if weight > 0 and tag != "*"]


def choose(asked: Iterable[str], published: Collection[str]) -> Languages:
    """Of what was asked for, best first, what is published."""
    wishes = dict.fromkeys(language for tag in asked for language in lookup(tag) if language in published)
    return tuple(dict.fromkeys([*islice(wishes, _MOST_WISHES), DEFAULT_LOCALE]))


def best(wanted: Languages, available: Collection[str]) -> str:
    """The language to serve of those that a page has."""
    return next((language for language in wanted if language in available), None) or min(available)


def of_page(locale: str) -> Languages:
    """The order in which the words around a page in this language are looked for."""
    return tuple(dict.fromkeys([*lookup(locale), DEFAULT_LOCALE]))


def place(column: Any, wanted: Languages) -> ColumnElement[int]:
    """A row's place in the reader's order, by its language."""
    return case({language: number for number, language in enumerate(wanted)}, value=column, else_=len(wanted))


def is_shown(wanted: Languages) -> ColumnElement[bool]:
    """Whether a row of ConditionPage is the one of its condition that this reader gets."""
    other = aliased(ConditionPage)
    best_of_condition = (
        select(other.id)
        .where(other.condition_id == ConditionPage.condition_id)
        .order_by(place(other.locale, wanted), col(other.locale))
        .limit(1)
        .correlate(ConditionPage)
    )
    return col(ConditionPage.id) == best_of_condition.scalar_subquery()


def category_words(column: Any, wanted: Languages) -> Any:
    """A column of CategoryName for the query's row of Category, as this reader gets it; NULL where it has no name."""
    return _words(column, CategoryName, col(CategoryName.category_id) == Category.id, wanted)


def treatment_words(column: Any, wanted: Languages) -> Any:
    """A column of TreatmentName for the query's row of Treatment, as this reader gets it; NULL where it has no name."""
    return _words(column, TreatmentName, col(TreatmentName.treatment_id) == Treatment.id, wanted)


def _words(
    column: Any, names: type[CategoryName | TreatmentName], is_its: ColumnElement[bool], wanted: Languages
) -> Any:
    named = select(column).where(is_its).order_by(place(names.locale, wanted), col(names.locale)).limit(1)
    return named.scalar_subquery()
