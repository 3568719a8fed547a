"""Calendar feeds: secret addresses at which calendar programs find a clinician's or a location's consultations."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic import MISSING
from sqlalchemy import ColumnElement, Integer, LargeBinary, Row, Select, Text, Uuid, bindparam, insert, text, update
from sqlalchemy import select as core_select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations.calendar_feed_shapes import CalendarFeedCreate, CalendarFeedPublic
from app.consultations.errors import CalendarFeedNotFound
from app.consultations.schedule_tables import CalendarFeed, Room
from app.consultations.tables import BookingEvent, Clinician, ConsultationBooking, ConsultationSlot, Location
from app.core import clock
from app.core.clock import moment_in
from app.core.db import rows
from app.core.errors import InvalidInput
from app.core.ids import digest, new_id, new_secret

PREFIX: Final = "cp_feed_"
# What a calendar shows: so much of the past, so much of what is to come, and so many bookings at most.
BEFORE: Final = timedelta(days=30)
AHEAD: Final = timedelta(days=365)
MOST: Final = 5_000
# Not held: a hold is over long before a calendar looks again. What was cancelled is not there.
_SHOWN: Final = text("state IN ('booked', 'fulfilled', 'no_show')")
_feed: Final = CalendarFeed


class Subscribed(NamedTuple):
    """Whose calendar an address opens."""

    # The column of a slot that says whose it is.
    column: str
    id: UUID
    name: str


async def add(session: AsyncSession, wish: CalendarFeedCreate, *, by: str) -> tuple[CalendarFeedPublic, str]:
    """A new feed and its secret, of which only the digest is kept. Raises InvalidInput for an unknown slug."""
    whose = "location" if wish.clinician is None else "clinician"
    found = await rows(session, _owner(whose), {"slug": getattr(wish, whose)})
    if not found:
        raise InvalidInput.at(f"/{whose}", "unknown_reference", "names nothing that is known here")
    secret, feed_id, now = new_secret(PREFIX), new_id(), await clock.now_in(session)
    made = {"id": feed_id, "secret_hash": digest(secret), f"{whose}_id": found[0].id, "created_by": by}
    await session.exec(insert(CalendarFeed).values(made | {"created_at": now}))
    await audit.record(session, by=by, action="calendar_feed.created", subject=str(feed_id), at=now)
    return await get(session, feed_id), secret


async def get(session: AsyncSession, feed_id: UUID) -> CalendarFeedPublic:
    """One feed that was not revoked; raises CalendarFeedNotFound."""
    found = await rows(session, _listing(frozenset({"id"})), {"id": feed_id, "limit": 1})
    if not found:
        raise CalendarFeedNotFound
    return _public(found[0])


async def find(session: AsyncSession, *, limit: int, after: UUID | None = None) -> list[CalendarFeedPublic]:
    """Feeds that were not revoked, newest first."""
    values = {} if after is None else {"after": after}
    found = await rows(session, _listing(frozenset(values)), values | {"limit": limit})
    return [_public(row) for row in found]


async def revoke(session: AsyncSession, feed_id: UUID, *, by: str) -> CalendarFeedPublic:
    """Let a feed's address open nothing any more, for good; what it was. Raises CalendarFeedNotFound."""
    feed, now = await get(session, feed_id), await clock.now_in(session)
    done = await session.exec(
        update(CalendarFeed)
        .where(col(_feed.id) == feed_id, col(_feed.revoked_at).is_(None))
        .values({"revoked_at": now})
    )
    # Two who revoke it at the same moment: one of them did.
    if done.rowcount == 0:
        raise CalendarFeedNotFound
    await audit.record(session, by=by, action="calendar_feed.revoked", subject=str(feed_id), at=now)
    return feed


async def subscribed(session: AsyncSession, secret: str) -> Subscribed:
    """Whose calendar this secret opens; a foreign, unknown or revoked one raises CalendarFeedNotFound.

    Digests are compared, whatever is sent: how long it takes says nothing of any secret.
    """
    found = await rows(session, _listing(frozenset({"secret"})), {"secret": digest(secret), "limit": 1})
    if not found:
        raise CalendarFeedNotFound
    row = found[0]
    if row.clinician_id is None:
        return Subscribed("location_id", row.location_id, row.location_name)
    return Subscribed("clinician_id", row.clinician_id, row.clinician_name)


async def consultations(session: AsyncSession, whose: Subscribed) -> Sequence[Row[Any]]:
    """What the calendar shows: a row a booking, those of a slot beside each other, soonest first.

    Past `MOST` the latest are left out, whole slots of them: they come nearer.
    """
    values = {"id": whose.id, "before": -int(BEFORE.total_seconds()), "ahead": int(AHEAD.total_seconds())}
    found = await rows(session, _consultations(whose.column), values | {"limit": MOST + 1})
    if len(found) <= MOST:
        return found
    return [row for row in found if row.slot_id != found[-1].slot_id]


def _public(row: Row[Any]) -> CalendarFeedPublic:
    clinician = {"slug": row.clinician_slug, "name": row.clinician_name}
    location = {"slug": row.location_slug, "name": row.location_name}
    return CalendarFeedPublic.model_validate({
        "id": row.id,
        "clinician": MISSING if row.clinician_id is None else clinician,
        "location": MISSING if row.location_id is None else location,
        "created_by": row.created_by,
        "created_at": row.created_at,
    })  # fmt: skip


@cache
def _owner(whose: str) -> Select[*tuple[Any, ...]]:
    table: type[Clinician | Location] = Clinician if whose == "clinician" else Location
    return core_select(col(table.id)).where(col(table.slug) == bindparam("slug", type_=Text()))


@cache
def _listing(asked: frozenset[str]) -> Select[*tuple[Any, ...]]:
    """Feeds that were not revoked, newest first, with a bound value for what is asked for and for `limit`."""
    filters: dict[str, ColumnElement[bool]] = {
        "id": col(_feed.id) == bindparam("id", type_=Uuid()),
        "secret": col(_feed.secret_hash) == bindparam("secret", type_=LargeBinary()),
        "after": col(_feed.id) < bindparam("after", type_=Uuid()),
    }
    query = core_select(
        *(getattr(_feed, name) for name in ("id", "clinician_id", "location_id", "created_by", "created_at")),
        col(Clinician.slug).label("clinician_slug"),
        col(Clinician.name).label("clinician_name"),
        col(Location.slug).label("location_slug"),
        col(Location.name).label("location_name"),
    ).select_from(CalendarFeed)
    query = query.outerjoin(Clinician, col(Clinician.id) == col(_feed.clinician_id))
    query = query.outerjoin(Location, col(Location.id) == col(_feed.location_id))
    query = query.where(col(_feed.revoked_at).is_(None), *(filters[name] for name in sorted(asked)))
    return query.order_by(col(_feed.id).desc()).limit(bindparam("limit", type_=Integer()))


@cache
def _consultations(column: str) -> Select[*tuple[Any, ...]]:
    """The rows of a calendar whose slots have the bound `id` in this column."""
    slot, booking, event = ConsultationSlot, ConsultationBooking, BookingEvent
    last_step = core_select(col(event.at)).where(
        col(event.booking_id) == col(booking.id), col(event.version) == col(booking.version)
    )
    query: Select[*tuple[Any, ...]] = core_select(
        col(slot.id).label("slot_id"), col(slot.starts_at), col(slot.ends_at), col(slot.time_zone), col(slot.mode),
        col(slot.capacity), col(booking.id).label("booking_id"), col(booking.reference), col(booking.version),
        col(booking.created_at),
        last_step.correlate(booking).scalar_subquery().label("changed_at"),
        col(Clinician.name).label("clinician_name"),
        col(Location.name).label("location_name"),
        col(Room.name).label("room_name"),
    ).select_from(slot)  # fmt: skip
    query = query.join(booking, col(booking.slot_id) == col(slot.id))
    query = query.outerjoin(Clinician, col(Clinician.id) == col(slot.clinician_id))
    query = query.outerjoin(Location, col(Location.id) == col(slot.location_id))
    query = query.outerjoin(Room, col(Room.id) == col(slot.room_id))
    query = query.where(
        getattr(slot, column) == bindparam("id", type_=Uuid()),
        col(slot.archived_at).is_(None),
        col(slot.starts_at) >= moment_in(bindparam("before", type_=Integer())),
        col(slot.starts_at) < moment_in(bindparam("ahead", type_=Integer())),
        _SHOWN,
    )
    order = (col(slot.starts_at), col(slot.id), col(booking.seat))
    return query.order_by(*order).limit(bindparam("limit", type_=Integer()))
