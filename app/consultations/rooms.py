"""Rooms of a location: each holds one consultation at a time."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations.errors import LocationNotFound
from app.consultations.place_shapes import RoomCreate, RoomPublic
from app.consultations.schedule_tables import Room
from app.consultations.tables import Location
from app.core import clock


async def add(session: AsyncSession, location: str, wish: RoomCreate, *, by: str) -> RoomPublic:
    """Make a room known. Raises LocationNotFound; a slug that is taken there ends in SlugTaken."""
    location_id = await session.scalar(select(Location.id).where(Location.slug == location))
    if location_id is None:
        raise LocationNotFound
    room = Room(location_id=location_id, slug=wish.slug, name=wish.name)
    session.add(room)
    await session.flush()
    now = await clock.now_in(session)
    await audit.record(session, by=by, action="room.created", subject=str(room.id), at=now)
    return RoomPublic(slug=room.slug, name=room.name)


async def find(session: AsyncSession, location: str, *, limit: int, after: str | None = None) -> list[RoomPublic]:
    """Rooms by slug. Raises LocationNotFound."""
    query = select(Room.slug, Room.name).join(Location).where(Location.slug == location)
    if after is not None:
        query = query.where(col(Room.slug) > after)
    found = (await session.exec(query.order_by(col(Room.slug)).limit(limit))).all()
    if not found and await session.scalar(select(Location.id).where(Location.slug == location)) is None:
        raise LocationNotFound
    return [RoomPublic(slug=slug, name=name) for slug, name in found]
