"""Locations: where consultations happen, and in which time zone."""

import asyncio
from typing import Any

from pydantic import MISSING
from sqlmodel import col, exists, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations import public_holidays
from app.consultations.errors import LocationInUse, LocationNotFound
from app.consultations.place_shapes import BookingPolicyPublic, LocationCreate, LocationPublic, LocationUpdate
from app.consultations.schedule_tables import SlotSchedule
from app.consultations.slot_queries import POLICY
from app.consultations.tables import ConsultationSlot, Location
from app.core import clock
from app.core.errors import InvalidInput, VersionStale


async def add(session: AsyncSession, wish: LocationCreate, *, by: str) -> LocationPublic:
    """Make a location known; a slug that is taken ends in SlugTaken. Raises InvalidInput for unknown holidays."""
    await _refuse_unknown_holidays(wish.holidays)
    policy = wish.policy.model_dump() if wish.policy is not None else {}
    location = Location.model_validate(wish.model_dump(exclude={"policy"}) | policy)
    session.add(location)
    await session.flush()
    now = await clock.now_in(session)
    await audit.record(session, by=by, action="location.created", subject=str(location.id), at=now)
    return _public(location)


async def find(session: AsyncSession, *, limit: int, after: str | None = None) -> list[LocationPublic]:
    """Locations by slug."""
    query = select(Location).order_by(col(Location.slug)).limit(limit)
    if after is not None:
        query = query.where(col(Location.slug) > after)
    return [_public(location) for location in await session.exec(query)]


async def get(session: AsyncSession, slug: str) -> LocationPublic:
    """One location; raises LocationNotFound."""
    found = (await session.exec(select(Location).where(Location.slug == slug))).first()
    if found is None:
        raise LocationNotFound
    return _public(found)


async def change(
    session: AsyncSession, slug: str, wish: LocationUpdate, *, versions: frozenset[int] | None, by: str
) -> LocationPublic:
    """Change what the wish says. Raises LocationNotFound, VersionStale, LocationInUse, InvalidInput."""
    await _refuse_unknown_holidays(wish.holidays)
    # Whoever posts slots or schedules here holds the row as well, from when they read its time zone to their COMMIT.
    query = select(Location).where(Location.slug == slug).with_for_update()
    location = (await session.exec(query)).first()
    if location is None:
        raise LocationNotFound
    if versions is not None and location.version not in versions:
        raise VersionStale
    values = _values(wish)
    changed = [name for name, value in values.items() if getattr(location, name) != value]
    if "time_zone" in changed and await _is_in_use(session, location):
        raise LocationInUse
    if changed:
        for name in changed:
            setattr(location, name, values[name])
        location.version += 1
        await session.flush()
        now, subject = await clock.now_in(session), str(location.id)
        await audit.record(session, by=by, action="location.changed", subject=subject, at=now, fields=sorted(changed))
    return _public(location)


def _values(wish: LocationUpdate) -> dict[str, Any]:
    """The columns that the wish says something of."""
    values = wish.model_dump(exclude_unset=True)
    policy = values.pop("policy", {})
    return values | (dict.fromkeys(POLICY) if policy is None else policy)


async def _is_in_use(session: AsyncSession, location: Location) -> bool:
    slots = exists().where(col(ConsultationSlot.location_id) == location.id)
    schedules = exists().where(col(SlotSchedule.location_id) == location.id)
    return bool(await session.scalar(select(slots | schedules)))


async def _refuse_unknown_holidays(code: str | None) -> None:
    # In a thread: the package is loaded when it is first asked.
    if code is not None and not await asyncio.to_thread(public_holidays.is_known, code):
        raise InvalidInput.at("/holidays", "unknown_holidays", "is no country or part of one whose holidays are known")


def _public(location: Location) -> LocationPublic:
    said = {name: getattr(location, name) for name in POLICY if getattr(location, name) is not None}
    return LocationPublic(
        slug=location.slug,
        name=location.name,
        time_zone=location.time_zone,
        policy=BookingPolicyPublic(**said) if said else MISSING,
        holidays=MISSING if location.holidays is None else location.holidays,
        version=location.version,
    )
