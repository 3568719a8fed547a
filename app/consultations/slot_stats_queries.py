"""How the figures on slots are counted: two sums over the slots of some days, and the third free slot of each group.

A statement is put together once for each grouping and set of filters; only values differ after that.
"""

from enum import StrEnum
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Date,
    FromClause,
    Select,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    or_,
    union_all,
)
from sqlalchemy import select as core_select
from sqlmodel import UTCDateTime, col

from app.consultations import slot_queries
from app.consultations.neighbours import categories, category_names, conditions
from app.consultations.slot_queries import slot_id, start
from app.consultations.tables import (
    KEPT,
    BookingState,
    Clinician,
    ConsultationBooking,
    ConsultationSlot,
    Location,
    SlotStatus,
)
from app.consultations.time_functions import monday_of, seconds_between
from app.core.clock import current_moment
from app.core.shapes import DEFAULT_LOCALE

# The third free slot: the first two may be there by chance (the measure of access that IHI uses).
_THIRD: Final = 3


class Grouping(StrEnum):
    """What a row of the figures stands for."""

    CLINICIAN = "clinician"
    LOCATION = "location"
    CATEGORY = "category"
    WEEK = "week"


@cache
def counts(by: Grouping, asked: frozenset[str]) -> Select[*tuple[Any, ...]]:
    """Of each group: its slots, their seats, and what became of their bookings."""
    slot = ConsultationSlot
    can_be_booked = and_(*slot_queries.free(frozenset()))
    free = case((can_be_booked, col(slot.capacity) - slot_queries.seats_taken()), else_=0)
    wanted = _wanted(by, asked, col(slot.capacity), col(slot.status), free.label("free"))
    booking = ConsultationBooking
    ended = {state: case((col(booking.state) == state, 1)) for state in BookingState}
    is_cancelled = wanted.c.status == SlotStatus.CANCELLED
    # Also a slot that took place can be cancelled: its seats are not counted, nor who sat there.
    filled = case((and_(~is_cancelled, or_(and_(*slot_queries.taken_now()), _kept_or_missed())), 1))
    booked = (
        core_select(
            col(booking.slot_id).label("slot_id"),
            func.count(filled).label("seats_filled"),
            func.count(ended[BookingState.CANCELLED]).label("bookings_cancelled"),
            func.count(ended[BookingState.FULFILLED]).label("bookings_fulfilled"),
            func.count(ended[BookingState.NO_SHOW]).label("bookings_no_show"),
        )
        .join_from(wanted, booking, col(booking.slot_id) == wanted.c.id)
        .group_by(col(booking.slot_id))
        .subquery("booked")
    )
    grouped = (
        core_select(
            wanted.c.key,
            func.count().label("slots"),
            func.count(case((is_cancelled, 1))).label("slots_cancelled"),
            func.sum(case((~is_cancelled, wanted.c.capacity), else_=0)).label("seats"),
            func.sum(wanted.c.free).label("seats_free"),
            *(func.sum(func.coalesce(total, 0)).label(total.name) for total in booked.c if total.name != "slot_id"),
        )
        .select_from(wanted)
        .outerjoin(booked, booked.c.slot_id == wanted.c.id)
        .group_by(wanted.c.key)
        .subquery("grouped")
    )
    if by is Grouping.WEEK:
        return core_select(grouped)
    party = _parties(by)
    return core_select(grouped, party.c.slug, party.c.name).outerjoin_from(grouped, party, party.c.id == grouped.c.key)


@cache
def leads(by: Grouping, asked: frozenset[str]) -> Select[*tuple[Any, ...]]:
    """Of each group the median of the seconds from booking to begin; and what of the group is the median of all."""
    wanted = _wanted(by, asked, start)
    booking = ConsultationBooking
    lead = (
        core_select(wanted.c.key, seconds_between(col(booking.created_at), wanted.c.starts_at).label("lead"))
        .join_from(wanted, booking, col(booking.slot_id) == wanted.c.id)
        .where(or_(col(booking.state) == BookingState.BOOKED, _kept_or_missed()))
        .subquery("lead")
    )
    ranked = core_select(
        lead,
        func.row_number().over(partition_by=lead.c.key, order_by=lead.c.lead).label("rank"),
        func.count().over(partition_by=lead.c.key).label("of"),
        func.row_number().over(order_by=lead.c.lead).label("rank_of_all"),
        func.count().over().label("all"),
    ).subquery("ranked")
    is_middle = _is_middle(ranked.c.rank, ranked.c.of)
    is_middle_of_all = _is_middle(ranked.c.rank_of_all, ranked.c["all"])
    return core_select(
        ranked.c.key,
        func.avg(case((is_middle, ranked.c.lead))).label("median"),
        func.sum(case((is_middle_of_all, ranked.c.lead), else_=0)).label("middle_sum"),
        func.count(case((is_middle_of_all, 1))).label("middle_count"),
    ).group_by(ranked.c.key)


@cache
def third_free(by: Grouping, asked: frozenset[str]) -> Any:
    """The third slot that can be booked, of all (with the key None) and of each group: its day, its zone, the time.

    Each is looked for by itself, in the order of an index: not by counting all that are free.
    """
    slot = ConsultationSlot
    found = [core_select(cast(None, Uuid()).label("key"), _third(asked).label("id"))]
    if by is not Grouping.WEEK:
        party = _parties(by)
        found.append(core_select(party.c.id.label("key"), _third(asked, _belongs(by, party), of=party).label("id")))
    # By themselves: else PostgreSQL may read all slots, to look for each of them among these.
    third = union_all(*found).cte("third").prefix_with("MATERIALIZED", dialect="postgresql")
    return core_select(third.c.key, col(slot.local_date), col(slot.time_zone), current_moment().label("now")).join_from(
        third, slot, slot_id == third.c.id
    )


def _third(asked: frozenset[str], *belongs: ColumnElement[bool], of: FromClause | None = None) -> Any:
    free = core_select(slot_id).where(*belongs, KEPT, *slot_queries.free(asked)).order_by(start, slot_id)
    return free.limit(1).offset(_THIRD - 1).correlate(of).scalar_subquery()


def _belongs(by: Grouping, party: FromClause) -> ColumnElement[bool]:
    slot = ConsultationSlot
    if by is Grouping.CLINICIAN:
        return col(slot.clinician_id) == party.c.id
    if by is Grouping.LOCATION:
        return col(slot.location_id) == party.c.id
    its_conditions = core_select(conditions.c.id).where(conditions.c.category_id == party.c.id).correlate(party)
    return (col(slot.category_id) == party.c.id) | col(slot.condition_id).in_(its_conditions)


def _parties(by: Grouping) -> FromClause:
    """What the groups are, with their names."""
    if by is Grouping.CATEGORY:
        in_english = (category_names.c.category_id == categories.c.id) & (category_names.c.locale == DEFAULT_LOCALE)
        named = core_select(categories.c.id, categories.c.slug, category_names.c.name)
        return named.outerjoin_from(categories, category_names, in_english).subquery("party")
    table = Clinician if by is Grouping.CLINICIAN else Location
    return core_select(col(table.id), col(table.slug), col(table.name)).subquery("party")


def _wanted(by: Grouping, asked: frozenset[str], *columns: Any) -> CTE:
    """The slots of the days from the bound `first` to `last`, which lie between `since` and `until` in every zone."""
    slot = ConsultationSlot
    its_category = core_select(conditions.c.category_id).where(conditions.c.id == col(slot.condition_id))
    keys: dict[Grouping, Any] = {
        Grouping.CLINICIAN: col(slot.clinician_id),
        Grouping.LOCATION: col(slot.location_id),
        Grouping.CATEGORY: func.coalesce(col(slot.category_id), its_category.scalar_subquery()),
        Grouping.WEEK: monday_of(col(slot.local_date), col(slot.local_weekday)),
    }
    return (
        core_select(slot_id, keys[by].label("key"), *columns)
        .where(
            start >= bindparam("since", type_=UTCDateTime()),
            start < bindparam("until", type_=UTCDateTime()),
            col(slot.local_date) >= bindparam("first", type_=Date()),
            col(slot.local_date) <= bindparam("last", type_=Date()),
            *slot_queries.matching(asked),
        )
        .cte("wanted")
    )


def _kept_or_missed() -> Any:
    state = col(ConsultationBooking.state)
    return or_(state == BookingState.FULFILLED, state == BookingState.NO_SHOW)


def _is_middle(rank: Any, of: Any) -> Any:
    """Whether it is the middle one or, of an even number, one of the two."""
    return and_(2 * rank >= of, 2 * rank <= of + 2)
