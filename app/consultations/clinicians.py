"""Clinicians: who is consulted."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations.errors import ClinicianNotFound
from app.consultations.place_shapes import ClinicianCreate, ClinicianPublic
from app.consultations.tables import Clinician
from app.core import clock


async def add(session: AsyncSession, wish: ClinicianCreate, *, by: str) -> ClinicianPublic:
    """Make a clinician known; a slug that is taken ends in SlugTaken."""
    clinician = Clinician.model_validate(wish.model_dump())
    session.add(clinician)
    await session.flush()
    now = await clock.now_in(session)
    await audit.record(session, by=by, action="clinician.created", subject=str(clinician.id), at=now)
    return _public(clinician)


async def find(session: AsyncSession, *, limit: int, after: str | None = None) -> list[ClinicianPublic]:
    """Clinicians by slug."""
    query = select(Clinician).order_by(col(Clinician.slug)).limit(limit)
    if after is not None:
        query = query.where(col(Clinician.slug) > after)
    return [_public(clinician) for clinician in await session.exec(query)]


async def get(session: AsyncSession, slug: str) -> ClinicianPublic:
    """One clinician; raises ClinicianNotFound."""
    found = (await session.exec(select(Clinician).where(Clinician.slug == slug))).first()
    if found is None:
        raise ClinicianNotFound
    return _public(found)


def _public(clinician: Clinician) -> ClinicianPublic:
    return ClinicianPublic(slug=clinician.slug, name=clinician.name)
