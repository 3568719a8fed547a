"""Seeding: files become published pages, through the same door as an editor's words, and never over them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import changes, publishing, slugs, withdrawals
from app.content.document import ConditionDocument
from app.content.editorial_tables import Subject
from app.content.errors import CategoryDiffers, CategoryNamedDifferently, SlugRetired
from app.content.seed_files import SeedInvalid, line_of
from app.content.tables import ConditionRevision, RevisionSource

SEED = "seed"


@dataclass(frozen=True, slots=True)
class Seeded:
    """What seeding did."""

    published: list[str]
    unchanged: list[str]
    # Of each file that would undo what an editor has done since: the file, and what that is.
    outdated: list[str]


class SeedOutdated(Exception):
    """Seeding some files would undo what an editor has done since; they were left out. The text names each of them."""

    def __init__(self, done: Seeded) -> None:
        super().__init__("\n".join(done.outdated))
        self.done = done


class _Outdated(Exception):
    """Seeding this file would undo what an editor has done since. The text says what."""


async def plant(session: AsyncSession, documents: Iterable[tuple[Path, ConditionDocument]]) -> Seeded:
    """Publish what changed since it was last seeded, but no outdated file. Raises SeedInvalid: nothing was changed."""
    # As `publish` does: of two who seed at once, the second one sees what the first one has published.
    await changes.take_turn(session)
    done = Seeded([], [], [])
    for file, document in documents:
        try:
            is_new = await _is_new(session, document)
            if is_new:
                await _publish(session, file, document)
        except _Outdated as error:
            done.outdated.append(f"{file}: {error}")
        else:
            (done.published if is_new else done.unchanged).append(document.slug)
    return done


async def _publish(session: AsyncSession, file: Path, document: ConditionDocument) -> None:
    # What it is refused for is found before anything is written: the transaction goes on.
    try:
        await publishing.publish(session, document, source=RevisionSource.SEED, by=SEED)
    except SlugRetired:
        raise _Outdated("an editor has renamed or deleted a category or a treatment that it names") from None
    except CategoryDiffers as error:
        line = line_of(file, ("category", "slug"))
        raise SeedInvalid(f"{file}:{line}: category.slug: {error.detail()}") from None
    except CategoryNamedDifferently as error:
        category = await slugs.get(session, Subject.CATEGORY, document.category.slug)
        if category.version > 1:
            raise _Outdated("an editor has renamed its category") from None
        line = line_of(file, ("category", "name"))
        raise SeedInvalid(f"{file}:{line}: category.name: {error.detail()}") from None


async def _is_new(session: AsyncSession, document: ConditionDocument) -> bool:
    condition = await slugs.find(session, Subject.CONDITION, document.slug)
    if condition is None:
        return True
    query = (
        select(ConditionRevision.source, ConditionRevision.digest)
        .where(ConditionRevision.condition_id == condition.id, ConditionRevision.locale == document.locale)
        .order_by(col(ConditionRevision.number).desc())
    )
    revisions = (await session.exec(query)).all()
    last_seeded = next((digest for source, digest in revisions if source == RevisionSource.SEED), None)
    if last_seeded == document.digest():
        return False
    if condition.slug != document.slug:
        raise _Outdated(f"an editor has renamed {document.slug} to {condition.slug}; change it there")
    if await withdrawals.find(session, condition.id) is not None:
        raise _Outdated(f"an editor has withdrawn {document.slug}; publishing it is for an editor")
    if revisions and revisions[0][0] != RevisionSource.SEED:
        raise _Outdated(f"an editor has published {document.slug} since it was last seeded; change it there")
    return True
