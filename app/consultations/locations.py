"""Locations: where consultations happen, and in which time zone."""

from pydantic import MISSING
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations.errors import LocationNotFound
from app.consultations.place_shapes import BookingPolicyPublic, LocationCreate, LocationPublic
from app.consultations.slot_queries import POLICY
from app.consultations.tables import Location
from app.core import clock


async def add(session: AsyncSession, wish: LocationCreate, *, by: str) -> LocationPublic:
    """Make a location known; a slug that is taken ends in SlugTaken."""
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


def _public(location: Location) -> LocationPublic:
    said = {name: getattr(location, name) for name in POLICY if getattr(location, name) is not None}
    return LocationPublic(
        slug=location.slug,
        name=location.name,
        time_zone=location.time_zone,
        policy=BookingPolicyPublic(**said) if said else MISSING,
    )
