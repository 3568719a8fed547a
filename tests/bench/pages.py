"""Thousands of published pages in a moment, past the one way in: for measurements only."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from itertools import accumulate, product
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import insert, update
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import changes
from app.content.document import ConditionDocument
from app.content.editorial_tables import ChangeKind, ContentChange, Subject
from app.content.publishing import changed_sections, sort_key
from app.content.tables import (
    AlternateName,
    Category,
    CategoryName,
    Cause,
    ChecklistItem,
    Condition,
    ConditionCode,
    ConditionPage,
    ConditionRevision,
    ContentVersion,
    RevisionSource,
    RiskFactor,
    Treatment,
    TreatmentName,
    TreatmentOption,
)
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.core.shapes import DEFAULT_LOCALE

CATEGORIES: Final = 20
TREATMENTS: Final = 200
_IN_ONE_TRANSACTION: Final = 1_000
_HOUSE: Final = UUID(int=0)
_LISTS: Final[tuple[tuple[type[SQLModel], Callable[[ConditionDocument], list[str]]], ...]] = (
    (AlternateName, lambda page: page.alternate_names),
    (RiskFactor, lambda page: page.risk_factors),
    (Cause, lambda page: page.causes),
    (ChecklistItem, lambda page: page.what_to_bring.items),
)


async def fill(database: Database, count: int, *, first: int = 0) -> list[str]:
    """Publish so many synthetic pages, numbered from `first`; returns their slugs. The same number is the same page."""
    slugs = []
    for begin in range(first, first + count, _IN_ONE_TRANSACTION):
        pages = [document(number) for number in range(begin, min(begin + _IN_ONE_TRANSACTION, first + count))]
        async with database.write() as session:
            await changes.take_turn(session)
            await _groups(session)
            await _write(session, pages)
        slugs += [page.slug for page in pages]
    return slugs


def document(number: int) -> ConditionDocument:
    """The synthetic page of this number: about 4 KB of words that mean nothing, as often as words are used."""
    chance = random.Random(number)

    def words(count: int) -> str:
        return " ".join(chance.choices(vocabulary(), cum_weights=_weights(), k=count))

    def sentence(count: int) -> str:
        return words(count).capitalize() + "."

    name = f"Synthetic {words(2).title()} {number:05d}"
    group = number % CATEGORIES
    return ConditionDocument.model_validate(
        {
            "slug": f"synthetic-page-{number:05d}",
            "name": name,
            "alternate_names": [f"SP{number}", f"{words(2).title()} {number}"],
            "summary": sentence(18),
            "category": {"slug": f"synthetic-group-{group}", "name": f"Synthetic Group {group}"},
            "overview": " ".join(sentence(20) for _ in range(6)),
            "when_to_consult": sentence(20),
            "what_to_bring": {"text": sentence(12), "items": [words(3) for _ in range(4)]},
            "risk_factors": [sentence(8) for _ in range(5)],
            "causes": [sentence(8) for _ in range(4)],
            "treatment_options": [
                {
                    "slug": f"synthetic-treatment-{treatment}",
                    "name": f"Synthetic Treatment {treatment}",
                    "description": sentence(25),
                }
                for treatment in chance.sample(range(TREATMENTS), 5)
            ],
            "consultation": {"heading": "Synthetic heading", "text": sentence(10)},
            "codes": [{"system": "icd-10", "code": f"Z{number // 10:04d}.{number % 10}"}],
        }
    )


@cache
def vocabulary() -> list[str]:
    """The words of all pages, the most frequent first."""
    onsets = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t")
    syllables = ["".join(parts) for parts in product(onsets, "aeiou")]
    words = ["".join(parts) for parts in product(syllables, repeat=3)]
    return random.Random(0).sample(words, 8_000)


@cache
def _weights() -> list[float]:
    # Zipf's law: the second word is used half as often as the first.
    return list(accumulate(1 / place for place in range(1, len(vocabulary()) + 1)))


def _group_id(kind: str, number: int) -> UUID:
    return uuid5(_HOUSE, f"{kind} {number}")


async def _groups(session: AsyncSession) -> None:
    """Categories and treatments, once."""
    if await session.get(Category, _group_id("category", 0)) is not None:
        return
    numbers = {"category": range(CATEGORIES), "treatment": range(TREATMENTS)}
    places: dict[str, list[dict[str, Any]]] = {
        "category": [{"slug": f"synthetic-group-{n}"} for n in numbers["category"]],
        "treatment": [{"slug": f"synthetic-treatment-{n}"} for n in numbers["treatment"]],
    }
    ids = {kind: [_group_id(kind, n) for n in of_kind] for kind, of_kind in numbers.items()}
    for kind, table in (("category", Category), ("treatment", Treatment)):
        rows = [
            {"id": i, "position": 1_000 + n, **row}
            for n, (i, row) in enumerate(zip(ids[kind], places[kind], strict=True))
        ]
        await session.exec(insert(table), params=rows)
    names = [
        {"category_id": i, "locale": DEFAULT_LOCALE, "name": f"Synthetic Group {n}"}
        for n, i in enumerate(ids["category"])
    ]
    await session.exec(insert(CategoryName), params=names)
    names = [
        {"treatment_id": i, "locale": DEFAULT_LOCALE, "name": f"Synthetic Treatment {n}"}
        for n, i in enumerate(ids["treatment"])
    ]
    await session.exec(insert(TreatmentName), params=names)


async def _write(session: AsyncSession, pages: list[ConditionDocument]) -> None:
    now = await clock.now_in(session)
    version = (await session.exec(select(ContentVersion.number))).one()
    rows: dict[type[SQLModel], list[dict[str, Any]]] = defaultdict(list)
    for number, page in enumerate(pages, version + 1):
        for table, row in _rows(page, now, number):
            rows[table].append(row)
    for table, found in rows.items():
        await session.exec(insert(table), params=found)
    await session.exec(update(ContentVersion).values(number=version + len(pages)))


def _rows(page: ConditionDocument, now: datetime, change: int) -> Iterator[tuple[type[SQLModel], dict[str, Any]]]:
    """The rows that `publishing.publish` makes for a new page, in an order that foreign keys allow."""
    condition_id, page_id = new_id(), new_id()
    content = page.content()
    group = int(page.category.slug.rpartition("-")[2])
    yield Condition, {"id": condition_id, "slug": page.slug, "category_id": _group_id("category", group)}
    yield (
        ConditionPage,
        {
            "id": page_id,
            "condition_id": condition_id,
            "locale": page.locale,
            "revision": 1,
            "name": page.name,
            "sort_key": sort_key(page.name),
            "summary": page.summary,
            "overview": page.overview,
            "when_to_consult": page.when_to_consult,
            "what_to_bring": page.what_to_bring.text,
            "consultation_heading": page.consultation.heading,
            "consultation_text": page.consultation.text,
            "published_at": now,
            "updated_at": now,
        },
    )
    for table, lines_of in _LISTS:
        for position, text in enumerate(lines_of(page)):
            yield table, {"page_id": page_id, "position": position, "text": text}
    for position, code in enumerate(page.codes):
        yield ConditionCode, {"condition_id": condition_id, "position": position, **code.model_dump()}
    for position, option in enumerate(page.treatment_options):
        treatment = _group_id("treatment", int(option.slug.rpartition("-")[2]))
        words = {"name": option.name, "description": option.description}
        yield TreatmentOption, {"page_id": page_id, "position": position, "treatment_id": treatment, **words}
    revision = {"source": RevisionSource.EDITOR, "digest": page.digest(), "document": content, "published_by": "bench"}
    of_page = {"condition_id": condition_id, "locale": page.locale}
    yield ConditionRevision, {**of_page, "number": 1, "published_at": now, **revision}
    told = {"kind": ChangeKind.PUBLISHED, "subject": Subject.CONDITION, "subject_id": condition_id, "slug": page.slug}
    where = {"number": change, "at": now, "locale": page.locale, "revision": 1}
    yield ContentChange, {**where, **told, "sections": changed_sections({}, content)}
