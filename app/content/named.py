"""What categories and treatments have in common: made, named in each language, put in order, deleted."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, bindparam, delete, func, insert, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.content import changes, draft_mentions, slugs
from app.content.draft_mentions import MOST_NAMED
from app.content.editorial_tables import ChangeKind, SlugRedirect, Subject
from app.content.slugs import Thing
from app.content.tables import Category, CategoryName, Treatment, TreatmentName
from app.core import clock
from app.core.db import rows
from app.core.errors import FieldFault, InvalidInput, VersionStale
from app.core.ids import new_id
from app.core.shapes import DEFAULT_LOCALE

_THINGS: Final = {Subject.CATEGORY: Category.__table__, Subject.TREATMENT: Treatment.__table__}  # type: ignore[attr-defined]
_NAMES: Final = {Subject.CATEGORY: CategoryName.__table__, Subject.TREATMENT: TreatmentName.__table__}  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Record:
    """A category or a treatment, with all that it is called."""

    slug: str
    version: int
    position: int
    former_slugs: list[str]
    # Rows of its names, by locale.
    names: Sequence[Row[Any]]


async def create(session: AsyncSession, subject: Subject, slug: str, words: Mapping[str, Any], *, by: str) -> None:
    """Make a category or a treatment, the last in order, named in the default language; SlugInUse, SlugRetired."""
    await changes.take_turn(session)
    await slugs.refuse_unless_free(session, subject, slug)
    now, thing_id, table = await clock.now_in(session), new_id(), _THINGS[subject]
    ((last,),) = await rows(session, select(func.max(table.c.position)))
    await session.exec(insert(table).values(id=thing_id, slug=slug, position=(last or 0) + 1, version=1))
    await session.exec(insert(_NAMES[subject]).values({_key(subject): thing_id, "locale": DEFAULT_LOCALE, **words}))
    await _tell(session, ChangeKind.PUBLISHED, subject, Thing(thing_id, slug, 1), "created", by=by, at=now)


async def name(
    session: AsyncSession,
    subject: Subject,
    slug: str,
    locale: str,
    words: Mapping[str, Any],
    *,
    by: str,
    versions: AbstractSet[int] | None,
) -> None:
    """Say what a category or a treatment is called in one language; raises what has no such thing, and VersionStale."""
    await changes.take_turn(session)
    thing = await slugs.get(session, subject, slug, versions=versions)
    table = _NAMES[subject]
    here = (table.c[_key(subject)] == thing.id) & (table.c.locale == locale)
    before = await rows(session, select(*(table.c[word] for word in words)).where(here))
    changed = [word for word in words if not before or getattr(before[0], word) != words[word]]
    if not changed:
        return
    now = await clock.now_in(session)
    if before:
        await session.exec(update(table).where(here).values(words))
    else:
        await session.exec(insert(table).values({_key(subject): thing.id, "locale": locale, **words}))
    await _rise(session, subject, thing.id)
    if subject is Subject.CATEGORY:
        await draft_mentions.rename_category(session, thing.slug, name=(locale, words["name"]), by=by, at=now)
    await _tell(session, ChangeKind.UPDATED, subject, thing, "named", by=by, at=now, fields=changed, locale=locale)


async def order(session: AsyncSession, subject: Subject) -> tuple[list[str], int]:
    """The slugs of all categories, or all treatments, as they are listed, and the version of that order."""
    table = _THINGS[subject]
    found = await rows(session, select(table.c.slug, table.c.version).order_by(table.c.position, table.c.slug))
    return [row.slug for row in found], _version(found)


def _refuse_places(places: Sequence[int]) -> None:
    detail = "names nothing that is known here, or names it twice"
    faults = [FieldFault(detail, "unknown_reference", pointer=f"/slugs/{place}") for place in places[:MOST_NAMED]]
    if faults:
        raise InvalidInput(*faults)


async def reorder(
    session: AsyncSession, subject: Subject, wanted: Sequence[str], *, by: str, versions: AbstractSet[int] | None
) -> None:
    """Put all categories, or all treatments, in this order.

    Raises VersionStale, and InvalidInput unless it names each once.
    """
    first = {slug: place for place, slug in reversed(list(enumerate(wanted)))}
    # Wrong whatever there is now: to read it again would not help.
    _refuse_places([place for place, slug in enumerate(wanted) if first[slug] != place])
    await changes.take_turn(session)
    table = _THINGS[subject]
    known = {row.slug: row for row in await rows(session, select(*table.columns).order_by(table.c.slug))}
    if versions is not None and _version(known.values()) not in versions:
        raise VersionStale
    _refuse_places([place for place, slug in enumerate(wanted) if slug not in known])
    missing = sorted(known.keys() - set(wanted))
    if missing:
        raise InvalidInput.at("/slugs", "missing", f"must name all; missing: {', '.join(missing[:MOST_NAMED])}")
    now = await clock.now_in(session)
    moved = {slug: place for place, slug in enumerate(wanted, 1) if known[slug].position != place}
    if not moved:
        return
    places = [{"moved_id": known[slug].id, "place": place} for slug, place in moved.items()]
    risen = {"position": bindparam("place"), "version": table.c.version + 1}
    await session.exec(update(table).where(table.c.id == bindparam("moved_id")).values(risen), params=places)
    things = [(known[slug].id, slug) for slug in moved]
    await changes.record_each(session, ChangeKind.UPDATED, subject, things, at=now, sections=["position"])
    subjects = [str(thing_id) for thing_id, _ in things]
    await audit.record_each(session, by=by, action=f"{subject}.moved", subjects=subjects, at=now, fields=["position"])


async def delete_thing(session: AsyncSession, subject: Subject, thing: Thing, *, by: str) -> None:
    """Delete a category or a treatment that nothing uses, with its names; nobody gets its slugs. Hold the turn."""
    now = await clock.now_in(session)
    await session.exec(delete(_THINGS[subject]).where(_THINGS[subject].c.id == thing.id))
    await session.exec(insert(SlugRedirect).values(kind=subject, slug=thing.slug, renamed_at=now))
    await _tell(session, ChangeKind.DELETED, subject, thing, "deleted", by=by, at=now)


async def get(session: AsyncSession, subject: Subject, slug: str) -> Record:
    """A category or a treatment, by its present slug or a former one, with all that it is called."""
    thing = await slugs.get(session, subject, slug)
    table, names = _THINGS[subject], _NAMES[subject]
    ((position,),) = await rows(session, select(table.c.position).where(table.c.id == thing.id))
    said = await rows(
        session, select(*names.columns).where(names.c[_key(subject)] == thing.id).order_by(names.c.locale)
    )
    return Record(thing.slug, thing.version, position, await slugs.former(session, subject, thing.id), said)


def _version(things: Iterable[Row[Any]]) -> int:
    # While nothing is made or deleted, each change makes it higher; an order from before that does not name each once.
    return sum(thing.version for thing in things)


async def _rise(session: AsyncSession, subject: Subject, thing_id: UUID) -> None:
    table = _THINGS[subject]
    await session.exec(update(table).where(table.c.id == thing_id).values(version=table.c.version + 1))


async def _tell(
    session: AsyncSession,
    kind: ChangeKind,
    subject: Subject,
    thing: Thing,
    action: str,
    *,
    by: str,
    at: datetime,
    fields: Sequence[str] = (),
    locale: str | None = None,
) -> None:
    await changes.record(session, kind, subject, thing.id, slug=thing.slug, at=at, sections=fields, locale=locale)
    await audit.record(session, by=by, action=f"{subject}.{action}", subject=str(thing.id), at=at, fields=fields)


def _key(subject: Subject) -> str:
    return f"{subject}_id"
