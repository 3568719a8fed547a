"""What was found, as a reader gets it."""

import asyncio
from collections.abc import Callable, Iterable
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
_T = TypeVar("_T")
# How many answers are remembered, and how many items they may hold together, of some kilobytes each.
MOST_ANSWERS: Final = 1_000
MOST_ITEMS: Final = 10_000
_ADDRESS: Final = {
    Subject.CONDITION: "/conditions",
    Subject.TREATMENT: "/treatment-options",
    Subject.CATEGORY: "/categories",
}


async def once(
    search: Callable[[Snapshot, Question, int, Position | None], _T],
    snapshot: Snapshot,
    question: Question,
    limit: int,
    after: Position | None,
    *,
    thread: Executor,
) -> _T:
    """What is found this way, remembered as long as nothing else is published.

    Who asks the same meanwhile waits for the same answer. What is found among some is not remembered: it may be among
    thousands, each time others.
    """
    loop = asyncio.get_running_loop()
    if question.among is not None:
        return await loop.run_in_executor(thread, search, snapshot, question, limit, after)
    answers, key = snapshot.answers, (search, question, limit, after)
    known = answers.get(key)
    if known is None:
        items = limit + sum(most for _, _, most, _ in answers)
        while answers and (len(answers) >= MOST_ANSWERS or items > MOST_ITEMS):
            oldest = next(iter(answers))
            items -= oldest[2]
            del answers[oldest]
        known = answers[key] = loop.run_in_executor(thread, search, snapshot, question, limit, after)
        known.add_done_callback(lambda done: None if _is_good(done) else answers.pop(key, None))
    # One who gives up does not take the answer from the others.
    found: _T = await asyncio.shield(known)
    return found


def _is_good(done: asyncio.Future[Any]) -> bool:
    return not done.cancelled() and done.exception() is None


def answer(
    snapshot: Snapshot, question: Question, limit: int, after: Position | None
) -> tuple[list[SearchItem], SearchFacets, Position | None]:
    """The best, how all of it is spread, and the place of the last one where others follow."""
    found = rank(snapshot, question, limit=limit + 1, after=after)
    hits = found.hits[:limit]
    explainer = Explainer(question.text, found.stage)
    items = []
    for hit in hits:
        places, texts = texts_of(snapshot.searcher.doc(hit.address))
        items.append(_item(snapshot, hit.card, explainer.explain(places, texts), question.languages))
    categories, types = spread(snapshot, found, question)
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
