"""The first slot that can be booked of each clinician, of each location or of each mode, in one statement."""

from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import FromClause, Integer, Select, Text, bindparam, literal_column, union_all
from sqlalchemy import select as core_select
from sqlmodel import col

from app.consultations import slot_queries
from app.consultations.slot_queries import slot_id, start
from app.consultations.tables import KEPT, Clinician, ConsultationSlot, Location, SlotMode


class FirstAvailable(StrEnum):
    """Of what the first free slot is asked for."""

    CLINICIAN = "clinician"
    LOCATION = "location"
    MODE = "mode"


_POINTERS: Final[dict[FirstAvailable, Any]] = {
    FirstAvailable.CLINICIAN: col(ConsultationSlot.clinician_id),
    FirstAvailable.LOCATION: col(ConsultationSlot.location_id),
    FirstAvailable.MODE: col(ConsultationSlot.mode),
}


# Whoever asks chooses the filters.
@lru_cache(256)
def listing(of: FirstAvailable, asked: frozenset[str]) -> Select[*tuple[Any, ...]]:
    """`slot_queries.listing`, of which only the soonest of each clinician, location or mode is left.

    Each is looked for by itself, in the order of an index that begins with it: what it costs grows with how many there
    are of them, not with how many slots.
    """
    party = _parties(of)
    soonest = (
        core_select(slot_id)
        .where(_POINTERS[of] == party.c.id, KEPT, *slot_queries.free(asked - {"after"}))
        .order_by(start, slot_id)
        .limit(1)
        .correlate(party)
        .scalar_subquery()
    )
    # By itself: else PostgreSQL may read all slots, to look for each of them among the first ones.
    first = (
        core_select(soonest.label("id"))
        .select_from(party)
        .cte("first")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    query = slot_queries.seen().join(first, first.c.id == slot_id)
    query = query.where(*slot_queries.matching(asked & {"after"}))
    return slot_queries.with_names(query.order_by(start, slot_id).limit(bindparam("limit", type_=Integer())))


def _parties(of: FirstAvailable) -> FromClause:
    if of is FirstAvailable.MODE:
        # Written out: SQLite cannot name the columns of VALUES.
        modes = (core_select(literal_column(f"'{mode}'", Text).label("id")) for mode in SlotMode)
        return union_all(*modes).subquery("party")
    table = Clinician if of is FirstAvailable.CLINICIAN else Location
    return core_select(col(table.id).label("id")).subquery("party")
