"""One row of a batch, on its way from the file to the database and back to who sent it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from app.consultations.slot_shapes import ConsultationSlotCreate
from app.consultations.tables import SlotMode
from app.core.errors import Refusal
from app.core.faults import described, named

# What an admin says of a slot, as columns of the stage.
SAID: Final = (
    "starts_at", "ends_at", "time_zone", "mode", "capacity", "clinician", "location", "room", "category", "condition",
    "external_id", "overlap_reason",
)  # fmt: skip
# But for the moments, which are numbers there.
_REST: Final = attrgetter(*SAID[2:])
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEP: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class Staged:
    """A row that could be read: all that an admin says of a slot, and which slot it is, if it is known."""

    row: int
    starts_at: datetime
    ends_at: datetime
    time_zone: str | None
    mode: SlotMode
    capacity: int
    clinician: str | None
    location: str | None
    room: str | None
    category: str | None
    condition: str | None
    external_id: str | None
    overlap_reason: str | None
    slot_id: UUID | None
    changes: frozenset[str]


@dataclass(slots=True)
class Named:
    """What slots point at, said once however many of them do."""

    clinician: str | None
    location: str | None
    room: str | None
    condition: str | None
    category: str | None
    time_zone: str | None


def said_of(slot: ConsultationSlotCreate) -> tuple[Any, ...]:
    """A slot's columns on the stage."""
    return (number_of(slot.starts_at), number_of(slot.ends_at), *_REST(slot))


def number_of(moment: datetime) -> int:
    """A moment on the stage."""
    return (moment - _EPOCH) // _STEP


def moment_of(number: int) -> datetime:
    """A moment, from the stage."""
    return _EPOCH + timedelta(microseconds=number)


def staged(found: tuple[Any, ...]) -> Staged:
    """A row from the stage: its number, what was said, the slot, the changes, and what it is ordered by."""
    row, starts_at, ends_at, *said, slot_id, changes, _ = found
    moments = moment_of(starts_at), moment_of(ends_at)
    known = UUID(slot_id) if slot_id else None, frozenset((changes or "").split())
    values: tuple[Any, ...] = (row, *moments, *said, *known)
    return Staged(*values)


def told(refusal: Refusal) -> str:
    """A refusal as JSON."""
    return json.dumps(described(type(refusal)) | named(refusal), separators=(",", ":"))


def result(row: int, outcome: str, slot_id: str | None, problem: str | None) -> str:
    """What became of a row, as JSON: see BatchResult."""
    known = f'{{"row":{row},"outcome":"{outcome}"'
    if slot_id is not None:
        known += f',"id":"{slot_id}"'
    return f'{known},"problem":{problem}}}' if problem is not None else known + "}"
