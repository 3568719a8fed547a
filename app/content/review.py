"""How long a page's words are vouched for, and who is told when that ends."""

from datetime import date, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.shapes import ReviewStatus
from app.content.tables import ConditionPage
from app.core import clock
from app.core.db import rows
from app.core.shapes import DEFAULT_LOCALE
from app.delivery import outbox

# A review that is to come within these days is due.
DUE_BEFORE: Final = timedelta(days=30)
TOPIC: Final = "condition.review_due"

_next_on, _told_on = col(ConditionPage.next_review_on), col(ConditionPage.review_told_on)
_UNTOLD: Final = (
    select(ConditionPage.id, ConditionPage.condition_id, ConditionPage.locale, ConditionPage.revision)
    .where(_next_on <= bindparam("until"), or_(_told_on.is_(None), _told_on != _next_on))
    .order_by(_next_on)
    .limit(bindparam("limit"))
    # Two workers tell of different pages; a page that is being published is told of the next time, as it then is.
    .with_for_update(skip_locked=True)
)
_TOLD: Final = (
    update(ConditionPage)
    .where(col(ConditionPage.id).in_(bindparam("told", expanding=True)))
    .values(review_told_on=ConditionPage.next_review_on)
)


def status_on(today: date, next_review_on: date) -> ReviewStatus:
    """Whether words that are to be reviewed on this day are still vouched for today."""
    if next_review_on < today:
        return ReviewStatus.OVERDUE
    return ReviewStatus.DUE if next_review_on <= today + DUE_BEFORE else ReviewStatus.CURRENT


def is_on(today: date, status: ReviewStatus) -> ColumnElement[bool]:
    """The same rule as part of a query. A page that nobody has reviewed has no status."""
    if status is ReviewStatus.OVERDUE:
        return _next_on < today
    if status is ReviewStatus.DUE:
        return and_(_next_on >= today, _next_on <= today + DUE_BEFORE)
    return _next_on > today + DUE_BEFORE


async def tell_due(session: AsyncSession, *, limit: int) -> int:
    """Note an event for each page whose review falls due, once for each day on which one does; returns how many."""
    now = await clock.now_in(session)
    due = await rows(session, _UNTOLD, {"until": now.date() + DUE_BEFORE, "limit": limit})
    for page in due:
        # Revisions are counted in each language, so that each language's event has a topic of its own.
        topic = TOPIC if page.locale == DEFAULT_LOCALE else f"{TOPIC}.{page.locale}"
        outbox.enqueue(session, topic=topic, subject_id=page.condition_id, sequence=page.revision, at=now)
    if due:
        await session.exec(_TOLD, params={"told": [page.id for page in due]})
    return len(due)
