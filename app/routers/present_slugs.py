"""What a request names by a former slug, by the present one."""

from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations.plan_wishes import SlotsWanted
from app.consultations.schedule_shapes import SlotScheduleCreate
from app.consultations.slot_edit_shapes import ConsultationSlotUpdate
from app.consultations.slot_filters import SlotFilter
from app.consultations.slot_shapes import ConsultationSlotCreate
from app.content import slugs
from app.content.editorial_tables import Subject

_Wanted = TypeVar(
    "_Wanted", SlotFilter, ConsultationSlotCreate, ConsultationSlotUpdate, SlotScheduleCreate, SlotsWanted
)


async def with_present_slugs(source: AsyncSession | AsyncConnection, wanted: _Wanted) -> _Wanted:
    """The same filter or wish; where its condition or category is named by a former slug, by the present one."""
    changes: dict[str, Any] = {}
    for subject in (Subject.CONDITION, Subject.CATEGORY):
        slug = getattr(wanted, subject)
        thing = await slugs.find(source, subject, slug) if isinstance(slug, str) else None
        if thing is not None and thing.slug != slug:
            changes[subject.value] = thing.slug
    if isinstance(wanted, SlotFilter):
        return replace(wanted, **changes)
    return wanted.model_copy(update=changes)
