"""What happens at its time: a scheduled text is published, a page whose time is over is taken down.

Whoever comes first does it; the others, who wait for their turn meanwhile, find nothing left to do. `timer.py` says
when.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, delete, literal_column
from sqlalchemy import select as core_select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.content import changes, draft_steps, drafts, page_names
from app.content.editorial_tables import ChangeKind, ConditionDraft, DraftState, Subject
from app.content.errors import DraftNotApproved
from app.content.tables import Condition, ConditionPage
from app.core import clock, logs
from app.core.clock import current_moment
from app.core.database_errors import constraint_of, is_temporary
from app.core.db import Database, DatabaseBusy, rows
from app.core.errors import Refusal, refusal_for

# Who it was, where nobody is there.
BY: Final = "schedule"
# So long a draft is left alone that could not be published for a reason that is not in it.
ASIDE_SECONDS: Final = 60.0

_publish_at, _unpublish_at = col(ConditionDraft.publish_at), col(ConditionPage.unpublish_at)
# With the literal of the partial index: a bound value would hide it.
_IS_SCHEDULED: Final = literal_column("condition_drafts.state") == literal_column("'scheduled'")
_IS_NOT_ASIDE: Final = col(ConditionDraft.id).not_in(bindparam("aside", expanding=True))


def _next(*where: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    drafts_next = core_select(_publish_at).where(_IS_SCHEDULED, *where).order_by(_publish_at).limit(1)
    pages_next = core_select(_unpublish_at).where(_unpublish_at.is_not(None)).order_by(_unpublish_at).limit(1)
    return core_select(drafts_next.scalar_subquery(), pages_next.scalar_subquery(), current_moment())


# Asked several times a second by every process, nearly always without anything to leave aside.
_NEXT: Final = _next()
_NEXT_BUT_ASIDE: Final = _next(_IS_NOT_ASIDE)


@dataclass(slots=True)
class Aside:
    """The drafts that this process failed to publish a moment ago: the others must not wait for them."""

    ids: set[UUID] = field(default_factory=set)
    until: float = 0.0

    def put(self, draft_id: UUID) -> None:
        """Leave this one alone for a while."""
        self.ids.add(draft_id)
        self.until = monotonic() + ASIDE_SECONDS

    def now(self) -> Collection[UUID]:
        """Those to leave alone."""
        if monotonic() > self.until:
            self.ids.clear()
        return self.ids


@dataclass(frozen=True, slots=True)
class _Taken:
    """The draft that is being published, as it was found."""

    id: UUID
    version: int


async def publish_due(database: Database, aside: Aside | None = None, *, needs_approval: bool = False) -> float | None:
    """Publish and take down whatever is due, one transaction each; what needs approval and has none is refused.

    Returns in how many seconds something falls due next, by the database's clock; None where nothing is scheduled.
    """
    aside = aside or Aside()
    while (left := await _until_next(database, aside)) is not None and left <= 0:
        while await _publish_next(database, aside, needs_approval=needs_approval):
            pass
        while await _take_down_next(database):
            pass
    return left


async def _until_next(database: Database, aside: Aside) -> float | None:
    ids = list(aside.now())
    async with database.look() as look:
        found = await rows(look, _NEXT_BUT_ASIDE, {"aside": ids}) if ids else await rows(look, _NEXT)
    ((publish_at, unpublish_at, now),) = found
    instants: list[datetime] = [instant for instant in (publish_at, unpublish_at) if instant is not None]
    # SQLite tells the time in whole milliseconds: what is due within the present one is not due yet.
    return (min(instants) - now).total_seconds() if instants else None


async def _publish_next(database: Database, aside: Aside, *, needs_approval: bool) -> bool:
    """Publish the draft that has been due for longest; False where none is."""
    taken: _Taken | None = None
    try:
        async with database.write() as session:
            # First, as everybody does who publishes: whoever had the turn before has published what was due then.
            await changes.take_turn(session)
            draft = await _longest_due(session, aside)
            if draft is None:
                return False
            taken = _Taken(draft.id, draft.version)
            _refuse_unapproved(draft, needs_approval=needs_approval)
            published = await drafts.publish_draft(session, draft, by=BY)
            # What is late may be over already: then nobody ever sees it.
            await _take_down(session, col(ConditionPage.condition_id) == published.condition_id)
    except Exception as error:
        if taken is None or _is_passing(error):
            raise
        reason = _refusal_in(error)
        if reason is not None:
            await _give_back(database, taken, reason)
        else:
            logs.failure("schedule_failed", error, draft=str(taken.id))
            aside.put(taken.id)
    return True


async def _longest_due(session: AsyncSession, aside: Aside) -> ConditionDraft | None:
    query = select(ConditionDraft).where(_IS_SCHEDULED, _IS_NOT_ASIDE, _publish_at <= current_moment())
    query = query.order_by(_publish_at, col(ConditionDraft.id)).limit(1)
    return (await session.exec(query, params={"aside": list(aside.now())})).first()


def _refuse_unapproved(draft: ConditionDraft, *, needs_approval: bool) -> None:
    # It may have been scheduled while nobody had to approve.
    if needs_approval and draft.approved_by is None:
        raise DraftNotApproved


async def _give_back(database: Database, taken: _Taken, reason: str) -> None:
    """Give a draft that cannot be published back to the editors, unless one of them has changed it meanwhile."""
    async with database.write() as session:
        await changes.take_turn(session)
        as_taken = (ConditionDraft.id == taken.id, ConditionDraft.version == taken.version)
        draft = (await session.exec(select(ConditionDraft).where(*as_taken))).first()
        if draft is None:
            return
        state = DraftState.DRAFT if draft.approved_by is None else DraftState.APPROVED
        # Its end too: whoever publishes it now says when that is, and would take the former one for still said.
        values: dict[str, Any] = {"state": state, "publish_at": None, "unpublish_at": None}
        await draft_steps.write(session, draft, "refused", by=BY, fields=[reason], **values)
    logs.event("schedule_refused", draft=str(taken.id), code=reason)


async def _take_down_next(database: Database) -> bool:
    """Take down the page whose time has been over for longest; False where none is."""
    async with database.write() as session:
        await changes.take_turn(session)
        return await _take_down(session)


async def _take_down(session: AsyncSession, *where: ColumnElement[bool]) -> bool:
    query = (
        select(ConditionPage, Condition.slug)
        .join(Condition, col(Condition.id) == ConditionPage.condition_id)
        .where(_unpublish_at <= current_moment(), *where)
        .order_by(_unpublish_at)
        .limit(1)
    )
    found = (await session.exec(query)).first()
    if found is None:
        return False
    page, slug = found
    now = await clock.now_in(session)
    # The condition stays, with its revisions: an editor may publish it again. The page's lists go with the page.
    is_over = col(ConditionPage.id) == page.id
    async with page_names.lost_offers_told(session, is_over, at=now):
        await session.exec(delete(ConditionPage).where(is_over))
    await changes.record(
        session,
        ChangeKind.UNPUBLISHED,
        Subject.CONDITION,
        page.condition_id,
        slug=slug,
        at=now,
        locale=page.locale,
        revision=page.revision,
    )
    await audit.record(session, by=BY, action="condition.unpublished", subject=str(page.condition_id), at=now)
    return True


def _is_passing(error: Exception) -> bool:
    """Whether it is the database's trouble, which says nothing of the draft."""
    return isinstance(error, DatabaseBusy) or (isinstance(error, DBAPIError) and is_temporary(error))


def _refusal_in(error: Exception) -> str | None:
    """Why the draft as it is cannot be published; None where that is not the draft's fault."""
    if isinstance(error, Refusal):
        return error.code
    refusal = refusal_for(constraint_of(error)) if isinstance(error, IntegrityError) else None
    return refusal.code if refusal else None
