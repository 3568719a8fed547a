"""What is found, the best first; what is worth the same comes by slug."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import nsmallest
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from tantivy import DocAddress, Occur, Query

from app.content import locales
from app.content.editorial_tables import Subject
from app.content.locales import Languages
from app.content.search_index import SCHEMA, Card, Snapshot, order
from app.content.search_queries import MOST_WORDS, Stage, in_languages, scored, term, wish_of
from app.content.search_words import code_of, words_of

# Most questions have fewer answers than this.
_FEW: Final = 300
# From so many on, it is cheaper to look for the first cards among them than to sort them all.
_MANY: Final = 1_500
_STRIDES: Final = (100, 400, 1_500)

_Scored: TypeAlias = tuple[Any, DocAddress]


class Position(NamedTuple):
    """A place in the order of what was found; it means the same in every process, also after others were published."""

    stage: int
    worth: int
    slug: str
    type: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for."""

    text: str
    languages: Languages = locales.DEFAULT
    type: Subject | None = None
    # Only conditions of this category.
    category_id: UUID | None = None
    # Only these.
    among: frozenset[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found."""

    card: Card
    position: Position
    address: DocAddress


@dataclass(frozen=True, slots=True)
class Found:
    """The best of what was found, how much was forgiven, and what was asked of the index in the end."""

    hits: list[Hit]
    stage: Stage
    wish: Query
    # All of it, where that is few.
    everything: list[DocAddress] | None = None


def rank(snapshot: Snapshot, question: Question, *, limit: int, after: Position | None = None) -> Found:
    """The best, in order; those that come after a position, if it is given."""
    found = Found([], Stage.ALL_WORDS, Query.empty_query())
    words = words_of(question.text)[:MOST_WORDS]
    # Further pages forgive what the first one forgave.
    for stage in (Stage if after is None else (Stage(after.stage),)) if words else ():
        wish = wish_of(words, code_of(question.text), stage)
        found = _best(snapshot, wish, question, stage, limit, after)
        if found.hits:
            break
    return found


def _filtered(wish: Query, question: Question, *, has_type: bool = True, has_category: bool = True) -> Query:
    parts = [(Occur.Must, wish), (Occur.Must, scored(in_languages(question.languages), 0))]
    if has_type and question.type is not None:
        parts.append((Occur.Must, scored(term("type", question.type.value), 0)))
    if has_category and question.category_id is not None:
        parts.append((Occur.Must, scored(term("category", question.category_id.hex), 0)))
    return Query.boolean_query(parts)


def _best(
    snapshot: Snapshot, wish: Query, question: Question, stage: Stage, limit: int, after: Position | None
) -> Found:
    query = _filtered(wish, question)
    found = snapshot.searcher.search(query, _FEW)
    hits = found.hits
    everything = [address for _, address in hits] if len(hits) < _FEW else None
    # Of the last ones of these, others may be worth as much.
    is_cut = len(hits) == _FEW and hits[-1][0] == hits[limit - 1][0]
    if after is not None or question.among is not None:
        hits = _all(snapshot, query)
    elif is_cut:
        are_many = found.count > _MANY  # type: ignore[attr-defined] # the library's stub forgets it
        hits = (_first_of_many(snapshot, query, hits, limit) if are_many else []) or _all(snapshot, query)
    begin = 0 if after is None else bisect_left(hits, -after.worth, key=_falling)
    best: list[Hit] = []
    while begin < len(hits) and len(best) < limit:
        worth = int(hits[begin][0])
        end = bisect_right(hits, -worth, begin, key=_falling)
        addresses = [address for _, address in hits[begin:end]]
        ties = _ties(snapshot, addresses, question, after if after and worth == after.worth else None)
        for place, address in nsmallest(limit - len(best), ties, key=itemgetter(0)):
            card = snapshot.cards[place]
            best.append(Hit(card, Position(stage, worth, *order(card)), address))
        begin = end
    return Found(best, stage, wish, everything)


def _all(snapshot: Snapshot, query: Query) -> list[_Scored]:
    return snapshot.searcher.search(query, max(1, snapshot.searcher.num_docs), count=False).hits


def _first_of_many(snapshot: Snapshot, query: Query, hits: list[_Scored], limit: int) -> list[_Scored]:
    """The best of very many, if the last of them are among the first cards: sparing, where every page has the word."""
    worth = hits[limit - 1][0]
    best = [hit for hit in hits if hit[0] > worth]
    for begin, end in pairwise(accumulate(_STRIDES, initial=0)):
        few = Query.term_set_query(SCHEMA, "number", snapshot.numbers[begin:end])
        among_few = Query.boolean_query([(Occur.Must, query), (Occur.Must, scored(few, 0))])
        found = snapshot.searcher.search(among_few, end - begin, count=False).hits
        best += [hit for hit in found if hit[0] == worth]
        if len(best) >= limit:
            return best
    return []


def _ties(
    snapshot: Snapshot, addresses: list[DocAddress], question: Question, after: Position | None
) -> Iterable[tuple[int, DocAddress]]:
    """What is worth the same, each with its place among all cards; those after a position, if it is given."""
    ties: Iterable[tuple[int, DocAddress]] = zip(_places(snapshot, addresses), addresses, strict=True)
    if after is not None:
        begin = bisect_right(snapshot.cards, (after.slug, after.type), key=order)
        ties = ((place, address) for place, address in ties if place >= begin)
    among = question.among
    if among is not None:
        ties = ((place, address) for place, address in ties if snapshot.cards[place].id in among)
    return ties


def _places(snapshot: Snapshot, addresses: list[DocAddress]) -> Iterable[int]:
    numbers: Any = snapshot.searcher.fast_field_values("number", addresses)
    return map(snapshot.places.__getitem__, numbers)


def _falling(hit: _Scored) -> int:
    return -int(hit[0])


def spread(snapshot: Snapshot, found: Found, question: Question) -> tuple[dict[UUID, int], dict[Subject, int]]:
    """How many were found by category and by type; each is counted without its own filter and with the other one."""
    is_filtered = question.type is not None or question.category_id is not None
    if found.everything is not None and not is_filtered:
        # Cheaper than to ask again.
        cards = [snapshot.cards[place] for place in _places(snapshot, found.everything)]
        return Counter(card.category_id for card in cards if card.category_id), Counter(card.type for card in cards)
    most = len(snapshot.categories) + len(Subject)

    def counted(query: Query, *fields: str) -> dict[str, dict[str, int]]:
        wanted = {field: {"terms": {"field": field, "size": most}} for field in fields}
        counts = snapshot.searcher.aggregate(query, wanted)
        return {field: {bucket["key"]: bucket["doc_count"] for bucket in counts[field]["buckets"]} for field in fields}

    if is_filtered:
        counts = counted(_filtered(found.wish, question, has_category=False), "category")
        counts |= counted(_filtered(found.wish, question, has_type=False), "type")
    else:
        counts = counted(_filtered(found.wish, question), "category", "type")
    categories = {UUID(key): number for key, number in counts["category"].items()}
    return categories, {Subject(key): number for key, number in counts["type"].items()}
