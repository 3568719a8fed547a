"""The lists of a published page: one row a line."""

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import delete, func, insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.document import ConditionDocument
from app.content.editorial_tables import SlugRedirect, Subject
from app.content.errors import SlugRetired
from app.content.tables import (
    AlternateName,
    Cause,
    ChecklistItem,
    PageReference,
    RiskFactor,
    Treatment,
    TreatmentName,
    TreatmentOption,
    UrgencySign,
)
from app.core.ids import new_id


async def write_lists(session: AsyncSession, page_id: UUID, document: ConditionDocument) -> None:
    """Replace every list of a page by the document's; raises SlugRetired for a treatment's former slug."""
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
        ids = await _treatments(session, document)
        options = [
            {
                "page_id": page_id,
                "position": place,
                "treatment_id": ids[option.slug],
                "name": option.name,
                "description": option.description,
            }
            for place, option in enumerate(document.treatment_options)
        ]
        await session.exec(insert(TreatmentOption), params=options)


async def _treatments(session: AsyncSession, document: ConditionDocument) -> dict[str, UUID]:
    """The ids of the document's treatments by slug; new ones are made and named as this page names them."""
    wanted = {option.slug: option.name for option in document.treatment_options}
    named = (col(TreatmentName.treatment_id) == Treatment.id) & (col(TreatmentName.locale) == document.locale)
    query = select(Treatment.slug, Treatment.id, col(TreatmentName.name)).outerjoin(TreatmentName, named)
    known = (await session.exec(query.where(col(Treatment.slug).in_(wanted)))).all()
    ids = {slug: treatment_id for slug, treatment_id, _ in known}
    new = [slug for slug in wanted if slug not in ids]
    if new:
        former = select(SlugRedirect.slug).where(
            SlugRedirect.kind == Subject.TREATMENT, col(SlugRedirect.slug).in_(new)
        )
        if (await session.exec(former)).first() is not None:
            raise SlugRetired
        last = (await session.exec(select(func.max(Treatment.position)))).one()
        ids |= {slug: new_id() for slug in new}
        made = [{"id": ids[slug], "slug": slug, "position": (last or 0) + n} for n, slug in enumerate(new, 1)]
        await session.exec(insert(Treatment), params=made)
    unnamed = [*new, *(slug for slug, _, name in known if not name)]
    if unnamed:
        names = [{"treatment_id": ids[s], "locale": document.locale, "name": wanted[s]} for s in unnamed]
        await session.exec(insert(TreatmentName), params=names)
    return ids
