"""The one query that slots are read with, and what it can be asked for.

A statement is put together once for each set of filters that is asked for; only values differ after that.
"""

from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, ScalarSelect, Select, Uuid, bindparam, func, tuple_
from sqlalchemy import select as core_select
from sqlmodel import UTCDateTime, col

from app.consultations.neighbours import categories, category_names, condition_pages, conditions
from app.consultations.tables import LIVE, Clinician, ConsultationBooking, ConsultationSlot, Location, SlotStatus
from app.core.clock import current_moment
from app.core.shapes import DEFAULT_LOCALE

start: Final = col(ConsultationSlot.starts_at)
slot_id: Final = col(ConsultationSlot.id)


@cache
def by_id() -> Select[*tuple[Any, ...]]:
    """Slots with the bound `ids`."""
    return _with_names(_slots().where(slot_id.in_(bindparam("ids", expanding=True))))


@cache
def listing(asked: frozenset[str]) -> Select[*tuple[Any, ...]]:
    """Slots, soonest first, with a bound value for each filter that is asked for and for `limit`.

    Without `statuses`: those that can be booked now, by the same rule that `bookings.book` goes by.
    """
    query = _slots().order_by(start, slot_id).limit(bindparam("limit", type_=Integer()))
    if "statuses" not in asked:
        query = query.where(
            col(ConsultationSlot.status) == SlotStatus.OPEN,
            start > current_moment(),
            col(ConsultationSlot.capacity) > _taken(),
        )
    filters = _filters()
    return _with_names(query.where(*(filters[name] for name in sorted(asked))))


def _slots() -> Select[*tuple[Any, ...]]:
    """Slots with the seats taken, and whether they have begun."""
    slot = ConsultationSlot
    columns: tuple[Any, ...] = (
        slot_id, start, slot.ends_at, slot.time_zone, slot.mode, slot.capacity, slot.status, slot.version,
        slot.clinician_id, slot.location_id, slot.condition_id, slot.category_id,
    )  # fmt: skip
    return core_select(*columns, (start <= current_moment()).label("has_begun"), _taken().label("taken"))


def _with_names(slots: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """The same slots with the names of what they point at, looked up for those that are shown and for no others."""
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
            conditions.c.slug.label("condition_slug"),
            condition_pages.c.name.label("condition_name"),
            categories.c.slug.label("category_slug"),
            category_names.c.name.label("category_name"),
        )
        .select_from(slot)
        .outerjoin(Clinician, col(Clinician.id) == slot.c.clinician_id)
        .outerjoin(Location, col(Location.id) == slot.c.location_id)
        .outerjoin(conditions, conditions.c.id == slot.c.condition_id)
        .outerjoin(condition_pages, page_of)
        .outerjoin(categories, categories.c.id == slot.c.category_id)
        .outerjoin(category_names, name_of)
        .order_by(slot.c.starts_at, slot.c.id)
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
        "statuses": col(slot.status).in_(bindparam("statuses", expanding=True)),
        "after": tuple_(start, slot_id)
        > tuple_(bindparam("after_start", type_=UTCDateTime()), bindparam("after_id", type_=Uuid())),
    }


def _taken() -> ScalarSelect[int]:
    return (
        core_select(func.count())
        .select_from(ConsultationBooking)
        .where(col(ConsultationBooking.slot_id) == ConsultationSlot.id, LIVE)
        .correlate(ConsultationSlot)
        .scalar_subquery()
    )
