"""Importing: what files say of pages, compared with what is published, and published where it differs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from pathlib import Path
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import changes, content_files, page_yaml, publishing
from app.content.document import ConditionDocument
from app.content.editorial_tables import ConditionDraft, ConditionWithdrawal, SlugRedirect, Subject
from app.content.errors import CategoryDiffers, CategoryNamedDifferently, SlugRetired
from app.content.seed_files import SeedInvalid, line_of
from app.content.tables import Category, CategoryName, Condition, ConditionPage, ConditionRevision, RevisionSource
from app.core.db import Database, rows
from app.core.errors import NotReady
from app.core.shapes import DEFAULT_LOCALE

# Pages that are published in one transaction: while it lasts, a quarter of a second, nobody else publishes, and on
# SQLite nobody books.
AT_ONCE: Final = 20
Documents = Sequence[tuple[Path, ConditionDocument]]


class ImportOutdated(NotReady):
    """Somebody has published since the files were compared. The text names the page."""


@dataclass(frozen=True, slots=True)
class PageChange:
    """A page that a file says otherwise than it is published, or that is not published yet."""

    file: Path
    document: ConditionDocument
    before: ConditionDocument | None
    revision: int | None
    unpublish_at: datetime | None
    # A draft of it is not published any more then, before an editor has compared it with what the file says.
    has_draft: bool

    def fields(self) -> list[str]:
        """Names of the fields that differ; none of a page that is not published yet."""
        if self.before is None:
            return []
        return publishing.changed_sections(self.before.content(), self.document.content())

    def difference(self) -> Iterator[str]:
        """What differs, field by field, as a unified diff."""
        if self.before is None:
            return
        old, new = page_yaml.fields(self.before), page_yaml.fields(self.document)
        for name in (name for name in {**old, **new} if old.get(name) != new.get(name)):
            was, now = (f"{name}:{fields[name]}".splitlines() if name in fields else [] for fields in (old, new))
            titles = f"{name} (revision {self.revision})", f"{name} (file)"
            yield from unified_diff(was, now, *titles, n=1, lineterm="")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What importing would do."""

    changed: list[PageChange]
    unchanged: int


async def compare(database: Database, documents: Documents) -> Comparison:
    """Compare these files' pages with what is published; raises SeedInvalid with each thing that cannot be done."""
    async with database.read() as session:
        pages = await content_files.read_published(session)
        published = {(page.document.slug, page.document.locale): page for page in pages}
        drafts = set(await session.exec(select(ConditionDraft.slug, ConditionDraft.locale)))
        changed = []
        for file, document in documents:
            place = (document.slug, document.locale)
            page, has_draft = published.get(place), place in drafts
            if page is None:
                changed.append(PageChange(file, document, None, None, None, has_draft))
            elif page.document.content() != document.content():
                changed.append(PageChange(file, document, page.document, page.revision, page.unpublish_at, has_draft))
        faults = await _faults(session, changed, documents)
    if faults:
        raise SeedInvalid("\n".join(faults))
    # A condition's category and codes are those of its page in the default language, which comes first therefore.
    changed.sort(key=lambda each: (each.document.slug, each.document.locale != DEFAULT_LOCALE, each.document.locale))
    return Comparison(changed, len(documents) - len(changed))


async def publish(
    database: Database, changed: Sequence[PageChange], *, by: str, done: Callable[[int], object] = lambda _: None
) -> None:
    """Publish these: `AT_ONCE` of them together or none, and so on; `done` is told how many.

    Raises ImportOutdated for a page that is another by now: it and what follows is not published.
    """
    for start in range(0, len(changed), AT_ONCE):
        part = changed[start : start + AT_ONCE]
        async with database.write() as session:
            await changes.take_turn(session)
            await _refuse_if_outdated(session, part, start)
            for page in part:
                try:
                    await publishing.publish(
                        session,
                        page.document,
                        source=RevisionSource.EDITOR,
                        by=by,
                        unpublish_at=page.unpublish_at,
                    )
                except (CategoryDiffers, CategoryNamedDifferently, SlugRetired) as error:
                    raise ImportOutdated(f"{page.file}: {error.detail()} {_done(start)}") from None
        done(len(part))


async def _refuse_if_outdated(session: AsyncSession, part: Iterable[PageChange], start: int) -> None:
    query = (
        select(Condition.slug, ConditionPage.locale, ConditionPage.revision)
        .join(ConditionPage, col(ConditionPage.condition_id) == Condition.id)
        .where(col(Condition.slug).in_({page.document.slug for page in part}))
    )
    now = {(slug, locale): revision for slug, locale, revision in await session.exec(query)}
    for page in part:
        if now.get((page.document.slug, page.document.locale)) != page.revision:
            raise ImportOutdated(f"{page.file}: somebody has published this page meanwhile. {_done(start)}")


def _done(count: int) -> str:
    return f"{count} pages were published before it; run the import again."


@dataclass(frozen=True, slots=True)
class _House:
    """What stands in the way of a document, and is no field of it."""

    former: frozenset[tuple[str, str]]
    withdrawn: frozenset[str]
    # Pages, by slug and language, that were taken down at their time.
    ended: frozenset[tuple[str, str]]
    # By the category's slug and the language.
    names: dict[tuple[str, str], str]
    # Each condition's category: what its page in the default language says, or will say.
    categories: dict[str, str]


async def _faults(session: AsyncSession, changed: Iterable[PageChange], documents: Documents) -> list[str]:
    """What publishing would be refused for, or would not bring about, with file, line and field."""
    former = await rows(session, select(SlugRedirect.kind, SlugRedirect.slug))
    gone = select(ConditionWithdrawal.condition_id)
    withdrawn = await rows(session, select(Condition.slug).where(col(Condition.id).in_(gone)))
    shown = (ConditionPage.condition_id == Condition.id) & (ConditionPage.locale == ConditionRevision.locale)
    was_shown = select(Condition.slug, ConditionRevision.locale).join(ConditionRevision)
    ended = was_shown.where(ConditionRevision.number == 1, ~select(ConditionPage.id).where(shown).exists())
    names = select(Category.slug, CategoryName.locale, CategoryName.name).join(CategoryName)
    homes = select(Condition.slug, Category.slug).join(Category, col(Category.id) == Condition.category_id)
    house = _House(
        frozenset((kind, slug) for kind, slug in former),
        frozenset(slug for (slug,) in withdrawn),
        frozenset((slug, locale) for slug, locale in await rows(session, ended)),
        {(slug, locale): name for slug, locale, name in await rows(session, names)},
        dict(map(tuple, await rows(session, homes)))
        | {each.slug: each.category.slug for _, each in documents if each.locale == DEFAULT_LOCALE},
    )
    found = [(page.file, place, fault) for page in changed for place, fault in _refusals(page.document, house).items()]
    for file, document in documents:
        home = house.categories.setdefault(document.slug, document.category.slug)
        if home != document.category.slug:
            found.append((file, ("category", "slug"), f"the page in {DEFAULT_LOCALE} is in {home}"))
    return [f"{file}:{line_of(file, place)}: {'.'.join(map(str, place))}: {fault}" for file, place, fault in found]


def _refusals(document: ConditionDocument, house: _House) -> Mapping[tuple[str | int, ...], str]:
    category = document.category
    named = house.names.setdefault((category.slug, document.locale), category.name)
    slugs: dict[tuple[str | int, ...], tuple[Subject, str]] = {
        ("slug",): (Subject.CONDITION, document.slug),
        ("category", "slug"): (Subject.CATEGORY, category.slug),
    } | {
        ("treatment_options", place, "slug"): (Subject.TREATMENT, option.slug)
        for place, option in enumerate(document.treatment_options)
    }
    faults = {place: SlugRetired.detail() for place, known in slugs.items() if known in house.former}
    if named != category.name:
        faults["category", "name"] = CategoryNamedDifferently.detail()
    if document.slug in house.withdrawn:
        # An old file must not bring it back unseen.
        faults[("slug",)] = "this condition was withdrawn; whoever wants it back publishes a draft of it"
    elif (document.slug, document.locale) in house.ended:
        faults[("slug",)] = "this page was taken down at its time; whoever wants it back publishes a draft of it"
    return faults
