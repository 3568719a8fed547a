"""Consultation bookings: made, listed, read. What is done with one stands in `booking_actions.py`."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import idempotency
from app.access.callers import ANONYMOUS, Caller, Scope
from app.access.errors import (
    CredentialInvalid,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    RequestInProgress,
    ScopeMissing,
)
from app.consultations import bookings, offers, patients, seats, slots
from app.consultations.booking_shapes import ConsultationBookingCreate
from app.consultations.bookings import NewBooking
from app.consultations.errors import BookingNotFound, SlotNotForCondition, SlotTaken, TooManyHolds
from app.consultations.tables import BookingState
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput, RateLimited
from app.core.limits import address_of
from app.core.paging import PageQuery, next_link, page_of
from app.core.problems import responses
from app.routers.answers import created
from app.routers.booking_access import Reference, find_topic, let_in, topic_of_slot
from app.routers.booking_views import (
    ConsultationBookingCreated,
    ConsultationBookingDetail,
    ConsultationBookingList,
    described,
    detail,
    summary,
)
from app.routers.deps import (
    ALWAYS,
    BODY,
    AnyCaller,
    BookingsReader,
    HouseInUse,
    IdempotencyKey,
    Token,
    with_api_key,
    with_booking_token,
)
from app.routers.rate_limits import limited

router = APIRouter(
    prefix="/consultation-bookings",
    tags=["Consultation bookings"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS),
)


_CALENDAR: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A calendar file.",
        "content": {"text/calendar": {"schema": {"type": "string"}, "example": "BEGIN:VCALENDAR\r\n..."}},
        "headers": {"Content-Disposition": {"description": "A name for the file.", "schema": {"type": "string"}}},
    }
}


class BookingQuery(PageQuery):
    """Which bookings to list."""

    slot_id: UUID | None = Field(
        default=None, description="Only those of this slot.", examples=["01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"]
    )
    state: BookingState | None = Field(default=None, description="Only those in this state.", examples=["booked"])


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=ConsultationBookingCreated,
    responses=responses(
        *BODY,
        IdempotencyKeyInvalid,
        IdempotencyKeyReused,
        RequestInProgress,
        CredentialInvalid,
        ScopeMissing,
        SlotTaken,
        SlotNotForCondition,
        RateLimited,
        TooManyHolds,
    ),
    dependencies=[limited, with_api_key],
    openapi_extra={"security": [{}]},
)
async def book_consultation(
    request: Request,
    wish: ConsultationBookingCreate,
    key: IdempotencyKey,
    caller: AnyCaller,
    house: HouseInUse,
) -> Response:
    """Book a consultation, or hold a seat.

    The seat is given once, however many ask for it. With `patient` it is booked; without, it is held for some minutes,
    until `hold_expires_at`, to be confirmed. The answer holds the token that the booking's holder needs from now on; it
    carries nothing of what the patient told.
    """
    if wish.override_reason is not None:
        caller.must(Scope.BOOKINGS_OVERRIDE)
    is_hold = wish.patient is None
    owner = house.keyring.blind_index(f"hold|{_who(request, caller)}") if is_hold else None

    async def make(session: AsyncSession, booking_id: UUID) -> bytes:
        if owner is not None and house.settings.rate_limits:
            await seats.refuse_too_many(session, owner, most=house.settings.holds_per_caller)
        asked_topic = await find_topic(session, house.published, wish.condition)
        slot = await slots.lock(session, wish.slot_id)
        new = NewBooking(
            booking_id,
            asked_topic or await topic_of_slot(house.published, slot),
            held_for=timedelta(seconds=house.settings.hold_seconds) if is_hold else None,
            hold_owner=owner,
            may_override=wish.override_reason is not None,
        )
        booking, token = await bookings.book(session, new, slot, policy=house.policy, by=caller.actor)
        override_reason = wish.override_reason if booking.is_within_notice(house.policy) else None
        patients.seal(
            session, booking_id, wish, override_reason=override_reason, keyring=house.keyring, by=caller.actor
        )
        view = ConsultationBookingCreated(**described(booking, house.policy, staff=False), token=token)
        return view.model_dump_json().encode()

    attempt = idempotency.Attempt(
        caller.actor, "book_consultation", key, wish.model_dump_json(exclude_none=True).encode(), makes="booking_id"
    )
    offered = slots.alternatives_offered(house.database, house.brief, policy=house.policy)
    async with offered, house.database.write() as session:
        answer = await idempotency.once(session, attempt, keyring=house.keyring, make=make)
    return created(request, answer, name="reference")


@router.get("", responses=responses(InvalidInput, CredentialInvalid, ScopeMissing), dependencies=[with_api_key])
async def list_consultation_bookings(
    query: Annotated[BookingQuery, Query()],
    request: Request,
    response: Response,
    caller: BookingsReader,
    house: HouseInUse,
) -> ConsultationBookingList:
    """List bookings.

    Newest first, with the patients' names; each name shown is noted in the audit trail. Needs the scope
    `bookings:read`.
    """
    async with house.database.read() as session:
        found = await bookings.find(
            session, slot_id=query.slot_id, state=query.state, limit=query.limit + 1, after=query.first(UUID)
        )
    page, last = page_of(found, query.limit)
    ids = [booking.id for booking in page]
    async with house.database.write() as session:
        told = await patients.reveal(session, ids, fields=["name"], keyring=house.keyring, by=caller.actor)
    may_act = caller.may(Scope.BOOKINGS_WRITE)
    items = [summary(booking, told.get(booking.id, {}), house.policy, may_act=may_act) for booking in page]
    return ConsultationBookingList(items=items, next=next_link(request, response, last, lambda booking: (booking.id,)))


@router.get(
    "/{reference}",
    responses=responses(BookingNotFound, CredentialInvalid),
    dependencies=[with_booking_token, with_api_key],
)
async def read_consultation_booking(
    reference: Reference,
    token: Token,
    request: Request,
    house: HouseInUse,
) -> ConsultationBookingDetail:
    """Read a booking.

    With the booking's token, or a key with the scope `bookings:read`. Each look is noted in the audit trail. Whoever
    may not see the booking gets the same answer as for one that does not exist.
    """
    visitor = await let_in(house.database, reference, token, Scope.BOOKINGS_READ)
    by = visitor.actor
    async with house.database.write() as session:
        # Again: what it is and what the patient told must be of one moment.
        booking = await bookings.get(session, reference)
        told = await patients.reveal(session, [booking.id], fields=patients.FIELDS, keyring=house.keyring, by=by)
        offered = await offers.of(session, booking.id) if booking.state is BookingState.BOOKED else []
    request.state.version = booking.version
    return detail(
        booking,
        told.get(booking.id, {}),
        house.policy,
        staff=visitor.is_staff,
        may_act=visitor.may_act,
        reader=by,
        offers=offered,
    )


@router.get(
    "/{reference}/calendar.ics",
    response_class=Response,
    responses=responses(BookingNotFound, CredentialInvalid) | _CALENDAR,
    dependencies=[with_booking_token, with_api_key],
)
async def read_booking_calendar(reference: Reference, token: Token, request: Request, house: HouseInUse) -> Response:
    """Read a booking as a calendar file (RFC 5545).

    It keeps its UID, and its SEQUENCE rises with each change; once the booking is cancelled it takes the entry back. It
    holds what the page says to bring, nothing of the patient, and names no diagnosis in its title. With the booking's
    token, or a key with the scope `bookings:read`.
    """
    # Its library takes a sixth of a second to load: whoever asks first waits, not every start.
    from app.interop.calendar_file import CalendarEvent, calendar_file, media_type  # noqa: PLC0415

    booking = (await let_in(house.database, reference, token, Scope.BOOKINGS_READ)).seen
    request.state.version = booking.version
    slot = booking.slot
    bring = (booking.topic.what_to_bring if booking.topic else None) or {}
    event = CalendarEvent(
        uid=booking.id,
        sequence=booking.changes,
        changed_at=booking.changed_at,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        time_zone=slot.time_zone,
        state=booking.state,
        mode=slot.mode,
        reference=booking.reference,
        location=slot.location_name,
        clinician=slot.clinician_name,
        bring_text=bring.get("text"),
        bring_items=tuple(bring.get("items", ())),
    )
    headers = {"content-disposition": 'attachment; filename="consultation.ics"'}
    return Response(calendar_file(event), headers=headers, media_type=media_type(event))


def _who(request: Request, caller: Caller) -> str:
    if caller is not ANONYMOUS:
        return caller.actor
    return address_of(request.client.host if request.client else "")
