"""When a condition's next consultation is to be had."""

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import MISSING, Field
from sqlalchemy import bindparam
from sqlalchemy import select as core_select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.consultations import slots
from app.consultations.neighbours import condition_pages, conditions
from app.consultations.policies import Policy
from app.consultations.slot_filters import SlotFilter
from app.consultations.tables import SlotMode
from app.core.db import rows
from app.core.shapes import NOT_IN_EXAMPLE, Named, ResponseShape


class NextSlot(ResponseShape):
    """A slot that can be booked, in short."""

    id: UUID = Field(description="The slot's id.", examples=["01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"])
    starts_at: datetime = Field(description="Begin, UTC.", examples=["2027-01-12T09:00:00Z"])
    time_zone: str = Field(description="IANA zone to show the time in.", examples=["Europe/Berlin"])
    mode: SlotMode = Field(description="How patient and clinician meet.", examples=["video"])
    clinician: Named | MISSING = Field(
        default=MISSING, description="Who is consulted.", json_schema_extra=NOT_IN_EXAMPLE
    )
    location: Named | MISSING = Field(
        default=MISSING, description="Where.", examples=[{"slug": "main-building", "name": "Main Building"}]
    )


class NextAvailable(ResponseShape):
    """The next consultation that is to be had."""

    slot: NextSlot | MISSING = Field(default=MISSING, description="The soonest; absent while there is none.")


async def next_for(source: AsyncConnection, condition: str, *, policy: Policy) -> NextAvailable | None:
    """The soonest free slot for the condition with this slug; None where no such condition is published."""
    if not await rows(source, _IS_PUBLISHED, {"condition": condition}):
        return None
    found = await slots.find(source, SlotFilter(condition=condition), policy=policy, limit=1)
    if not found:
        return NextAvailable()
    return NextAvailable(
        slot=NextSlot(**{name: told for name, told in found[0].items() if name in NextSlot.model_fields})
    )


_IS_PUBLISHED: Final = (
    core_select(conditions.c.id)
    .join_from(conditions, condition_pages, condition_pages.c.condition_id == conditions.c.id)
    .where(conditions.c.slug == bindparam("condition"))
    .limit(1)
)
