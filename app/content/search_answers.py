"""What was found, as a reader gets it."""

from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

from pydantic import MISSING

from app.content.editorial_tables import Subject
from app.content.locales import Languages
from app.content.search_index import Card, Snapshot, texts_of
from app.content.search_ranks import Position, Question, rank, spread
from app.content.search_shapes import CategoryFacet, SearchFacets, SearchItem, SearchMatch, TypeFacet
from app.content.search_snippets import Explainer
from app.content.shapes import ConditionSummary
from app.core.shapes import DEFAULT_LOCALE, Named

_Facet = TypeVar("_Facet", CategoryFacet, TypeFacet)
_ADDRESS: Final = {
    Subject.CONDITION: "/conditions",
    Subject.TREATMENT: "/treatment-options",
    Subject.CATEGORY: "/categories",
}


def answer(
    counting: Executor, snapshot: Snapshot, question: Question, limit: int, after: Position | None
) -> tuple[list[SearchItem], SearchFacets, Position | None]:
    """The best, how all of it is spread, and the place of the last one where others follow."""
    found = rank(snapshot, question, limit=limit + 1, after=after)
    # The index counts beside what Python does here.
    counted = counting.submit(spread, snapshot, found, question)
    hits = found.hits[:limit]
    explainer = Explainer(question.text, found.stage)
    items = []
    for hit in hits:
        places, texts = texts_of(snapshot.searcher.doc(hit.address))
        items.append(_item(snapshot, hit.card, explainer.explain(places, texts), question.languages))
    categories, types = counted.result()
    facets = SearchFacets(
        categories=_most_first(
            CategoryFacet(**_named(snapshot.category(key, question.languages)), count=n)
            for key, n in categories.items()
        ),
        types=_most_first(TypeFacet(type=kind, count=n) for kind, n in types.items()),
    )
    return items, facets, hits[-1].position if len(found.hits) > limit else None


def list_conditions(
    snapshot: Snapshot, question: Question, limit: int, after: Position | None
) -> list[tuple[ConditionSummary, Position]]:
    """The cards of the best, each with its place in the order."""
    found = rank(snapshot, question, limit=limit, after=after)
    return [(_summary(snapshot, hit.card, question.languages), hit.position) for hit in found.hits]


def _summary(snapshot: Snapshot, card: Card, languages: Languages) -> ConditionSummary:
    assert card.summary is not None
    assert card.category_id is not None
    assert card.updated_at is not None
    return ConditionSummary(
        slug=card.slug,
        name=card.name,
        summary=card.summary,
        category=Named(**_named(snapshot.category(card.category_id, languages))),
        updated_at=card.updated_at,
    )


def _item(snapshot: Snapshot, card: Card, match: SearchMatch, languages: Languages) -> SearchItem:
    category: Any = MISSING
    if card.category_id is not None:
        category = Named(**_named(snapshot.category(card.category_id, languages)))
    # Of a page in another language than the default one, the address names the language.
    language = f"?locale={card.locale}" if card.locale != DEFAULT_LOCALE else ""
    return SearchItem(
        type=card.type,
        slug=card.slug,
        name=card.name,
        url=f"{_ADDRESS[card.type]}/{card.slug}{language}",
        locale=card.locale,
        summary=MISSING if card.summary is None else card.summary,
        category=category,
        match=match,
    )


def _named(card: Card) -> dict[str, str]:
    return {"slug": card.slug, "name": card.name}


def _most_first(facets: Iterable[_Facet]) -> list[_Facet]:
    # What comes as often comes by name.
    return sorted(facets, key=lambda facet: (-facet.count, getattr(facet, "slug", "") or getattr(facet, "type", "")))
