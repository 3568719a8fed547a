"""The one query that slots are read with, and what it can be asked for.

A statement is put together once for each set of filters that is asked for; only values differ after that.
"""

from functools import cache, lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, ScalarSelect, Select, Uuid, bindparam, func, tuple_
from sqlalchemy import select as core_select
from sqlmodel import UTCDateTime, col

from app.consultations.neighbours import categories, category_names, condition_pages, conditions
from app.consultations.schedule_tables import Room
from app.consultations.slot_ranges import FOR_ANYTHING, offered_for, soonest, soonest_of
from app.consultations.tables import KEPT, LIVE, Clinician, ConsultationBooking, ConsultationSlot, Location, SlotStatus
from app.core.clock import current_moment, decisive_moment, moment_in
from app.core.shapes import DEFAULT_LOCALE

start: Final = col(ConsultationSlot.starts_at)
slot_id: Final = col(ConsultationSlot.id)
POLICY: Final = ("min_notice_minutes", "cancel_until_minutes", "reschedule_until_minutes", "max_reschedules")


@cache
def by_id(*, for_admins: bool = False) -> Select[*tuple[Any, ...]]:
    """Slots with the bound `ids`."""
    return named(seen(for_admins=for_admins).where(slot_id.in_(bindparam("ids", expanding=True))))


@cache
def locked() -> Select[*tuple[Any, ...]]:
    """The slot with the bound `id`, its row locked, and the time once it was.

    Whoever books the slot waits here for whoever does, and for an admin who closes or cancels it; a foreign key alone
    does not stop the latter. The names are looked up outside of the part that locks; `taken` counts the seats that were
    taken before the lock was waited for.
    """
    slot = core_select(*columns(), seats_taken().label("taken")).where(slot_id == bindparam("id", type_=Uuid()))
    return named(slot.with_for_update(key_share=True)).add_columns(decisive_moment().label("now"))


@cache
def alternatives(dialect: str) -> Select[*tuple[Any, ...]]:
    """The soonest that can be booked for the bound `condition_id`, or `category_id`, or anything: not those refused."""
    slot = ConsultationSlot
    condition = bindparam("condition_id", type_=Uuid())
    its_category = core_select(conditions.c.category_id).where(conditions.c.id == condition).scalar_subquery()
    category = func.coalesce(bindparam("category_id", type_=Uuid()), its_category)
    others = seen().where(*_bookable(), KEPT, slot_id.not_in(bindparam("refused_ids", expanding=True)))
    ranges = (col(slot.condition_id) == condition, col(slot.category_id) == category, FOR_ANYTHING)
    return named(soonest_of(others, *ranges, dialect=dialect))


# Whoever asks chooses the filters.
@lru_cache(256)
def listing(asked: frozenset[str], dialect: str) -> Select[*tuple[Any, ...]]:
    """The soonest slots, in no order, with a bound value for each filter that is asked for and for `limit`.

    Without `statuses`: those that can be booked now, by the same rule that `bookings.book` goes by; `min_notice` is
    bound to the hospital's, in seconds. Archived ones are among them only where `archived` is asked for.
    """
    topic = next((name for name in ("condition", "category") if name in asked), None)
    where = [*matching(asked - {topic, "archived"})]
    if "archived" not in asked:
        # Beside a list of the other words: an index that leaves these out is used for no others.
        where.append(KEPT)  # type: ignore[arg-type]
    if "statuses" not in asked:
        where += _bookable()
    slots = seen(for_admins="statuses" in asked).where(*where)
    if topic is None:
        return named(soonest(slots))
    return named(soonest_of(slots, *offered_for(topic, *where), dialect=dialect))


def columns() -> tuple[Any, ...]:
    """What a slot's row says of itself."""
    slot = ConsultationSlot
    return (
        slot_id, start, slot.ends_at, slot.time_zone, slot.mode, slot.capacity, slot.status, slot.version,
        slot.clinician_id, slot.location_id, slot.room_id, slot.condition_id, slot.category_id,
    )  # fmt: skip


def free(asked: frozenset[str]) -> tuple[ColumnElement[bool], ...]:
    """What holds of a slot that can be booked now and that these filters find."""
    return (*_bookable(), *matching(asked))


def matching(asked: frozenset[str]) -> tuple[ColumnElement[bool], ...]:
    """What holds of a slot that these filters find, with a bound value for each."""
    filters = _filters()
    return tuple(filters[name] for name in sorted(asked))


def seen(*, for_admins: bool = False) -> Select[*tuple[Any, ...]]:
    """Slots as they are shown, with the seats taken and the time, but for the names: see `with_names`."""
    private = (ConsultationSlot.external_id, ConsultationSlot.overlap_reason) if for_admins else ()
    return core_select(*columns(), *private, current_moment().label("now"), seats_taken().label("taken"))


def _bookable() -> tuple[ColumnElement[bool], ...]:
    seconds = core_select(col(Location.min_notice_minutes) * 60).where(
        col(Location.id) == col(ConsultationSlot.location_id)
    )
    notice = func.coalesce(seconds.scalar_subquery(), bindparam("min_notice", type_=Integer()))
    return (
        col(ConsultationSlot.status) == SlotStatus.OPEN,
        # Said without the notice as well: an index can be used for what is the same for every slot.
        start > current_moment(),
        start > moment_in(notice),
        col(ConsultationSlot.capacity) > seats_taken(),
    )


def with_names(slots: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The same rows with the names of what their slots point at, soonest first."""
    query = named(slots)
    found = query.selected_columns
    return query.order_by(found.starts_at, found.id)


def named(slots: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The same rows with the names of what their slots point at, looked up for those that are shown and for no others.

    In no order: who wants a few puts them in order, and spares the database from it. `slots` selects at least
    `columns()`.
    """
    slot = slots.subquery("slot")
    page_of = (condition_pages.c.condition_id == conditions.c.id) & (condition_pages.c.locale == DEFAULT_LOCALE)
    name_of = (category_names.c.category_id == categories.c.id) & (category_names.c.locale == DEFAULT_LOCALE)
    return (
        core_select(
            slot,
            col(Clinician.slug).label("clinician_slug"),
            col(Clinician.name).label("clinician_name"),
            col(Location.slug).label("location_slug"),
            col(Location.name).label("location_name"),
            *(col(getattr(Location, name)) for name in POLICY),
            col(Room.slug).label("room_slug"),
            col(Room.name).label("room_name"),
            conditions.c.slug.label("condition_slug"),
            condition_pages.c.name.label("condition_name"),
            categories.c.slug.label("category_slug"),
            category_names.c.name.label("category_name"),
        )
        .select_from(slot)
        .outerjoin(Clinician, col(Clinician.id) == slot.c.clinician_id)
        .outerjoin(Location, col(Location.id) == slot.c.location_id)
        .outerjoin(Room, col(Room.id) == slot.c.room_id)
        .outerjoin(conditions, conditions.c.id == slot.c.condition_id)
        .outerjoin(condition_pages, page_of)
        .outerjoin(categories, categories.c.id == slot.c.category_id)
        .outerjoin(category_names, name_of)
    )


@cache
def _filters() -> dict[str, ColumnElement[bool]]:
    slot = ConsultationSlot
    for_anything = col(slot.condition_id).is_(None) & col(slot.category_id).is_(None)
    asked_condition = conditions.c.slug == bindparam("condition")
    condition = core_select(conditions.c.id).where(asked_condition).scalar_subquery()
    its_category = core_select(conditions.c.category_id).where(asked_condition).scalar_subquery()
    category = core_select(categories.c.id).where(categories.c.slug == bindparam("category")).scalar_subquery()
    its_conditions = core_select(conditions.c.id).where(conditions.c.category_id == category)
    return {
        # An unknown slug finds nothing, not even what is for anything.
        "condition": ((col(slot.condition_id) == condition) | (col(slot.category_id) == its_category) | for_anything)
        & condition.is_not(None),
        "category": ((col(slot.category_id) == category) | col(slot.condition_id).in_(its_conditions) | for_anything)
        & category.is_not(None),
        "starts_from": start >= bindparam("starts_from"),
        "starts_before": start < bindparam("starts_before"),
        "mode": col(slot.mode) == bindparam("mode"),
        "clinician": col(slot.clinician_id)
        == core_select(col(Clinician.id)).where(col(Clinician.slug) == bindparam("clinician")).scalar_subquery(),
        "location": col(slot.location_id)
        == core_select(col(Location.id)).where(col(Location.slug) == bindparam("location")).scalar_subquery(),
        "room": col(slot.room_id)
        == core_select(col(Room.id))
        .join(Location, col(Location.id) == col(Room.location_id))
        .where(col(Room.slug) == bindparam("room"), col(Location.slug) == bindparam("location"))
        .scalar_subquery(),
        # Not a list: each length of it would be a statement of its own.
        "weekdays": bindparam("weekdays", type_=Integer()).bitwise_rshift(col(slot.local_weekday)).bitwise_and(1) == 1,
        "minute_from": col(slot.local_minute) >= bindparam("minute_from", type_=Integer()),
        "minute_before": col(slot.local_minute) < bindparam("minute_before", type_=Integer()),
        "statuses": col(slot.status).in_(bindparam("statuses", expanding=True)),
        "after": tuple_(start, slot_id)
        > tuple_(bindparam("after_start", type_=UTCDateTime()), bindparam("after_id", type_=Uuid())),
    }


def taken_now() -> tuple[ColumnElement[bool], ...]:
    """What holds of a booking that takes its seat: it is live, and if it is a hold, it has not expired."""
    expires_at = col(ConsultationBooking.hold_expires_at)
    return LIVE, expires_at.is_(None) | (expires_at > current_moment())  # type: ignore[return-value]


def seats_taken() -> ScalarSelect[int]:
    """How many seats of a slot are taken now."""
    return (
        core_select(func.count())
        .select_from(ConsultationBooking)
        .where(col(ConsultationBooking.slot_id) == ConsultationSlot.id, *taken_now())
        .correlate(ConsultationSlot)
        .scalar_subquery()
    )
