"""Posted slots as a file that can be sent as a batch again."""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, Uuid, bindparam, tuple_
from sqlalchemy import select as core_select
from sqlmodel import UTCDateTime, col

from app.consultations.batch_looks import BY_ID
from app.consultations.neighbours import categories, conditions
from app.consultations.schedule_tables import Room
from app.consultations.slot_files import COLUMNS, FileFormat
from app.consultations.tables import Clinician, ConsultationSlot, Location, SlotStatus
from app.core.db import Database, rows

_AT_ONCE: Final = 1_000


async def pages(
    database: Database, form: FileFormat, *, starts_from: datetime, starts_before: datetime | None = None
) -> AsyncIterator[tuple[int, str]]:
    """The slots that are not cancelled and begin in this time, soonest first: how many, and their part of the file.

    What has no `external_id` is named by its id, so that a repeat changes it and makes no copy. Memory does not grow
    with the number of slots. Not of one moment: what is posted meanwhile may be there or not.
    """
    writer, values = _WRITERS[form], {"starts_from": starts_from, "starts_before": starts_before}
    yield 0, writer([], is_first=True)
    after: Row[Any] | None = None
    while True:
        asked = {name: value for name, value in values.items() if value is not None}
        if after is not None:
            asked |= {"after_start": after.starts_at, "after_id": after.id}
        async with database.look() as look:
            found = await rows(look, _page(starts_before is not None, after is not None), asked | {"limit": _AT_ONCE})
        if not found:
            return
        yield len(found), writer([_written(row) for row in found], is_first=False)
        after = found[-1]


def _page(has_end: bool, is_next: bool) -> Select[*tuple[Any, ...]]:
    slot = ConsultationSlot
    query: Select[*tuple[Any, ...]] = (
        core_select(
            col(slot.id), col(slot.starts_at), col(slot.ends_at), col(slot.time_zone), col(slot.mode),
            col(slot.capacity), col(slot.external_id), col(slot.overlap_reason),
            col(Clinician.slug).label("clinician"), col(Location.slug).label("location"),
            col(Room.slug).label("room"), categories.c.slug.label("category"), conditions.c.slug.label("condition"),
        )
        .select_from(slot)
        .outerjoin(Clinician, col(Clinician.id) == col(slot.clinician_id))
        .outerjoin(Location, col(Location.id) == col(slot.location_id))
        .outerjoin(Room, col(Room.id) == col(slot.room_id))
        .outerjoin(categories, categories.c.id == col(slot.category_id))
        .outerjoin(conditions, conditions.c.id == col(slot.condition_id))
        .where(col(slot.status) != SlotStatus.CANCELLED, col(slot.starts_at) >= bindparam("starts_from"))
        .order_by(col(slot.starts_at), col(slot.id))
        .limit(bindparam("limit"))
    )  # fmt: skip
    if has_end:
        query = query.where(col(slot.starts_at) < bindparam("starts_before"))
    if is_next:
        after = tuple_(bindparam("after_start", type_=UTCDateTime()), bindparam("after_id", type_=Uuid()))
        query = query.where(tuple_(col(slot.starts_at), col(slot.id)) > after)
    return query


def _written(row: Row[Any]) -> dict[str, Any]:
    """A slot as it would be sent; what is absent is left out."""
    said = {name: getattr(row, name) for name in COLUMNS if name not in ("allow_overlap", "starts_at", "ends_at")}
    said |= {name: getattr(row, name).isoformat().replace("+00:00", "Z") for name in ("starts_at", "ends_at")}
    said["external_id"] = row.external_id or f"{BY_ID}{row.id}"
    said["allow_overlap"] = None if row.overlap_reason is None else {"reason": row.overlap_reason}
    return {name: said[name] for name in COLUMNS if said[name] is not None}


def _csv(slots: list[dict[str, Any]], *, is_first: bool) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    if is_first:
        writer.writeheader()
    for slot in slots:
        reason = {"allow_overlap": slot["allow_overlap"]["reason"]} if "allow_overlap" in slot else {}
        writer.writerow(slot | reason)
    return text.getvalue()


def _ndjson(slots: list[dict[str, Any]], *, is_first: bool) -> str:  # noqa: ARG001 - as the other one
    return "".join(json.dumps(slot, ensure_ascii=False, separators=(",", ":")) + "\n" for slot in slots)


_WRITERS: Final[dict[FileFormat, Callable[..., str]]] = {FileFormat.CSV: _csv, FileFormat.NDJSON: _ndjson}
