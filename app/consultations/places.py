"""Clinicians and locations: who is consulted, and where."""

from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations.errors import ClinicianNotFound, LocationNotFound
from app.consultations.shapes import ClinicianCreate, ClinicianPublic, LocationCreate, LocationPublic
from app.consultations.tables import Clinician, Location
from app.core import clock


async def add_clinician(session: AsyncSession, wish: ClinicianCreate, *, by: str) -> ClinicianPublic:
    """Make a clinician known; a slug that is taken ends in SlugTaken."""
    clinician = Clinician.model_validate(wish.model_dump())
    session.add(clinician)
    await session.flush()
    await _record(session, "clinician.created", clinician.id, by=by)
    return ClinicianPublic(slug=clinician.slug, name=clinician.name)


async def add_location(session: AsyncSession, wish: LocationCreate, *, by: str) -> LocationPublic:
    """Make a location known; a slug that is taken ends in SlugTaken."""
    location = Location.model_validate(wish.model_dump())
    session.add(location)
    await session.flush()
    await _record(session, "location.created", location.id, by=by)
    return LocationPublic(slug=location.slug, name=location.name, time_zone=location.time_zone)


async def list_clinicians(session: AsyncSession, *, limit: int, after: str | None = None) -> list[ClinicianPublic]:
    """Clinicians by slug."""
    query = select(Clinician.slug, Clinician.name).order_by(col(Clinician.slug)).limit(limit)
    if after is not None:
        query = query.where(col(Clinician.slug) > after)
    return [ClinicianPublic(slug=slug, name=name) for slug, name in await session.exec(query)]


async def list_locations(session: AsyncSession, *, limit: int, after: str | None = None) -> list[LocationPublic]:
    """Locations by slug."""
    query = select(Location.slug, Location.name, Location.time_zone).order_by(col(Location.slug)).limit(limit)
    if after is not None:
        query = query.where(col(Location.slug) > after)
    return [LocationPublic(slug=slug, name=name, time_zone=zone) for slug, name, zone in await session.exec(query)]


async def get_clinician(session: AsyncSession, slug: str) -> ClinicianPublic:
    """One clinician; raises ClinicianNotFound."""
    found = (await session.exec(select(Clinician.slug, Clinician.name).where(Clinician.slug == slug))).first()
    if found is None:
        raise ClinicianNotFound
    return ClinicianPublic(slug=found[0], name=found[1])


async def get_location(session: AsyncSession, slug: str) -> LocationPublic:
    """One location; raises LocationNotFound."""
    query = select(Location.slug, Location.name, Location.time_zone).where(Location.slug == slug)
    found = (await session.exec(query)).first()
    if found is None:
        raise LocationNotFound
    return LocationPublic(slug=found[0], name=found[1], time_zone=found[2])


async def _record(session: AsyncSession, action: str, subject: UUID, *, by: str) -> None:
    await audit.record(session, by=by, action=action, subject=str(subject), at=await clock.now_in(session))
