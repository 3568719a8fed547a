"""What patients tell: sealed when it comes in, opened only on the record."""

import json
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations.shapes import PatientCreate
from app.consultations.tables import PatientDetail
from app.core import clock
from app.core.crypto import Envelope, Keyring


async def seal(
    session: AsyncSession, booking_id: UUID, patient: PatientCreate, reason: str | None, *, keyring: Keyring
) -> None:
    """Keep what the patient told for this booking."""
    told = patient.model_dump(exclude_none=True) | ({"reason": reason} if reason is not None else {})
    envelope = keyring.seal(json.dumps(told, ensure_ascii=False).encode(), context=_context(booking_id))
    await session.exec(
        insert(PatientDetail).values(
            booking_id=booking_id,
            key_id=envelope.key_id,
            wrapped_key=envelope.wrapped_key,
            nonce=envelope.nonce,
            ciphertext=envelope.ciphertext,
        )
    )


async def reveal(
    session: AsyncSession, booking_ids: Sequence[UUID], *, fields: Sequence[str], keyring: Keyring, by: str
) -> dict[UUID, dict[str, str]]:
    """These fields of what the patients told, by booking. Each look is a line in the trail, or there is no look."""
    now = await clock.now_in(session)
    rows = (await session.exec(select(PatientDetail).where(col(PatientDetail.booking_id).in_(booking_ids)))).all()
    revealed = {}
    for row in rows:
        envelope = Envelope(row.key_id, row.wrapped_key, row.nonce, row.ciphertext)
        told = json.loads(keyring.open(envelope, context=_context(row.booking_id)))
        revealed[row.booking_id] = {field: told[field] for field in fields if field in told}
    await audit.record_each(
        session, by=by, action="patient.read", subjects=[str(found) for found in revealed], at=now, fields=fields
    )
    return revealed


def _context(booking_id: UUID) -> str:
    return f"patient_details|{booking_id}|1"
