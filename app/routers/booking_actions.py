"""What is done with one consultation booking."""

from typing import Annotated

from fastapi import APIRouter, Body
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access.callers import Scope
from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import bookings, patients, slots
from app.consultations.booking_shapes import CancellationCreate, ConfirmationCreate, RescheduleCreate
from app.consultations.bookings import Booking
from app.consultations.errors import (
    BookingConfirmed,
    BookingEnded,
    BookingNotFound,
    DeadlinePassed,
    HoldExpired,
    NotBegun,
    ReschedulesUsedUp,
    SlotNotForCondition,
    SlotTaken,
)
from app.consultations.reasons import CancellationReason
from app.consultations.tables import BookingState
from app.core.caching import FreshRoute
from app.core.errors import RateLimited
from app.core.problems import responses
from app.routers.booking_access import Reference, Visitor, let_in, topic_of_slot
from app.routers.booking_views import ConsultationBookingPublic, described
from app.routers.deps import (
    ALWAYS,
    BODY,
    House,
    HouseInUse,
    Token,
    with_api_key,
    with_booking_token,
)
from app.routers.rate_limits import limited

router = APIRouter(
    prefix="/consultation-bookings/{reference}",
    tags=["Consultation bookings"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS, BookingNotFound, CredentialInvalid, BookingEnded, RateLimited),
    dependencies=[limited, with_booking_token, with_api_key],
)

_NO_WORDS = CancellationCreate()


@router.post("/confirm", responses=responses(*BODY, BookingEnded, HoldExpired, BookingConfirmed))
async def confirm_consultation_booking(
    reference: Reference, wish: ConfirmationCreate, token: Token, house: HouseInUse
) -> ConsultationBookingPublic:
    """Confirm a hold.

    It becomes a booking for this patient. Confirming again with the same words changes nothing. With the booking's
    token, or a key with the scope `bookings:write`, to which, without `bookings:read`, no words are the same.
    """
    visitor = await let_in(house.database, reference, token, Scope.BOOKINGS_WRITE)
    is_same = True
    async with house.database.write() as session:
        booking = await bookings.get(session, reference, lock=True)
        if booking.state is BookingState.BOOKED:
            # Only whoever may read the words looks, and is told whether these are the same.
            is_same = visitor.may_read and await patients.is_same(
                session, booking.id, wish, keyring=house.keyring, by=visitor.actor
            )
        else:
            await bookings.confirm(session, booking, by=visitor.actor)
            await patients.confirm(session, booking.id, wish, keyring=house.keyring, by=visitor.actor)
        answer = await _after(session, reference, visitor, house)
    if not is_same:
        raise BookingConfirmed
    return answer


@router.post("/cancel", responses=responses(*BODY, BookingEnded, DeadlinePassed))
async def cancel_consultation_booking(
    reference: Reference,
    token: Token,
    house: HouseInUse,
    wish: Annotated[CancellationCreate, Body()] = _NO_WORDS,
) -> ConsultationBookingPublic:
    """Cancel a booking, or let go of a hold.

    The seat is free at once. Cancelling again changes nothing. With the booking's token until `cancel_until`, or any
    time with a key with the scope `bookings:write`. A note is kept with what the patient told, as long as that is kept.
    """
    visitor = await let_in(house.database, reference, token, Scope.BOOKINGS_WRITE)
    async with house.database.write() as session:
        booking = await bookings.get(session, reference, lock=True)
        if booking.state is not BookingState.CANCELLED:
            own = CancellationReason.PROVIDER if visitor.is_staff else CancellationReason.PATIENT
            reason = wish.reason or own
            await bookings.cancel(
                session, booking, reason=reason, policy=house.policy, staff=visitor.is_staff, by=visitor.actor
            )
            await _keep_note(session, booking, wish.note, "cancellation", visitor, house)
        return await _after(session, reference, visitor, house)


@router.post(
    "/reschedule",
    responses=responses(
        *BODY, ScopeMissing, BookingEnded, DeadlinePassed, ReschedulesUsedUp, SlotTaken, SlotNotForCondition
    ),
)
async def reschedule_consultation_booking(
    reference: Reference, wish: RescheduleCreate, token: Token, house: HouseInUse
) -> ConsultationBookingPublic:
    """Move a booking to another slot.

    It keeps its reference and its token. The new seat is taken before the old one is free: whoever loses the race for
    the new seat still has the old one. Asking again for the slot that it has changes nothing. With the booking's token
    until `reschedule_until`, or a key with the scope `bookings:write`; staff with `bookings:override` may go past the
    policy with an `override_reason`.
    """
    visitor = await let_in(house.database, reference, token, Scope.BOOKINGS_WRITE)
    if wish.override_reason is not None:
        visitor.must(Scope.BOOKINGS_OVERRIDE)
    offered = slots.alternatives_offered(house.database, house.brief, policy=house.policy)
    async with offered, house.database.write() as session:
        # Locks are taken in one order everywhere: slot, then booking.
        slot = await slots.lock(session, wish.slot_id)
        of_slot = None if visitor.seen.topic else await topic_of_slot(house.published, slot)
        booking = await bookings.get(session, reference, lock=True)
        if booking.slot.id != slot.id or booking.state is not BookingState.BOOKED:
            is_override = await bookings.reschedule(
                session,
                booking,
                slot,
                # What the patient was told to bring stays what the patient was told, also by whoever moved it just now.
                booking.topic or of_slot,
                policy=house.policy,
                past_policy=wish.override_reason is not None,
                by=visitor.actor,
            )
            if is_override:
                await _keep_note(session, booking, wish.override_reason, "override", visitor, house)
        return await _after(session, reference, visitor, house)


@router.post("/fulfil", responses=responses(ScopeMissing, BookingEnded, NotBegun))
async def fulfil_consultation_booking(
    reference: Reference, token: Token, house: HouseInUse
) -> ConsultationBookingPublic:
    """Mark a booking as fulfilled.

    The consultation took place. Needs the scope `bookings:write`.
    """
    return await _mark(reference, token, BookingState.FULFILLED, house)


@router.post("/no-show", responses=responses(ScopeMissing, BookingEnded, NotBegun))
async def mark_consultation_booking_no_show(
    reference: Reference, token: Token, house: HouseInUse
) -> ConsultationBookingPublic:
    """Mark a booking as no-show.

    The patient did not come. Needs the scope `bookings:write`.
    """
    return await _mark(reference, token, BookingState.NO_SHOW, house)


async def _mark(reference: str, token: str | None, to: BookingState, house: House) -> ConsultationBookingPublic:
    visitor = await let_in(house.database, reference, token, Scope.BOOKINGS_WRITE)
    visitor.must(Scope.BOOKINGS_WRITE)
    async with house.database.write() as session:
        booking = await bookings.get(session, reference, lock=True)
        await bookings.mark(session, booking, to, by=visitor.actor)
        return await _after(session, reference, visitor, house)


async def _keep_note(
    session: AsyncSession, booking: Booking, text: str | None, kind: str, visitor: Visitor, house: House
) -> None:
    if text is not None:
        await patients.add_note(
            session,
            booking.id,
            text,
            kind=kind,
            version=booking.version + 1,
            keyring=house.keyring,
            by=visitor.actor,
            of_hold=booking.state is BookingState.HELD,
        )


async def _after(session: AsyncSession, reference: str, visitor: Visitor, house: House) -> ConsultationBookingPublic:
    booking = await bookings.get(session, reference)
    return ConsultationBookingPublic(**described(booking, house.policy, staff=visitor.is_staff))
