"""What others do while a plan is applied, and what may come of it.

A plan closes, cancels or moves slot S, whose booking goes to T, the nearest one, or to the new slot N.
"""

from collections.abc import Iterator

from tests.drills.acts import Planned, apply, cancel, confirm, expire, make, reschedule, slot_cancel
from tests.drills.pair import (
    BOOKED,
    CANCELLED,
    CONFIRMED,
    ENDED,
    EXPIRED,
    GONE,
    HELD,
    MOVED,
    NO_SEAT,
    STALE,
    SWEPT,
    Pair,
    any_of,
)

APPLIED, CHANGED = "applied", "plan-stale"
_CANCELS = (Planned("P", "cancel", "S", "cancel"),)
_OFFERS = (Planned("P", "cancel", "S", "offer"),)
_MOVES = (Planned("P", "move", "S", "move"),)
_TO_T = (Planned("P", "close", "S", "move"),)
_B, _C, _H = ("B", "S", BOOKED), ("C", "U", BOOKED), ("H", "S", HELD)


def of_plans() -> Iterator[Pair]:
    """Every pair with a plan."""
    return (pair for pairs in (_new(), _of_bookings(), _moved(), _of_slots(), _two_plans()) for pair in pairs)


def _new() -> Iterator[Pair]:
    for what, done in (("book", BOOKED), ("hold", HELD)):
        kinds, wins = (what, "plan"), any_of((done, CHANGED), (NO_SEAT, APPLIED))
        acts = (make(what), apply("P"))
        yield Pair(kinds, "its slot", acts, wins, seats=2, there=(_B,), plans=_CANCELS)
        acts = (make(what, "T"), apply("P"))
        yield Pair(kinds, "the seat that it takes", acts, wins, there=(_B,), plans=_TO_T)
        either = any_of((done, CHANGED), (done, APPLIED))
        yield Pair(kinds, "the seat that it offers", acts, either, there=(_B,), plans=_OFFERS)


def _of_bookings() -> Iterator[Pair]:
    acts, kinds = (confirm("H"), apply("P")), ("confirm", "plan")
    wins = any_of((CONFIRMED, CHANGED), (ENDED, APPLIED))
    yield Pair(kinds, "one hold", acts, wins, there=(_H,), plans=_CANCELS)
    stale = (("H", "S", STALE),)
    yield Pair(kinds, "a stale hold", acts, any_of((EXPIRED, APPLIED)), there=stale, plans=_CANCELS)
    there = (_B, ("H", "T", HELD))
    both = any_of((CONFIRMED, APPLIED))
    yield Pair(kinds, "a hold beside the seat that it takes", acts, both, seats_of_t=2, there=there, plans=_TO_T)
    acts, either = (cancel("B"), apply("P")), any_of((CANCELLED, CHANGED), (CANCELLED, APPLIED))
    yield Pair(("cancel", "plan"), "its booking", acts, either, there=(_B,), plans=_MOVES)


def _moved() -> Iterator[Pair]:
    kinds, either = ("reschedule", "plan"), any_of((MOVED, CHANGED), (MOVED, APPLIED))
    wins, both = any_of((MOVED, CHANGED), (NO_SEAT, APPLIED)), (_B, _C)
    acts = (reschedule("B", "T"), apply("P"))
    yield Pair(kinds, "its booking", acts, either, there=(_B,), plans=_MOVES)
    yield Pair(kinds, "to what it offers", acts, either, there=(_B,), plans=_OFFERS)
    acts = (reschedule("C", "T"), apply("P"))
    yield Pair(kinds, "the seat that it takes", acts, wins, there=both, plans=_TO_T)
    acts = (reschedule("C", "S"), apply("P"))
    yield Pair(kinds, "into its slot", acts, wins, seats=2, there=both, plans=_CANCELS)


def _of_slots() -> Iterator[Pair]:
    either = any_of((GONE, CHANGED), (GONE, APPLIED))
    yield Pair(("slot cancel", "plan"), "its slot", (slot_cancel("S"), apply("P")), either, there=(_B,), plans=_MOVES)
    acts = (slot_cancel("T"), apply("P"))
    yield Pair(("slot cancel", "plan"), "where it takes a seat", acts, either, there=(_B,), plans=_TO_T)
    there = (_B, ("E", "T", STALE))
    about = "a stale hold on the seat that it takes"
    yield Pair(("expire", "plan"), about, (expire, apply("P")), any_of((SWEPT, APPLIED)), there=there, plans=_TO_T)


def _two_plans() -> Iterator[Pair]:
    kinds, one = ("plan", "plan"), any_of((APPLIED, CHANGED), (CHANGED, APPLIED))
    same = (apply("P"), apply("P"))
    yield Pair(kinds, "the same", same, any_of((APPLIED, APPLIED)), there=(_B,), plans=_MOVES)
    acts = (apply("P"), apply("Q"))
    other = Planned("Q", "close", "S", "keep")
    yield Pair(kinds, "one slot", acts, one, there=(_B,), plans=(*_MOVES, other))
    other = Planned("Q", "close", "U", "move")
    yield Pair(kinds, "one seat", acts, one, there=(_B, _C), plans=(*_TO_T, other))
    # U is full: what leaves T goes to S.
    there, other = (_B, _C, ("D", "T", BOOKED)), Planned("Q", "close", "T", "move")
    yield Pair(kinds, "into each other's slot", acts, one, seats=2, seats_of_t=2, there=there, plans=(*_TO_T, other))
