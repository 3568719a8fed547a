"""A batch's file: its slots are examined by themselves and beside each other before the database is asked."""

import asyncio
from collections.abc import Callable
from itertools import islice
from typing import IO, Any, Final

from pydantic import ValidationError

from app.consultations import slot_files
from app.consultations.errors import ExternalIdTaken, SlotOverlaps
from app.consultations.slot_files import FileFormat
from app.consultations.slot_shapes import ConsultationSlotCreate
from app.consultations.slot_stage import AT_ONCE, Stage
from app.consultations.timelines import overlaps
from app.core.errors import FieldFault, InvalidInput, Refusal
from app.core.faults import faults_of

MOST_SLOTS: Final = 20_000


async def check(
    file: IO[bytes], form: FileFormat, *, most: int | None = MOST_SLOTS, done: Callable[[int], Any] = bool
) -> Stage:
    """Read a file and examine its slots by themselves and beside each other: in a thread, without a database.

    `done` is told, in that thread, how many rows more were read. Raises InvalidInput for a file that cannot be read, is
    empty or has more than `most` slots. Close the stage.
    """
    return await asyncio.to_thread(_check, file, form, most, done)


def _check(file: IO[bytes], form: FileFormat, most: int | None, done: Callable[[int], Any]) -> Stage:
    stage = Stage()
    try:
        numbered = enumerate(slot_files.read(file, form), start=1)
        count = 0
        while page := [(row, _understood(sent)) for row, sent in islice(numbered, AT_ONCE)]:
            count += len(page)
            _refuse_number(count, most)
            stage.add(page)
            done(len(page))
        _refuse_number(count, most, is_all=True)
        stage.index()
        stage.fault((row, _repeats("/external_id", first)) for row, first in stage.repeated())
        found = overlaps(stage.spans())
        while some := list(islice(found, AT_ONCE)):
            stage.fault((row, _overlaps_row(first, holder)) for row, first, holder in some)
    except BaseException:
        stage.close()
        raise
    return stage


def _refuse_number(count: int, most: int | None, *, is_all: bool = False) -> None:
    if most is not None and count > most:
        raise InvalidInput.at("", "too_many", f"has more than {most} slots")
    if is_all and not count:
        raise InvalidInput.at("", "no_slots", "has no slot")


def _understood(sent: Any) -> ConsultationSlotCreate | Refusal:
    if isinstance(sent, Refusal):
        return sent
    try:
        return ConsultationSlotCreate.model_validate(sent)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return InvalidInput(*faults_of([{**fault, "loc": ("body", *fault["loc"])} for fault in found]))


def _repeats(pointer: str, first: int) -> Refusal:
    return wrong_at(ExternalIdTaken(), pointer, "repeated", f"is that of row {first} as well")


def _overlaps_row(first: int, holder: Any) -> Refusal:
    kind, _ = holder
    return wrong_at(SlotOverlaps(), f"/{kind}", f"{kind}_busy", f"is busy in this time with row {first}")


def wrong_at(refusal: Refusal, pointer: str, code: str, detail: str) -> Refusal:
    """This refusal, with what is wrong, and where."""
    refusal.faults = (FieldFault(detail, code, pointer=pointer),)
    return refusal
