"""Publishers in a process of their own: they publish, rename and withdraw whatever they come across."""

import asyncio
import random
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import changes, content_files, publishing, slugs, withdrawals
from app.content.document import ConditionDocument
from app.content.editorial_tables import Subject
from app.content.errors import ConditionNotFound
from app.content.tables import RevisionSource
from app.core.db import Database, DatabaseBusy
from app.core.errors import Refusal
from app.core.settings import Settings
from tests.pages import page_content, treatment

ACTS: Final = {
    "new": 5,
    "update": 8,
    "move": 3,
    "translate": 4,
    "rename": 4,
    "category": 2,
    "treatment": 2,
    "withdraw": 2,
}


def work(settings: Settings, seed: int) -> None:
    """Do all of it, in an order of its own."""
    asyncio.run(_work(settings, random.Random(seed)))


async def _work(settings: Settings, dice: random.Random) -> None:
    database = Database(settings)
    acts = [act for act, count in ACTS.items() for _ in range(count)]
    dice.shuffle(acts)
    try:
        for act in ["new", "new", *acts]:
            while not await _is_done(database, act, dice):
                pass
    finally:
        await database.close()


async def _is_done(database: Database, act: str, dice: random.Random) -> bool:
    async with database.read() as session:
        pages = await content_files.read_published(session)
    document, other = dice.choice(pages).document, dice.choice(pages).document
    new = f"synthetic-{dice.randrange(10_000)}"
    # What was read may be another by now.
    await asyncio.sleep(dice.random() / 20)
    try:
        async with database.write() as session:
            await _act(session, act, document, other, new, dice)
    except (Refusal, DatabaseBusy):
        # Somebody else was faster: the slug is another's, or gone, or its category is called otherwise.
        return False
    return True


async def _act(
    session: AsyncSession,
    act: str,
    document: ConditionDocument,
    other: ConditionDocument,
    new: str,
    dice: random.Random,
) -> None:
    match act:
        case "new":
            category = {"slug": f"synthetic-category-{new}", "name": f"Synthetic {new}"}
            options = [treatment(f"synthetic-treatment-{new}")]
            content = page_content(new, category=category, treatment_options=options)
            await _publish(session, ConditionDocument.model_validate(content))
        case "update":
            await _publish(session, document.model_copy(update={"overview": f"Synthetic {new}."}))
        case "move":
            # Its translations go along, also into a category that has no name in their language yet.
            named = other.category.model_copy(update={"name": other.category.name + dice.choice(("", " es"))})
            await _publish(session, document.model_copy(update={"category": other.category}))
            await _publish(session, document.model_copy(update={"category": named, "locale": "es"}))
        case "translate":
            await _publish(session, document.model_copy(update={"locale": "es"}))
        case "rename":
            await _refuse_withdrawn(session, document.slug)
            await slugs.rename(session, Subject.CONDITION, document.slug, new, by="test")
        case "category":
            await slugs.rename(session, Subject.CATEGORY, document.category.slug, new, by="test")
        case "treatment":
            await slugs.rename(session, Subject.TREATMENT, document.treatment_options[0].slug, new, by="test")
        case "withdraw":
            await _refuse_withdrawn(session, document.slug)
            await withdrawals.withdraw(session, document.slug, replacement=None, by="test")


async def _refuse_withdrawn(session: AsyncSession, slug: str) -> None:
    """Somebody else may have been faster: what happens to a withdrawn condition is not told."""
    await changes.take_turn(session)
    thing = await slugs.get(session, Subject.CONDITION, slug)
    if await withdrawals.find(session, thing.id) is not None:
        raise ConditionNotFound


async def _publish(session: AsyncSession, document: ConditionDocument) -> None:
    await publishing.publish(session, document, source=RevisionSource.EDITOR, by="test")
