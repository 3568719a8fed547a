"""When what a page says changed last: its own words, and what it says of other things."""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from pydantic import MISSING
from sqlalchemy import bindparam, func, union_all
from sqlalchemy import select as core_select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.editorial_tables import ChangeKind, ContentChange
from app.content.review import DUE_BEFORE
from app.content.shapes import ConditionPublic, ReviewPublic, ReviewStatus
from app.content.tables import Condition, Treatment
from app.core.db import rows

_subject_id, _at = col(ContentChange.subject_id), col(ContentChange.at)
_is_it = col(Condition.slug) == bindparam("slug")
# Its own slug, text, codes and translations; its category's slug and name; its treatments' slugs.
_EACH: Final = union_all(
    core_select(_at.label("at")).join(Condition, col(Condition.id) == _subject_id).where(_is_it),
    core_select(_at).join(Condition, col(Condition.category_id) == _subject_id).where(_is_it),
    core_select(_at)
    .join(Treatment, col(Treatment.id) == _subject_id)
    .where(col(Treatment.slug).in_(bindparam("treatments", expanding=True)))
    .where(col(ContentChange.kind) == ChangeKind.RENAMED),
).subquery()
_LAST: Final = core_select(func.max(_EACH.c.at))


async def changed_at(session: AsyncSession, page: ConditionPublic) -> datetime:
    """When anything on this page changed last, as far as the feed and the calendar tell."""
    treatments = [option.slug for option in page.treatment_options]
    ((told,),) = await rows(session, _LAST, {"slug": page.slug, "treatments": treatments})
    moments: list[datetime | None] = [page.updated_at, told, _review_turned_at(page.review)]
    return max(moment for moment in moments if moment is not None)


def _review_turned_at(review: ReviewPublic | MISSING) -> datetime | None:
    """The midnight at which the review became what it is; None while it is what it was published as."""
    if review is MISSING or review.status is ReviewStatus.CURRENT:
        return None
    is_due = review.status is ReviewStatus.DUE
    day = review.next_review_on - DUE_BEFORE if is_due else review.next_review_on + timedelta(days=1)
    return datetime.combine(day, time(), UTC)
