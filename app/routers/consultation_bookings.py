"""Consultation bookings."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import MISSING, Field
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import callers, idempotency
from app.access.callers import BOOKING_HOLDER, KEY_PREFIXES, Caller, Scope
from app.access.errors import (
    CredentialInvalid,
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    RequestInProgress,
    ScopeMissing,
)
from app.consultations import bookings, patients
from app.consultations.bookings import Booking, Topic
from app.consultations.errors import BookingEnded, BookingNotFound, SlotNotForCondition, SlotTaken
from app.consultations.shapes import ConsultationBookingCreate, PatientNamePublic, PatientPublic
from app.consultations.tables import BookingState
from app.content import conditions
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput, RateLimited
from app.core.paging import PageQuery, next_link, page_of
from app.core.problems import responses
from app.routers.answers import created
from app.routers.booking_views import (
    ConsultationBookingCreated,
    ConsultationBookingDetail,
    ConsultationBookingList,
    ConsultationBookingPublic,
    ConsultationBookingSummary,
    public_view,
    public_views,
)
from app.routers.deps import (
    ALWAYS,
    BODY,
    AnyCaller,
    BookingsReader,
    IdempotencyKey,
    KeyringInUse,
    Token,
    WriteSession,
    limited,
    with_api_key,
    with_booking_token,
)

router = APIRouter(
    prefix="/consultation-bookings",
    tags=["Consultation bookings"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS),
)
Reference = Annotated[
    str, Path(description="The booking's reference, as a person would say it.", examples=["7K3M9-QRT2N"])
]


class BookingQuery(PageQuery):
    """Which bookings to list."""

    slot_id: UUID | None = Field(default=None, description="Only those of this slot.")
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
        SlotTaken,
        SlotNotForCondition,
        RateLimited,
    ),
    dependencies=[limited, with_api_key],
    openapi_extra={"security": [{}]},
)
async def book_consultation(
    request: Request,
    wish: ConsultationBookingCreate,
    key: IdempotencyKey,
    caller: AnyCaller,
    keyring: KeyringInUse,
    session: WriteSession,
) -> Response:
    """Book a consultation.

    The seat is given once, however many ask for it. The answer holds the token that the booking's holder needs from
    now on; it carries nothing of what the patient told.
    """

    async def make(booking_id: UUID) -> bytes:
        topic = await _topic(session, wish.condition)
        booking, token = await bookings.book(
            session, wish, booking_id=booking_id, topic=topic, keyring=keyring, by=caller.actor
        )
        view = await public_view(session, booking)
        return ConsultationBookingCreated(**dict(view), token=token).model_dump_json().encode()

    attempt = idempotency.Attempt(
        caller.actor, "book_consultation", key, wish.model_dump_json(exclude_none=True).encode(), makes="booking_id"
    )
    answer = await idempotency.once(session, attempt, keyring=keyring, make=make)
    return created(request, answer, name="reference")


@router.get("", responses=responses(InvalidInput, CredentialInvalid, ScopeMissing), dependencies=[with_api_key])
async def list_consultation_bookings(
    query: Annotated[BookingQuery, Query()],
    request: Request,
    response: Response,
    caller: BookingsReader,
    keyring: KeyringInUse,
    session: WriteSession,
) -> ConsultationBookingList:
    """List bookings.

    Newest first, with the patients' names; each name shown is noted in the audit trail. Needs the scope
    `bookings:read`.
    """
    found = await bookings.find(
        session, slot_id=query.slot_id, state=query.state, limit=query.limit + 1, after=query.first(UUID)
    )
    page, last = page_of(found, query.limit)
    told = await patients.reveal(
        session, [booking.id for booking in page], fields=["name"], keyring=keyring, by=caller.actor
    )
    items = [
        ConsultationBookingSummary(**dict(view), patient=PatientNamePublic(name=told[booking.id]["name"]))
        for booking, view in zip(page, await public_views(session, page), strict=True)
    ]
    return ConsultationBookingList(
        items=items, next=next_link(request, response, query, last, lambda booking: (booking.id,))
    )


@router.get(
    "/{reference}",
    responses=responses(BookingNotFound, CredentialInvalid),
    dependencies=[with_booking_token, with_api_key],
)
async def read_consultation_booking(
    reference: Reference, token: Token, request: Request, keyring: KeyringInUse, session: WriteSession
) -> ConsultationBookingDetail:
    """Read a booking.

    With the booking's token, or a key with the scope `bookings:read`. Each look is noted in the audit trail. Whoever
    may not see the booking gets the same answer as for one that does not exist.
    """
    booking, caller = await _open(session, reference, token, Scope.BOOKINGS_READ)
    told = await patients.reveal(
        session, [booking.id], fields=["name", "email", "phone", "reason"], keyring=keyring, by=caller.actor
    )
    patient = dict(told[booking.id])
    reason = patient.pop("reason", MISSING)
    request.state.version = booking.version
    view = await public_view(session, booking)
    return ConsultationBookingDetail(**dict(view), patient=PatientPublic(**patient), reason=reason)


@router.post(
    "/{reference}/cancel",
    responses=responses(BookingNotFound, CredentialInvalid, BookingEnded, RateLimited),
    dependencies=[limited, with_booking_token, with_api_key],
)
async def cancel_consultation_booking(
    reference: Reference, token: Token, session: WriteSession
) -> ConsultationBookingPublic:
    """Cancel a booking.

    The seat is free at once. Cancelling again changes nothing. With the booking's token, or a key with the scope
    `bookings:write`.
    """
    booking, caller = await _open(session, reference, token, Scope.BOOKINGS_WRITE)
    return await public_view(session, await bookings.cancel(session, booking, by=caller.actor))


async def _topic(session: AsyncSession, slug: str | None) -> Topic | None:
    if slug is None:
        return None
    about = await conditions.refer(session, slug)
    if about is None:
        raise InvalidInput.at("/condition", "unknown_reference", "names nothing that is published here")
    return Topic(about.id, about.category_id)


async def _open(session: AsyncSession, reference: str, token: str | None, scope: Scope) -> tuple[Booking, Caller]:
    """The booking, if this token opens it. Raises BookingNotFound, the same for whatever is wrong."""
    if token is None:
        raise CredentialInvalid
    if token.startswith(KEY_PREFIXES):
        try:
            staff = await callers.identify(session, token)
        except CredentialInvalid:
            raise BookingNotFound from None
        if not staff.may(scope):
            raise BookingNotFound
        return await bookings.get(session, reference), staff
    return await bookings.get(session, reference, token=token), BOOKING_HOLDER
