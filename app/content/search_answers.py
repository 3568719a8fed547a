"""What was found, as a reader gets it."""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

from pydantic import MISSING

from app.content.editorial_tables import Subject
from app.content.locales import Languages
from app.content.search_index import Card, Snapshot, texts_of
from app.content.search_ranks import Position, Question, rank, spread
from app.content.search_shapes import CategoryFacet, Place, SearchFacets, SearchItem, SearchMatch, TypeFacet
from app.content.search_snippets import Explainer
from app.core.shapes import DEFAULT_LOCALE, Named

_Facet = TypeVar("_Facet", CategoryFacet, TypeFacet)
_ADDRESS: Final = {
    Subject.CONDITION: "/conditions",
    Subject.TREATMENT: "/treatment-options",
    Subject.CATEGORY: "/categories",
}


def answer(
    snapshot: Snapshot, question: Question, *, limit: int, after: Position | None
) -> tuple[list[SearchItem], SearchFacets, Position | None]:
    """The best, how all of it is spread, and the place of the last one where others follow."""
    found = rank(snapshot, question, limit=limit + 1, after=after)
    hits = found.hits[:limit]
    explainer = Explainer(question.text, found.stage)
    items = []
    for hit in hits:
        places, texts = texts_of(snapshot.searcher.doc(hit.address))
        match = explainer.explain(places, texts)
        summary = next((text for place, text in zip(places, texts, strict=True) if place == Place.SUMMARY), None)
        items.append(_item(snapshot, hit.card, summary, match, question.languages))
    categories, types = spread(snapshot, found.wish, question)
    facets = SearchFacets(
        categories=_most_first(
            CategoryFacet(**_named(snapshot.category(key, question.languages)), count=n)
            for key, n in categories.items()
        ),
        types=_most_first(TypeFacet(type=kind, count=n) for kind, n in types.items()),
    )
    return items, facets, hits[-1].position if len(found.hits) > limit else None


def _item(snapshot: Snapshot, card: Card, summary: str | None, match: SearchMatch, languages: Languages) -> SearchItem:
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
        summary=MISSING if summary is None else summary,
        category=category,
        match=match,
    )


def _named(card: Card) -> dict[str, str]:
    return {"slug": card.slug, "name": card.name}


def _most_first(facets: Iterable[_Facet]) -> list[_Facet]:
    # What comes as often comes by name.
    return sorted(facets, key=lambda facet: (-facet.count, getattr(facet, "slug", "") or getattr(facet, "type", "")))
