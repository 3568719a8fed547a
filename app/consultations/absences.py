"""Absences: spans of time in which a clinician is away, or a location closed. Schedules post no slots there."""

from datetime import datetime
from functools import cache
from typing import Any, Final
from uuid import UUID

from pydantic import MISSING
from sqlalchemy import ColumnElement, Integer, Row, Select, Text, Uuid, bindparam, delete, func, insert, tuple_
from sqlalchemy import select as core_select
from sqlmodel import UTCDateTime, col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations.absence_shapes import (
    MOST_NAMED,
    AbsenceCreate,
    AbsencePublic,
    AbsenceWithAffected,
    Affected,
)
from app.consultations.errors import AbsenceNotFound
from app.consultations.schedule_tables import Absence
from app.consultations.slot_queries import taken_now
from app.consultations.tables import Clinician, ConsultationBooking, ConsultationSlot, Location, SlotStatus
from app.core import clock
from app.core.db import rows
from app.core.errors import InvalidInput
from app.core.ids import new_id

_absence: Final = Absence
_slot: Final = ConsultationSlot
_STARTS: Final = bindparam("starts_at", type_=UTCDateTime())
_ENDS: Final = bindparam("ends_at", type_=UTCDateTime())


async def add(session: AsyncSession, wish: AbsenceCreate, *, by: str) -> AbsenceWithAffected:
    """Write an absence down; what stands in it stays. Raises InvalidInput for an unknown slug.

    Two parties race here: this one, and whoever posts a schedule. The clinician's or the location's row lets them
    through one by one: so what is posted is either seen here, or leaves the absence out.
    """
    whose = "location" if wish.clinician is None else "clinician"
    found = await rows(session, _locked(whose), {"slug": getattr(wish, whose)})
    if not found:
        raise InvalidInput.at(f"/{whose}", "unknown_reference", "names nothing that is known here")
    now = await clock.now_in(session)
    absence_id = new_id()
    made = {"id": absence_id, f"{whose}_id": found[0].id, "created_at": now}
    said = wish.model_dump(include={"starts_at", "ends_at", "note"})
    await session.exec(insert(Absence).values(made | said))
    await audit.record(session, by=by, action="absence.created", subject=str(absence_id), at=now)
    return await get(session, absence_id)


async def get(session: AsyncSession, absence_id: UUID) -> AbsenceWithAffected:
    """One absence, with what stands in it now; raises AbsenceNotFound."""
    found = await rows(session, _by_id(), {"id": absence_id})
    if not found:
        raise AbsenceNotFound
    row = found[0]
    return AbsenceWithAffected.model_validate(_said(row) | {"affected": await _affected(session, row)})


async def find(
    session: AsyncSession,
    *,
    clinician: str | None = None,
    location: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> list[AbsencePublic]:
    """Absences, soonest first; some of which lies after `since` and before `before`."""
    said: dict[str, Any] = {
        "clinician": clinician, "location": location, "since": since, "before": before, "after": after,
    }  # fmt: skip
    asked = frozenset(name for name, value in said.items() if value is not None)
    values = {name: said[name] for name in asked - {"after"}} | {"limit": limit}
    if after is not None:
        values |= {"after_start": after[0], "after_id": after[1]}
    return [AbsencePublic.model_validate(_said(row)) for row in await rows(session, _listing(asked), values)]


async def remove(session: AsyncSession, absence_id: UUID, *, by: str) -> AbsencePublic:
    """Strike an absence out; what it was. Schedules post there again when posted next. Raises AbsenceNotFound."""
    found = await rows(session, _by_id(), {"id": absence_id})
    done = await session.exec(delete(Absence).where(col(Absence.id) == absence_id))
    if not found or done.rowcount == 0:
        raise AbsenceNotFound
    now = await clock.now_in(session)
    await audit.record(session, by=by, action="absence.deleted", subject=str(absence_id), at=now)
    return AbsencePublic.model_validate(_said(found[0]))


async def _affected(session: AsyncSession, row: Row[Any]) -> Affected:
    column = "location_id" if row.clinician_id is None else "clinician_id"
    values = {"id": getattr(row, column), "starts_at": row.starts_at, "ends_at": row.ends_at}
    ((slots, bookings),) = await rows(session, _counts(column), values)
    named = values | {"limit": MOST_NAMED}
    ids = [each.id for each in await rows(session, _slots(column), named)] if slots else []
    references = [each.reference for each in await rows(session, _bookings(column), named)] if bookings else []
    return Affected(slots=slots, bookings=bookings, slot_ids=ids, booking_references=references)


def _said(row: Row[Any]) -> dict[str, Any]:
    clinician = {"slug": row.clinician_slug, "name": row.clinician_name}
    location = {"slug": row.location_slug, "name": row.location_name}
    return {
        "id": row.id,
        "clinician": MISSING if row.clinician_id is None else clinician,
        "location": MISSING if row.location_id is None else location,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "note": MISSING if row.note is None else row.note,
        "created_at": row.created_at,
    }


@cache
def _locked(whose: str) -> Select[*tuple[Any, ...]]:
    """The clinician or location with the bound `slug`, locked against whoever posts schedules of theirs."""
    table: type[Clinician | Location] = Clinician if whose == "clinician" else Location
    query = core_select(col(table.id)).where(col(table.slug) == bindparam("slug", type_=Text()))
    return query.with_for_update()


@cache
def _by_id() -> Select[*tuple[Any, ...]]:
    return _absences().where(col(_absence.id) == bindparam("id", type_=Uuid()))


@cache
def _listing(asked: frozenset[str]) -> Select[*tuple[Any, ...]]:
    place = tuple_(col(_absence.starts_at), col(_absence.id))
    filters: dict[str, ColumnElement[bool]] = {
        "clinician": col(Clinician.slug) == bindparam("clinician", type_=Text()),
        "location": col(Location.slug) == bindparam("location", type_=Text()),
        "since": col(_absence.ends_at) > bindparam("since", type_=UTCDateTime()),
        "before": col(_absence.starts_at) < bindparam("before", type_=UTCDateTime()),
        "after": place > tuple_(bindparam("after_start", type_=UTCDateTime()), bindparam("after_id", type_=Uuid())),
    }
    query = _absences().where(*(filters[name] for name in sorted(asked)))
    query = query.order_by(col(_absence.starts_at), col(_absence.id))
    return query.limit(bindparam("limit", type_=Integer()))


def _absences() -> Select[*tuple[Any, ...]]:
    return (
        core_select(
            *Absence.__table__.columns,  # type: ignore[attr-defined]
            col(Clinician.slug).label("clinician_slug"),
            col(Clinician.name).label("clinician_name"),
            col(Location.slug).label("location_slug"),
            col(Location.name).label("location_name"),
        )
        .select_from(Absence)
        .outerjoin(Clinician, col(Clinician.id) == col(_absence.clinician_id))
        .outerjoin(Location, col(Location.id) == col(_absence.location_id))
    )


def _there(column: str) -> tuple[ColumnElement[bool], ...]:
    return (
        getattr(_slot, column) == bindparam("id", type_=Uuid()),
        col(_slot.starts_at) < _ENDS,
        col(_slot.ends_at) > _STARTS,
        col(_slot.status) != SlotStatus.CANCELLED,
        col(_slot.archived_at).is_(None),
    )


@cache
def _counts(column: str) -> Select[*tuple[Any, ...]]:
    booking = col(ConsultationBooking.id)
    live = (col(ConsultationBooking.slot_id) == col(_slot.id), *taken_now())
    query = core_select(func.count(col(_slot.id).distinct()), func.count(booking)).select_from(_slot)
    return query.outerjoin(ConsultationBooking, live[0] & live[1] & live[2]).where(*_there(column))


@cache
def _slots(column: str) -> Select[*tuple[Any, ...]]:
    query = core_select(col(_slot.id)).where(*_there(column)).order_by(col(_slot.starts_at), col(_slot.id))
    return query.limit(bindparam("limit", type_=Integer()))


@cache
def _bookings(column: str) -> Select[*tuple[Any, ...]]:
    booking = ConsultationBooking
    query = core_select(col(booking.reference)).join(_slot, col(_slot.id) == col(booking.slot_id))
    query = query.where(*_there(column), *taken_now()).order_by(col(_slot.starts_at), col(booking.id))
    return query.limit(bindparam("limit", type_=Integer()))
