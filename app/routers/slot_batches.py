"""Consultation slots by the thousand, and changes of one."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import batch_files, batches, slot_edits, slots
from app.consultations.batches import Batch
from app.consultations.errors import BatchRefused, ExternalIdTaken, SlotBegun, SlotBooked, SlotCancelled, SlotOverlaps
from app.consultations.slot_edit_shapes import BatchMode, ConsultationSlotBatch, ConsultationSlotUpdate, Outcome
from app.consultations.slot_files import FileFormat
from app.consultations.slot_shapes import ConsultationSlotPublic
from app.consultations.slot_stage import Stage
from app.content import slugs
from app.core.bodies import spooled
from app.core.caching import FreshRoute
from app.core.errors import MediaTypeUnsupported, VersionNeeded, VersionStale
from app.core.problems import responses
from app.core.refusals import render
from app.routers.consultation_slots import CHANGE, SlotId
from app.routers.deps import ALWAYS, BODY, HouseInUse, IfMatch, SlotsWriter, WriteSession, with_api_key
from app.routers.present_slugs import with_present_slugs

router = APIRouter(
    prefix="/consultation-slots",
    tags=["Consultation slots"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS),
)
_FORMATS: Final[Mapping[str, FileFormat]] = {
    "application/json": FileFormat.JSON,
    "application/x-ndjson": FileFormat.NDJSON,
    "text/csv": FileFormat.CSV,
}
_SLOT: Final = {
    "starts_at": "2027-01-12T09:00:00Z",
    "ends_at": "2027-01-12T09:30:00Z",
    "time_zone": "Europe/Berlin",
    "mode": "video",
    "capacity": 1,
    "external_id": "clinic-a-1",
}
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "description": "Up to 20,000 slots, up to 16 MiB, in one of three formats.",
    "content": {
        "application/json": {
            "schema": {
                "type": "array",
                "minItems": 1,
                "maxItems": batch_files.MOST_SLOTS,
                "items": {"$ref": "#/components/schemas/ConsultationSlotCreate"},
            },
            "example": [_SLOT],
        },
        "application/x-ndjson": {
            "schema": {"type": "string", "description": "A slot in JSON on each line, as in the list.", "minLength": 1},
            "example": json.dumps(_SLOT) + "\n",
        },
        "text/csv": {
            "schema": {
                "type": "string",
                "description": "A header with names of a slot's fields, and a slot on each line (RFC 4180, UTF-8). An "
                "empty cell is an absent field; `allow_overlap` holds the reason itself.",
                "minLength": 1,
            },
            "example": ",".join(_SLOT) + "\r\n" + ",".join(str(value) for value in _SLOT.values()) + "\r\n",
        },
    },
}


class BatchQuery(BaseModel):
    """How a batch is taken."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    mode: BatchMode = Field(
        default=BatchMode.ATOMIC,
        description="`atomic`: all of the slots or none. `partial`: those that are not refused.",
        examples=["partial"],
    )
    dry_run: bool = Field(
        default=False, description="Write nothing, and say what would have happened.", examples=[True]
    )


@router.post(
    "/batch",
    response_model=ConsultationSlotBatch,
    responses=responses(
        *BODY, BatchRefused, MediaTypeUnsupported, CredentialInvalid, ScopeMissing, SlotOverlaps, ExternalIdTaken
    ),
    dependencies=[with_api_key],
    openapi_extra={"requestBody": _BODY},
)
async def post_consultation_slot_batch(
    query: Annotated[BatchQuery, Query()], request: Request, caller: SlotsWriter, house: HouseInUse
) -> Response:
    """Post many consultation slots.

    Up to 20,000 in one transaction. Each row is a whole slot. One with the `external_id` of a slot that is there
    changes that slot to be as the row says, or leaves it as it is where that is nothing else. So a file can be sent
    again after a time-out; `Idempotency-Key` is not looked at. `slot:<id>` names a slot that has no `external_id`.

    A row is refused for what one slot would be refused for, and where it overlaps with an earlier row or repeats its
    `external_id`. By default nothing is written then, and the refused rows are named; with `mode=partial` the others
    are written, and with `dry_run=true` nothing is, but all is answered. 409 is for somebody else who was faster
    several times: send it again. Needs the scope `slots:write`.
    """
    form = _format_of(request)
    async with spooled(request) as file:
        stage = await batch_files.check(file, form)
    try:
        batch = Batch(stage, query.mode, query.dry_run, caller.actor, slugs.present)
        was_written = await batches.post(house.database, batch)
        counts = stage.counts()
        if not was_written and not query.dry_run:
            # What RFC 9457 says of it, and then what there may be thousands of.
            refusal = BatchRefused(refused=counts[Outcome.REFUSED])
            told = json.loads(bytes(render(refusal, request.state.request_id).body))
            return _streamed(told, stage, only_refused=True)
        told = {"mode": query.mode, "dry_run": query.dry_run, **counts}
        return _streamed(told, stage)
    except BaseException:
        stage.close()
        raise


@router.patch(
    "/{slot_id}",
    responses=responses(
        *CHANGE, SlotCancelled, SlotBegun, SlotBooked, SlotOverlaps, ExternalIdTaken, VersionStale, VersionNeeded
    ),
    dependencies=[with_api_key],
)
async def update_consultation_slot(
    slot_id: SlotId,
    wish: ConsultationSlotUpdate,
    versions: IfMatch,
    caller: SlotsWriter,
    house: HouseInUse,
    session: WriteSession,
) -> ConsultationSlotPublic:
    """Change a consultation slot.

    What is absent stays as it is. When, where, with whom and for what a slot with live bookings is stays, and a plan
    changes it (`/slot-plans`); the seats that they take stay too. What changes nothing leaves the version as it is.
    Needs the scope `slots:write`.
    """
    present = await with_present_slugs(session, wish)
    await slot_edits.change(session, slot_id, present, versions=versions, by=caller.actor)
    return await slots.get(session, slot_id, policy=house.policy, for_admins=True)


def _format_of(request: Request) -> FileFormat:
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    form = _FORMATS.get(kind.strip().lower())
    charset = parameters.replace(" ", "").lower().partition("charset=")[2].partition(";")[0].strip('"')
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if form is None or charset not in ("", "utf-8", "us-ascii") or encoding != "identity":
        raise MediaTypeUnsupported
    return form


def _streamed(told: dict[str, Any], stage: Stage, *, only_refused: bool = False) -> Response:
    """An answer with the rows' results, written while it is sent; the stage is closed when it has been."""

    async def parts() -> AsyncIterator[str]:
        try:
            yield json.dumps(told, ensure_ascii=False, separators=(",", ":"))[:-1] + ',"results":['
            separator = ""
            for page in stage.results(only_refused=only_refused):
                yield separator + ",".join(page)
                separator = ","
                # Others have their turn.
                await asyncio.sleep(0)
            yield "]}"
        finally:
            stage.close()

    if only_refused:
        return StreamingResponse(parts(), BatchRefused.status, media_type="application/problem+json")
    return StreamingResponse(parts(), media_type="application/json")
