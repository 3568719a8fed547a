"""The lists of a published page: one row a line."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import delete, insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.document import ConditionDocument
from app.content.tables import (
    AlternateName,
    Cause,
    ChecklistItem,
    PageReference,
    RiskFactor,
    TreatmentOption,
    UrgencySign,
)


async def write_lists(
    session: AsyncSession, page_id: UUID, document: ConditionDocument, treatments: Mapping[str, UUID]
) -> None:
    """Replace every list of a page by the document's; its treatments are known by these ids."""
    lines = (
        (AlternateName, document.alternate_names),
        (RiskFactor, document.risk_factors),
        (Cause, document.causes),
        (ChecklistItem, document.what_to_bring.items),
    )
    for table, texts in lines:
        await session.exec(delete(table).where(col(table.page_id) == page_id))
        if texts:
            rows = [{"page_id": page_id, "position": place, "text": text} for place, text in enumerate(texts)]
            await session.exec(insert(table), params=rows)
    records: tuple[tuple[type[UrgencySign | PageReference], Sequence[BaseModel]], ...] = (
        (UrgencySign, document.urgency_signs),
        (PageReference, document.references),
    )
    for kind, shapes in records:
        await session.exec(delete(kind).where(col(kind.page_id) == page_id))
        if shapes:
            found = [{"page_id": page_id, "position": n, **shape.model_dump()} for n, shape in enumerate(shapes)]
            await session.exec(insert(kind), params=found)
    await session.exec(delete(TreatmentOption).where(col(TreatmentOption.page_id) == page_id))
    if document.treatment_options:
        options = [
            {
                "page_id": page_id,
                "position": place,
                "treatment_id": treatments[option.slug],
                "name": option.name,
                "description": option.description,
            }
            for place, option in enumerate(document.treatment_options)
        ]
        await session.exec(insert(TreatmentOption), params=options)
