"""What is public at a moment, as a whole, and which pages are others than at a moment before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import union
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import changes
from app.content.editorial_tables import ChangeKind, ContentChange, Subject
from app.content.tables import CategoryName, ConditionPage, ContentVersion, TreatmentName
from app.core import clock
from app.core.db import rows

# More changes than these at once are not looked at one by one.
MOST_CHANGES: Final = 100
# What touches no page of another condition. A category is named on every page of it, and slugs stand in links; a kind
# that is new touches everything until somebody says here that it does not.
_NARROW: Final[dict[str, set[ChangeKind]]] = {
    Subject.CONDITION: {ChangeKind.PUBLISHED, ChangeKind.UPDATED, ChangeKind.UNPUBLISHED, ChangeKind.WITHDRAWN},
    Subject.CATEGORY: {ChangeKind.PUBLISHED, ChangeKind.DELETED},
    Subject.TREATMENT: {ChangeKind.PUBLISHED, ChangeKind.UPDATED, ChangeKind.UNPUBLISHED, ChangeKind.DELETED},
}
_NUMBER: Final = select(ContentVersion.number)
_CHANGED_AT: Final = select(ContentChange.at).order_by(col(ContentChange.number).desc()).limit(1)
_LOCALES: Final = union(select(ConditionPage.locale), select(CategoryName.locale), select(TreatmentName.locale))


@dataclass(frozen=True, slots=True)
class Edition:
    """What is public at a moment, as a whole."""

    # Of the newest change, and that change itself: in a copy that was put back, the same number may be another change.
    number: int
    change: tuple[Any, ...] | None
    # What a page says of its review depends on it.
    day: date
    # The languages in which anything is.
    locales: frozenset[str]
    # When it last changed, None where nobody has told yet.
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """From one edition to a later one."""

    edition: Edition
    # The slugs of the conditions whose pages may be others. Lists, and whatever else says when anything changed last,
    # always are. None where everything may be another.
    slugs: frozenset[str] | None


async def look(session: AsyncSession, known: Edition | None) -> Step | None:
    """What is public now; None where it is what was known.

    Needs no snapshot: what is read after the number may know of a later change, which the next look finds in the feed.
    """
    ((number,),) = await rows(session, _NUMBER)
    day = (await clock.now_in(session)).date()
    # Another number, not a higher one: the database may have been restored from a copy.
    if known is not None and (known.number, known.day) == (number, day):
        return None
    is_near = known is not None and known.day == day and 0 < number - known.number <= MOST_CHANGES
    since = known.number if known is not None and is_near else number
    # With the change that was known last: the same still, where one feed goes on.
    feed = await changes.read(session, after=since - 1, limit=MOST_CHANGES + 1)
    entries = [entry for entry in feed.entries if entry.number <= number]
    locales = frozenset(locale for (locale,) in await rows(session, _LOCALES))
    newest = tuple(entries[-1]) if entries and entries[-1].number == number else None
    slugs = None
    if known is not None and is_near and locales == known.locales:
        slugs = _touched(entries, known, number)
    # The newest change's own, however the clock went: all processes say the same.
    told = entries[-1:] if newest is not None else await rows(session, _CHANGED_AT)
    changed_at = next((change.at for change in told), None)
    return Step(Edition(number, newest, day, locales, changed_at), slugs)


def _touched(entries: Sequence[Any], known: Edition, number: int) -> frozenset[str] | None:
    """The slugs of the conditions that the entries after the known one tell of; None where they touch more."""
    if not entries or tuple(entries[0]) != known.change:
        return None
    news = entries[1:]
    is_whole = [entry.number for entry in news] == list(range(known.number + 1, number + 1))
    if not is_whole or any(entry.kind not in _NARROW.get(entry.subject, ()) for entry in news):
        return None
    return frozenset(entry.slug for entry in news if entry.subject == Subject.CONDITION)
