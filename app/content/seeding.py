"""Seeding: files become published pages, through the same door as an editor's words, and never over them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import publishing, slugs, withdrawals
from app.content.document import ConditionDocument
from app.content.editorial_tables import Subject
from app.content.errors import CategoryNamedDifferently, SlugRetired
from app.content.seed_files import SeedInvalid, line_of
from app.content.tables import ConditionRevision, ContentVersion, RevisionSource

SEED = "seed"


class SeedOutdated(Exception):
    """An editor has published since the file was last seeded; seeding it would undo that. The text names the file."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """What seeding did."""

    published: list[str]
    unchanged: list[str]


async def plant(session: AsyncSession, documents: Iterable[tuple[Path, ConditionDocument]]) -> Seeded:
    """Publish what changed since it was last seeded. Raises SeedOutdated, SeedInvalid: then nothing was changed."""
    # As `publish` does: of two who seed at once, the second one sees what the first one has published.
    await session.exec(select(ContentVersion.number).with_for_update())
    done = Seeded([], [])
    for file, document in documents:
        if await _is_known(session, file, document):
            done.unchanged.append(document.slug)
            continue
        try:
            await publishing.publish(session, document, source=RevisionSource.SEED, by=SEED)
        except SlugRetired:
            raise SeedOutdated(f"{file}: an editor has renamed a category or a treatment that it names") from None
        except CategoryNamedDifferently as error:
            category = await slugs.get(session, Subject.CATEGORY, document.category.slug)
            if category.version > 1:
                raise SeedOutdated(f"{file}: an editor has renamed its category") from None
            line = line_of(file, ("category", "name"))
            raise SeedInvalid(f"{file}:{line}: category.name: {error.detail()}") from None
        done.published.append(document.slug)
    return done


async def _is_known(session: AsyncSession, file: Path, document: ConditionDocument) -> bool:
    condition = await slugs.find(session, Subject.CONDITION, document.slug)
    if condition is None:
        return False
    query = (
        select(ConditionRevision.source, ConditionRevision.digest)
        .where(ConditionRevision.condition_id == condition.id, ConditionRevision.locale == document.locale)
        .order_by(col(ConditionRevision.number).desc())
    )
    revisions = (await session.exec(query)).all()
    last_seeded = next((digest for source, digest in revisions if source == RevisionSource.SEED), None)
    if last_seeded == document.digest():
        return True
    if condition.slug != document.slug:
        raise SeedOutdated(f"{file}: an editor has renamed {document.slug} to {condition.slug}; change it there")
    if await withdrawals.find(session, condition.id) is not None:
        raise SeedOutdated(f"{file}: an editor has withdrawn {document.slug}; publishing it is for an editor")
    if revisions and revisions[0][0] != RevisionSource.SEED:
        raise SeedOutdated(f"{file}: an editor has published {document.slug} since it was last seeded; change it there")
    return False
