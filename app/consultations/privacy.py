"""A person's rights: to read all that is held about their bookings, and to be forgotten."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from pydantic import MISSING
from sqlalchemy import bindparam, delete, insert
from sqlalchemy import select as core_select
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.access.tables import AuditEntry, IdempotencyRecord
from app.consultations import booking_queries, patients, slot_answers, steps
from app.consultations.privacy_shapes import BookingExported, ErasureReceipt, PrivacyExport, PrivacyRequest
from app.consultations.reasons import CancellationReason
from app.consultations.steps import Before
from app.consultations.tables import (
    BookingEvent,
    BookingState,
    ConsultationBooking,
    ConsultationSlot,
    Erasure,
    PatientDetail,
)
from app.core import clock
from app.core.crypto import Keyring
from app.core.db import connection_of, rows
from app.core.ids import new_id
from app.delivery.tables import OutboxMessage

_LIVE: Final = (BookingState.HELD, BookingState.BOOKED)


def _among(column: Any) -> Any:
    return col(column).in_(bindparam("ids", expanding=True))


_DETAILS: Final = {
    way: core_select(col(PatientDetail.booking_id), col(PatientDetail.consent_text_version))
    .where(col(index).in_(bindparam("indexes", expanding=True)))
    .order_by(col(PatientDetail.booking_id))
    for way, index in (("email", PatientDetail.email_index), ("phone", PatientDetail.phone_index))
}
_EVENTS: Final = core_select(*SQLModel.metadata.tables["booking_events"].columns).where(_among(BookingEvent.booking_id))
_ANSWERS: Final = core_select(
    col(IdempotencyRecord.booking_id), col(IdempotencyRecord.operation), col(IdempotencyRecord.expires_at)
).where(_among(IdempotencyRecord.booking_id))
_MESSAGES: Final = core_select(*SQLModel.metadata.tables["outbox_messages"].columns).where(
    _among(OutboxMessage.subject_id)
)
_ENTRIES: Final = core_select(*SQLModel.metadata.tables["audit_entries"].columns).where(_among(AuditEntry.subject))

# In a part of its own, so that the slot that is joined is the one that the booking has once its row is locked.
_locked: Final = (
    core_select(
        col(ConsultationBooking.id),
        col(ConsultationBooking.state),
        col(ConsultationBooking.version),
        col(ConsultationBooking.slot_id),
    )
    .where(_among(ConsultationBooking.id))
    .order_by(col(ConsultationBooking.id))
    .with_for_update()
    .subquery("locked")
)
_LOCKED: Final = (
    core_select(_locked.c.id, _locked.c.state, _locked.c.version, col(ConsultationSlot.ends_at))
    .join(ConsultationSlot, col(ConsultationSlot.id) == _locked.c.slot_id)
    .order_by(_locked.c.id)
)
_FORGET_ANSWERS: Final = delete(IdempotencyRecord).where(_among(IdempotencyRecord.booking_id))
_FORGET_PATIENTS: Final = (
    delete(PatientDetail).where(_among(PatientDetail.booking_id)).returning(col(PatientDetail.booking_id))
)
# What is still to be told of a booking's last step stays: others wait for it, and it holds ids only. Whoever carries
# it finds no patient to tell.
_FORGET_MESSAGES: Final = delete(OutboxMessage).where(
    _among(OutboxMessage.subject_id),
    col(OutboxMessage.delivered_at).is_not(None)
    | (
        col(OutboxMessage.sequence)
        < core_select(col(ConsultationBooking.version))
        .where(col(ConsultationBooking.id) == col(OutboxMessage.subject_id))
        .scalar_subquery()
    ),
)


async def export(session: AsyncSession, wish: PrivacyRequest, *, keyring: Keyring, by: str) -> PrivacyExport:
    """Everything that is held about the bookings of this contact. Each is a line in the trail, as is the export."""
    if session.get_bind().dialect.name == "postgresql":
        # All of it as it was at one moment. What is written, lines in the trail, never meets another's.
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    now, receipt = await clock.now_in(session), new_id()
    await audit.record(session, by=by, action="privacy.exported", subject=str(receipt), at=now)
    consents = await _details(session, wish, keyring)
    if not consents:
        return PrivacyExport(receipt=receipt, exported_at=now, bookings=[])
    ids = list(consents)
    told = await patients.reveal(session, ids, fields=patients.FIELDS, keyring=keyring, by=by)
    found = await rows(session, booking_queries.by_id(), {"ids": ids})
    events = await _grouped(session, _EVENTS, ids, "booking_id", "version")
    answers = await _grouped(session, _ANSWERS, ids, "booking_id", "expires_at")
    messages = await _grouped(session, _MESSAGES, ids, "subject_id", "id")
    entries = await _grouped(session, _ENTRIES, [str(booking_id) for booking_id in ids], "subject", "id")
    bookings = [
        BookingExported(
            reference=row.booking_reference,
            state=row.booking_state,
            slot=slot_answers.booked(row),
            condition=_or_missing(row.topic_slug),
            what_to_bring=_or_missing(row.booking_what_to_bring),
            page_revision=_or_missing(row.booking_page_revision),
            created_at=row.booking_created_at,
            version=row.booking_version,
            reschedule_count=row.booking_reschedule_count,
            cancellation_reason=_or_missing(row.booking_cancellation_reason),
            patient=told[row.booking_id],
            reason=told[row.booking_id].get("reason", MISSING),
            notes=told[row.booking_id].get("notes", []),
            consent_text_version=_or_missing(consents[row.booking_id]),
            events=events[row.booking_id],
            stored_answers=answers[row.booking_id],
            messages=messages[row.booking_id],
            audit_entries=entries[str(row.booking_id)],
        )
        for row in sorted(found, key=lambda row: row.booking_id)
    ]
    return PrivacyExport(receipt=receipt, exported_at=now, bookings=bookings)


async def erase(session: AsyncSession, wish: PrivacyRequest, *, keyring: Keyring, by: str) -> ErasureReceipt:
    """Forget who made the bookings of this contact. What is still to come is cancelled, so that nobody waits for it.

    The bookings, their events and the trail stay: they name nobody. Bytes in files are `core.wiping`'s concern. Three
    parties race here: who changes the booking waits for its row's lock, or is waited for; a second erasure finds what
    the first one left; who books with the same contact meanwhile makes another booking, which is not touched.
    """
    ids = list(await _details(session, wish, keyring))
    connection = await connection_of(session)
    await connection.execute(_FORGET_ANSWERS, {"ids": ids})
    locked = await rows(session, _LOCKED, {"ids": ids})
    now, receipt = await clock.now_in(session), new_id()
    erased = set(await connection.scalars(_FORGET_PATIENTS, {"ids": ids}))
    live = [
        Before(row.id, BookingState(row.state), row.version)
        for row in locked
        if row.state in _LIVE and row.ends_at > now
    ]
    await steps.change(session, live, BookingState.CANCELLED, at=now, by=by, reason=CancellationReason.PATIENT)
    await connection.execute(_FORGET_MESSAGES, {"ids": list(erased)})
    subjects = [str(booking_id) for booking_id in sorted(erased)]
    await connection.execute(insert(Erasure).values(id=receipt, actor=by, booking_ids=subjects, at=now))
    await audit.record(session, by=by, action="privacy.erased", subject=str(receipt), at=now)
    await audit.record_each(session, by=by, action="patient.erased", subjects=subjects, at=now, fields=patients.FIELDS)
    return ErasureReceipt(receipt=receipt, erased_at=now, bookings=len(erased), cancelled=len(live), files_clean=False)


async def _details(session: AsyncSession, wish: PrivacyRequest, keyring: Keyring) -> dict[UUID, str | None]:
    """The bookings of this contact, each with the version of the text that was agreed to."""
    way = "email" if wish.email is not None else "phone"
    indexes = keyring.blind_indexes(patients.normalised(getattr(wish, way)))
    found = await rows(session, _DETAILS[way], {"indexes": indexes})
    return {row.booking_id: row.consent_text_version for row in found}


async def _grouped(
    session: AsyncSession, query: Any, ids: Sequence[Any], key: str, order: str
) -> defaultdict[Any, list[Any]]:
    """What the query finds by what it belongs to, without what is null."""
    grouped: defaultdict[Any, list[Any]] = defaultdict(list)
    found = await rows(session, query, {"ids": list(ids)})
    for row in sorted(found, key=lambda row: getattr(row, order)):
        values = {name: value for name, value in row._mapping.items() if value is not None}  # noqa: SLF001
        grouped[values[key]].append(values)
    return grouped


def _or_missing(value: Any) -> Any:
    return MISSING if value is None else value
