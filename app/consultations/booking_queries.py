"""The queries that bookings are read with: each booking beside its slot, with every name that is shown.

A statement is put together once; only values differ after that.
"""

from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, Select, Text, Uuid, bindparam
from sqlalchemy import select as core_select
from sqlmodel import col

from app.consultations import slot_queries
from app.consultations.neighbours import condition_pages, conditions
from app.consultations.tables import LIVE, BookingEvent, BookingState, ConsultationBooking, ConsultationSlot
from app.core.clock import current_moment, decisive_moment
from app.core.shapes import DEFAULT_LOCALE

# Each is read as `booking_<name>`; the slot's columns keep their names.
COLUMNS: Final = (
    "id", "reference", "state", "seat", "slot_id", "condition_id", "hold_expires_at", "what_to_bring",
    "page_revision", "reschedule_count", "cancellation_reason", "version", "created_at", "secret_hash",
)  # fmt: skip
booking_id: Final = col(ConsultationBooking.id)


@cache
def by_reference(*, lock: bool) -> Select[*tuple[Any, ...]]:
    """The booking with the bound `reference`, and the time.

    With `lock`, its row is locked first: whoever changes it waits for whoever does, in a part of its own, so that the
    slot that is joined is the one that the booking has by then.
    """
    query = _bookings().where(col(ConsultationBooking.reference) == bindparam("reference", type_=Text()))
    return _with_slots(query.with_for_update() if lock else query).add_columns(decisive_moment().label("now"))


@cache
def by_id() -> Select[*tuple[Any, ...]]:
    """Bookings with the bound `ids`, and the time."""
    query = _bookings().where(booking_id.in_(bindparam("ids", expanding=True)))
    return _with_slots(query).add_columns(decisive_moment().label("now"))


@cache
def listing(asked: frozenset[str]) -> Select[*tuple[Any, ...]]:
    """Bookings, newest first, with a bound value for each filter that is asked for and for `limit`."""
    filters: dict[str, ColumnElement[bool]] = {
        "slot_id": col(ConsultationBooking.slot_id) == bindparam("slot_id", type_=Uuid()),
        "after": booking_id < bindparam("after", type_=Uuid()),
        **{state: _is(state) for state in BookingState},
    }
    query = _bookings().order_by(booking_id.desc()).limit(bindparam("limit", type_=Integer()))
    query = query.where(*(filters[name] for name in sorted(asked)))
    return _with_slots(query).add_columns(decisive_moment().label("now"))


@cache
def live_of_slot() -> Select[*tuple[Any, ...]]:
    """The live bookings of the slot with the bound `slot_id`, locked in the order of their ids."""
    query = _steps().where(col(ConsultationBooking.slot_id) == bindparam("slot_id", type_=Uuid()), LIVE)
    return query.order_by(booking_id).with_for_update()


@cache
def stale_holds(*, of_slot: bool) -> Select[*tuple[Any, ...]]:
    """Holds that have expired: of the slot with the bound `slot_id`, or of any, at most `limit`."""
    query = _steps().where(
        col(ConsultationBooking.state) == BookingState.HELD,
        col(ConsultationBooking.hold_expires_at) <= current_moment(),
    )
    if of_slot:
        query = query.where(col(ConsultationBooking.slot_id) == bindparam("slot_id", type_=Uuid()), LIVE)
    # Who sweeps leaves a hold that somebody is busy with to them. Who needs the seat waits.
    query = query.order_by(booking_id).limit(bindparam("limit", type_=Integer()))
    return query.with_for_update(skip_locked=not of_slot)


def _steps() -> Select[*tuple[Any, ...]]:
    table = ConsultationBooking
    return core_select(booking_id, col(table.state), col(table.version), col(table.hold_expires_at))


def _is(state: BookingState) -> ColumnElement[bool]:
    has_state = col(ConsultationBooking.state) == state
    expired = col(ConsultationBooking.hold_expires_at) <= current_moment()
    if state is BookingState.HELD:
        return has_state & ~expired
    if state is BookingState.EXPIRED:
        return has_state | expired
    return has_state


def _bookings() -> Select[*tuple[Any, ...]]:
    return core_select(*(getattr(ConsultationBooking, name) for name in COLUMNS))


def _with_slots(bookings: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    booking = bookings.subquery("booking")
    changed_at = core_select(col(BookingEvent.at)).where(
        col(BookingEvent.booking_id) == booking.c.id, col(BookingEvent.version) == booking.c.version
    )
    rows = core_select(
        *slot_queries.columns(),
        *(booking.c[name].label(f"booking_{name}") for name in COLUMNS),
        changed_at.correlate(booking).scalar_subquery().label("changed_at"),
        conditions.c.slug.label("topic_slug"),
        conditions.c.category_id.label("topic_category_id"),
        condition_pages.c.name.label("topic_name"),
    ).select_from(booking)
    page_of = (condition_pages.c.condition_id == conditions.c.id) & (condition_pages.c.locale == DEFAULT_LOCALE)
    rows = (
        rows.join(ConsultationSlot, col(ConsultationSlot.id) == booking.c.slot_id)
        .outerjoin(conditions, conditions.c.id == booking.c.condition_id)
        .outerjoin(condition_pages, page_of)
    )
    named = slot_queries.with_names(rows)
    return named.order_by(None).order_by(named.selected_columns.booking_id.desc())
