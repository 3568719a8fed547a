"""The index: what is published, in memory, by the words that it can be found by."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Final
from uuid import UUID

from tantivy import Document, Index, IndexWriter, SchemaBuilder, Searcher

from app.content import locales
from app.content.editorial_tables import Subject
from app.content.locales import Languages
from app.content.search_memory import Memory
from app.content.search_shapes import Place
from app.content.search_words import ANALYZER, code_of, fold, words_of

_WORDS: Final = "words"
YES: Final = "yes"
# Between two texts of an entry: no text may hold it.
BETWEEN: Final = "\x1e"
# What a writer may hold before it makes a segment of it, in bytes; tantivy wants 15 million at least.
_HEAP: Final = 30_000_000


@dataclass(frozen=True, slots=True)
class Card:
    """What is shown of something wherever it is found."""

    type: Subject
    id: UUID
    slug: str
    locale: str
    name: str
    summary: str | None
    category_id: UUID | None
    # Of a condition: when its page last changed.
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that can be found, in one language."""

    card: Card
    # All languages that it has.
    locales: frozenset[str]
    # What it is called, its name first: on its page in this language or in the default one.
    names: tuple[str, ...]
    codes: tuple[str, ...]
    # One a line, in the order of the places.
    texts: tuple[tuple[Place, str], ...]


def _schema() -> Any:
    schema = SchemaBuilder()
    for name in ("name", "alternate", "summary", "text"):
        schema.add_text_field(name, tokenizer_name=_WORDS, index_option="basic")
    for name in ("key", "whole_name", "whole_alternate", "code", "locale", "locales", "is_first"):
        schema.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("type", "category"):
        schema.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    schema.add_integer_field("number", indexed=True, fast=True)
    for name in ("places", "texts"):
        schema.add_bytes_field(name, stored=True)
    return schema.build()


SCHEMA: Final = _schema()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What can be found at one moment. It does not change: who searches in it is not disturbed by what is published."""

    searcher: Searcher
    # In the order of what is worth the same: by slug.
    cards: Sequence[Card]
    # The numbers that the index has for them, and their places by number.
    numbers: Sequence[int]
    places: Mapping[int, int]
    # By id and language.
    categories: Mapping[UUID, Mapping[str, Card]]
    # What was answered from it, or is being answered: forgotten with it.
    memory: Memory = field(default_factory=Memory)

    def category(self, category_id: UUID, languages: Languages) -> Card:
        """A category, as this reader gets it."""
        names = self.categories[category_id]
        return names[locales.best(languages, names)]


class SearchIndex:
    """Entries by their words. One caller at a time changes it, in any thread."""

    def __init__(self) -> None:
        self._index = Index(SCHEMA)
        self._index.register_tokenizer(_WORDS, ANALYZER)
        self._cards: dict[int, Card] = {}
        # Their numbers, in their order: putting thousands in order anew would keep everybody waiting.
        self._ordered: list[tuple[str, str, int]] = []
        self._numbers: dict[UUID, list[int]] = defaultdict(list)
        self._categories: dict[UUID, dict[str, Card]] = {}
        self._counter = count()
        self._writer: IndexWriter | None = None

    def replace(self, changed: Iterable[UUID], entries: Iterable[Entry]) -> None:
        """Forget all that has these ids, and learn these entries; seen with the next `snapshot`."""
        if self._writer is None:
            # Made for each change, not kept: it holds threads and memory.
            self._writer = self._index.writer(_HEAP, 1)
        for subject_id in changed:
            self._writer.delete_documents_by_term("key", subject_id.hex)
            self._categories.pop(subject_id, None)
            for number in self._numbers.pop(subject_id, ()):
                place = (*order(self._cards.pop(number)), number)
                del self._ordered[bisect_left(self._ordered, place)]
        for entry in entries:
            number = next(self._counter)
            card = entry.card
            self._writer.add_document(_document(entry, number))
            self._cards[number] = card
            insort(self._ordered, (*order(card), number))
            self._numbers[card.id].append(number)
            if card.type == Subject.CATEGORY:
                self._categories.setdefault(card.id, {})[card.locale] = card

    def snapshot(self) -> Snapshot:
        """What can be found now."""
        if self._writer is not None:
            self._writer.commit()
            self._writer.wait_merging_threads()
            self._writer = None
            self._index.reload()
        numbers = [number for _, _, number in self._ordered]
        return Snapshot(
            self._index.searcher(),
            [self._cards[number] for number in numbers],
            numbers,
            {number: place for place, number in enumerate(numbers)},
            {category_id: dict(names) for category_id, names in self._categories.items()},
        )


def order(card: Card) -> tuple[str, str]:
    """What decides between two that are worth the same."""
    return card.slug, card.type


def _document(entry: Entry, number: int) -> Document:
    card = entry.card
    texts: dict[Place, list[str]] = defaultdict(list)
    for place, text in entry.texts:
        texts[place].append(text)
    name, *others = entry.names
    summary = texts.pop(Place.SUMMARY, [])
    for place in (Place.NAME, Place.ALTERNATE_NAMES, Place.CODES):
        texts.pop(place, None)
    fields: dict[str, Any] = {
        "name": [fold(name)],
        "alternate": _folded(others),
        "summary": _folded(summary),
        "text": _folded(line for lines in texts.values() for line in lines),
        "key": [card.id.hex],
        "whole_name": [whole(name)],
        "whole_alternate": [whole(other) for other in others],
        "code": [code_of(code) for code in entry.codes],
        "locale": [card.locale],
        "locales": sorted(entry.locales),
        "is_first": [YES] if card.locale == min(entry.locales) else [],
        "type": [card.type.value],
        "category": [card.category_id.hex] if card.category_id else [],
        "number": [number],
        "places": [" ".join(place for place, _ in entry.texts).encode()],
        "texts": [BETWEEN.join(text for _, text in entry.texts).encode()],
    }
    return Document(**fields)


def texts_of(document: Document) -> tuple[list[str], list[str]]:
    """The places of an entry's texts, and the texts."""
    return document["places"][0].decode().split(), document["texts"][0].decode().split(BETWEEN)


def whole(text: str) -> str:
    """A whole name as it is compared."""
    return " ".join(words_of(text))


def _folded(lines: Iterable[str]) -> list[str]:
    return [fold(line) for line in lines]
