"""Consultation slots."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Path, Request, Response, status
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import idempotency
from app.access.errors import (
    CredentialInvalid,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    RequestInProgress,
    ScopeMissing,
)
from app.consultations import slot_changes, slots
from app.consultations.errors import ExternalIdTaken, SlotCancelled, SlotNotFound, SlotOverlaps
from app.consultations.slot_shapes import ConsultationSlotCreate, ConsultationSlotPublic, SlotCancellation
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput, VersionNeeded, VersionStale
from app.core.ids import new_id
from app.core.problems import responses
from app.routers.answers import created
from app.routers.deps import (
    ALWAYS,
    BODY,
    HouseInUse,
    IfMatch,
    OptionalIdempotencyKey,
    OptionalIfMatch,
    ReadSession,
    SlotsWriter,
    WriteSession,
    with_api_key,
)
from app.routers.present_slugs import with_present_slugs

router = APIRouter(
    prefix="/consultation-slots",
    tags=["Consultation slots"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS),
)
SlotId = Annotated[UUID, Path(description="The slot's id.", examples=["01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"])]
_NO_WORDS = SlotCancellation()
# What an admin's change of one slot can always meet.
CHANGE = (InvalidInput, SlotNotFound, CredentialInvalid, ScopeMissing)


@router.get("/{slot_id}", responses=responses(SlotNotFound, InvalidInput))
async def read_consultation_slot(
    slot_id: SlotId, request: Request, house: HouseInUse, session: ReadSession
) -> ConsultationSlotPublic:
    """Read a consultation slot.

    Whatever its status; `seats_free` says whether it can be booked.
    """
    slot = await slots.get(session, slot_id, policy=house.policy)
    request.state.version = slot.version
    return slot


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=ConsultationSlotPublic,
    responses=responses(
        *BODY,
        IdempotencyKeyInvalid,
        IdempotencyKeyReused,
        RequestInProgress,
        CredentialInvalid,
        ScopeMissing,
        SlotOverlaps,
        ExternalIdTaken,
    ),
    dependencies=[with_api_key],
)
async def create_consultation_slot(
    request: Request,
    wish: ConsultationSlotCreate,
    caller: SlotsWriter,
    key: OptionalIdempotencyKey,
    house: HouseInUse,
    session: WriteSession,
) -> Response:
    """Post a consultation slot.

    Slots of one clinician may touch, but not overlap. Needs the scope `slots:write`.
    """

    async def make(session: AsyncSession, slot_id: UUID) -> bytes:
        await slots.post(session, await with_present_slugs(session, wish), slot_id=slot_id, by=caller.actor)
        return (await slots.get(session, slot_id, policy=house.policy)).model_dump_json().encode()

    if key is None:
        return created(request, idempotency.Answer(await make(session, new_id()), is_replay=False), name="id")
    attempt = idempotency.Attempt(
        caller.actor, "create_consultation_slot", key, wish.model_dump_json(exclude_none=True).encode(), makes="slot_id"
    )
    return created(request, await idempotency.once(session, attempt, keyring=house.keyring, make=make), name="id")


@router.post(
    "/{slot_id}/close",
    responses=responses(*CHANGE, SlotCancelled, VersionStale, VersionNeeded),
    dependencies=[with_api_key],
)
async def close_consultation_slot(
    slot_id: SlotId, versions: IfMatch, caller: SlotsWriter, house: HouseInUse, session: WriteSession
) -> ConsultationSlotPublic:
    """Close a consultation slot.

    It takes no more bookings; those that stand stay. Closing again changes nothing. Needs the scope `slots:write`.
    """
    await slot_changes.close(session, slot_id, versions=versions, by=caller.actor)
    return await slots.get(session, slot_id, policy=house.policy)


@router.post("/{slot_id}/open", responses=responses(*CHANGE, SlotCancelled, VersionStale), dependencies=[with_api_key])
async def open_consultation_slot(
    slot_id: SlotId, versions: OptionalIfMatch, caller: SlotsWriter, house: HouseInUse, session: WriteSession
) -> ConsultationSlotPublic:
    """Open a consultation slot.

    One that was closed takes bookings again. Needs the scope `slots:write`.
    """
    await slot_changes.reopen(session, slot_id, versions=versions, by=caller.actor)
    return await slots.get(session, slot_id, policy=house.policy)


@router.post(
    "/{slot_id}/cancel",
    responses=responses(*CHANGE, VersionStale, VersionNeeded),
    dependencies=[with_api_key],
)
async def cancel_consultation_slot(
    slot_id: SlotId,
    versions: IfMatch,
    caller: SlotsWriter,
    house: HouseInUse,
    session: WriteSession,
    wish: Annotated[SlotCancellation, Body()] = _NO_WORDS,
) -> ConsultationSlotPublic:
    """Cancel a consultation slot.

    For good, and every live booking of it with it, each with its own event and message. Cancelling again changes
    nothing. Needs the scope `slots:write`.
    """
    await slot_changes.cancel(session, slot_id, reason=wish.reason, versions=versions, by=caller.actor)
    return await slots.get(session, slot_id, policy=house.policy)
