"""What patients tell: sealed when it comes in, opened only on the record."""

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations.booking_shapes import ConfirmationCreate, ConsultationBookingCreate
from app.consultations.tables import PatientDetail
from app.core import clock
from app.core.crypto import Envelope, Keyring
from app.core.db import rows
from app.core.deferred import Change, NewRow, defer

# What is told of a patient, in the order in which it is shown.
FIELDS: Final = ("name", "email", "phone", "reason", "notes")
_detail: Final = PatientDetail.__table__  # type: ignore[attr-defined]
_SEALED: Final = ("key_id", "wrapped_key", "nonce", "ciphertext")
_INDEXES: Final = ("email_index", "phone_index")
_COLUMNS: Final = ("booking_id", *_SEALED, "consent_text_version", *_INDEXES)
_NEW: Final = NewRow(_detail, "detail", _COLUMNS)
_RESEAL: Final = Change(
    update(_detail)
    .where(_detail.c.booking_id == bindparam("resealed_booking_id"))
    .values({name: bindparam(f"resealed_{name}") for name in (*_SEALED, *_INDEXES)})
)
_RETELL: Final = Change(
    update(_detail)
    .where(_detail.c.booking_id == bindparam("retold_booking_id"))
    .values({name: bindparam(f"retold_{name}") for name in _COLUMNS[1:]})
)
_OF_BOOKINGS: Final = select(
    *(col(getattr(PatientDetail, name)) for name in ("booking_id", *_SEALED, "consent_text_version"))
).where(col(PatientDetail.booking_id).in_(bindparam("ids", expanding=True)))

_AGREED: Final = select(_detail.c.consent_text_version).where(_detail.c.booking_id == bindparam("booking_id"))


def normalised(contact: str) -> str:
    """An e-mail address or phone number as it is looked up: in small letters.

    Not case-folded: that makes `ss` of `ß`, and straße.de and strasse.de are two hosts (IDNA 2008).
    """
    return contact.lower()


def seal(
    session: AsyncSession,
    booking_id: UUID,
    wish: ConfirmationCreate | ConsultationBookingCreate,
    *,
    override_reason: str | None = None,
    keyring: Keyring,
    by: str,
) -> None:
    """Keep what was told for this new booking, and the version of the text that the patient agreed to."""
    told = _told_in(wish)
    if override_reason is not None:
        told["notes"] = [_note(override_reason, "override", version=1, by=by)]
    if told:
        _keep(session, booking_id, told, consent=wish.consent.text_version if wish.consent else None, keyring=keyring)


async def add_note(
    session: AsyncSession,
    booking_id: UUID,
    text: str,
    *,
    kind: str,
    version: int,
    keyring: Keyring,
    by: str,
    of_hold: bool,
) -> None:
    """Keep what somebody wrote about this booking, whose row is locked, beside what the patient told.

    Where nothing is kept of the patient of a booking any more, nothing is added: nobody would find it to erase it.
    """
    note = _note(text, kind, version=version, by=by)
    # A key rotation must not come between reading and writing it.
    found = await rows(session, _OF_BOOKINGS.with_for_update(), {"ids": [booking_id]})
    if not found:
        if of_hold:
            _keep(session, booking_id, {"notes": [note]}, consent=None, keyring=keyring)
        return
    told = _told(found[0], keyring)
    told["notes"] = [*told.get("notes", []), note]
    # With the indexes: they go by the key that the row is sealed with.
    values = _sealed(booking_id, told, keyring) | _indexes(told, keyring)
    defer(session, _RESEAL, {f"resealed_{name}": value for name, value in values.items()})


async def confirm(
    session: AsyncSession, booking_id: UUID, wish: ConfirmationCreate, *, keyring: Keyring, by: str
) -> None:
    """Keep what was told of a hold, whose row is locked, when it is confirmed; notes that are there stay."""
    found = await rows(session, _OF_BOOKINGS.with_for_update(), {"ids": [booking_id]})
    if not found:
        seal(session, booking_id, wish, keyring=keyring, by=by)
        return
    told = _told(found[0], keyring) | _told_in(wish)
    values = _values(booking_id, told, consent=wish.consent.text_version, keyring=keyring)
    defer(session, _RETELL, {f"retold_{name}": value for name, value in values.items()})


async def is_same(
    session: AsyncSession, booking_id: UUID, wish: ConfirmationCreate, *, keyring: Keyring, by: str
) -> bool:
    """Whether this is what was told and agreed to before: a look like any other, so it is a line in the trail."""
    fields = [field for field in FIELDS if field != "notes"]
    told = (await reveal(session, [booking_id], fields=fields, keyring=keyring, by=by)).get(booking_id)
    agreed = await rows(session, _AGREED, {"booking_id": booking_id})
    return told == _told_in(wish) and [row.consent_text_version for row in agreed] == [wish.consent.text_version]


async def reveal(
    session: AsyncSession, booking_ids: Sequence[UUID], *, fields: Sequence[str], keyring: Keyring, by: str
) -> dict[UUID, dict[str, Any]]:
    """These fields of what the patients told, by booking. Each look is a line in the trail, or there is no look.

    A booking of which nothing is kept, such as a hold, is absent.
    """
    if not booking_ids:
        return {}
    found = await rows(session, _OF_BOOKINGS, {"ids": list(booking_ids)})
    revealed = {}
    for row in found:
        told = _told(row, keyring)
        revealed[row.booking_id] = {field: told[field] for field in fields if field in told}
    if revealed:
        now = await clock.now_in(session)
        subjects = [str(booking_id) for booking_id in revealed]
        await audit.record_each(session, by=by, action="patient.read", subjects=subjects, at=now, fields=fields)
    return revealed


def _told_in(wish: ConfirmationCreate | ConsultationBookingCreate) -> dict[str, Any]:
    told: dict[str, Any] = wish.patient.model_dump(exclude_none=True) if wish.patient else {}
    return told | ({"reason": wish.reason} if wish.reason is not None else {})


def _note(text: str, kind: str, *, version: int, by: str) -> dict[str, Any]:
    return {"version": version, "kind": kind, "by": by, "text": text}


def _keep(
    session: AsyncSession, booking_id: UUID, told: dict[str, Any], *, consent: str | None, keyring: Keyring
) -> None:
    values = _values(booking_id, told, consent=consent, keyring=keyring)
    defer(session, _NEW, values)


def _values(booking_id: UUID, told: dict[str, Any], *, consent: str | None, keyring: Keyring) -> dict[str, Any]:
    return _sealed(booking_id, told, keyring) | {"consent_text_version": consent} | _indexes(told, keyring)


def _indexes(told: dict[str, Any], keyring: Keyring) -> dict[str, bytes | None]:
    return {
        f"{way}_index": keyring.blind_index(normalised(told[way])) if way in told else None
        for way in ("email", "phone")
    }


def _sealed(booking_id: UUID, told: dict[str, Any], keyring: Keyring) -> dict[str, Any]:
    envelope = keyring.seal(json.dumps(told, ensure_ascii=False).encode(), context=context(booking_id))
    return {"booking_id": booking_id, **{name: getattr(envelope, name) for name in _SEALED}}


def _told(row: Any, keyring: Keyring) -> dict[str, Any]:
    envelope = Envelope(row.key_id, row.wrapped_key, row.nonce, row.ciphertext)
    told: dict[str, Any] = json.loads(keyring.open(envelope, context=context(row.booking_id)))
    return told


def context(booking_id: UUID) -> str:
    """What a booking's envelope is bound to: the table, the row, and the version of this form."""
    return f"patient_details|{booking_id}|1"
