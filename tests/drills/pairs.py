"""Every pair of things that two people do at the same time to one slot or booking, and what may come of each.

Slot S has one seat or two, slot T one unless a pair says otherwise; bookings are moved between the two.
"""

from collections.abc import Iterator
from typing import Final

from tests.drills.acts import cancel, confirm, expire, make, reschedule, slot_cancel
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
    REPLAYED,
    REUSED,
    STALE,
    SWEPT,
    Pair,
    any_of,
)
from tests.drills.plan_pairs import of_plans

KINDS: Final = ("book", "hold", "confirm", "cancel", "reschedule", "slot cancel", "expire", "plan")


def all_pairs() -> list[Pair]:
    """Every pair there is."""
    return [
        *_two_new(),
        *_new_and_confirm(),
        *_new_and_moved(),
        *_new_and_others(),
        *_of_one_booking(),
        *_of_slots(),
        *of_plans(),
    ]


def _two_new() -> Iterator[Pair]:
    for a, b in (("book", "book"), ("book", "hold"), ("hold", "hold")):
        acts, done = (make(a), make(b)), {"book": BOOKED, "hold": HELD}
        one_seat = any_of((done[a], NO_SEAT), (NO_SEAT, done[b]))
        yield Pair((a, b), "one seat", acts, one_seat)
        yield Pair((a, b), "two seats", acts, any_of((done[a], done[b])), seats=2)
        yield Pair((a, b), "one seat with a stale hold", acts, one_seat, there=(("E", "S", STALE),))
        same_key = (make(a, same_key=True), make(b, same_key=True))
        again = REPLAYED if a == b else REUSED
        yield Pair((a, b), "the same key", same_key, any_of((done[a], again), (again, done[b])), seats=2)


def _new_and_confirm() -> Iterator[Pair]:
    for what, done in (("book", BOOKED), ("hold", HELD)):
        kinds, acts = (what, "confirm"), (make(what), confirm("H"))
        held = (("H", "S", HELD),)
        yield Pair(kinds, "the only seat is held", acts, any_of((NO_SEAT, CONFIRMED)), there=held)
        yield Pair(kinds, "one of two seats is held", acts, any_of((done, CONFIRMED)), seats=2, there=held)
        yield Pair(
            kinds,
            "the hold is stale",
            acts,
            any_of((done, EXPIRED)),
            there=(("H", "S", STALE),),
        )


def _new_and_moved() -> Iterator[Pair]:
    for what, done in (("book", BOOKED), ("hold", HELD)):
        kinds, there = (what, "reschedule"), (("B", "T", BOOKED),)
        acts = (make(what), reschedule("B", "S"))
        yield Pair(kinds, "both want the last seat", acts, any_of((done, NO_SEAT), (NO_SEAT, MOVED)), there=there)
        yield Pair(kinds, "both want one of two seats", acts, any_of((done, MOVED)), seats=2, there=there)
        yield Pair(
            kinds,
            "the seat that is left",
            (make(what), reschedule("B", "T")),
            any_of((done, MOVED), (NO_SEAT, MOVED)),
            there=(("B", "S", BOOKED),),
        )


def _new_and_others() -> Iterator[Pair]:
    booked = (("B", "S", BOOKED),)
    for what, done in (("book", BOOKED), ("hold", HELD)):
        acts = (make(what), cancel("B"))
        yield Pair((what, "cancel"), "one seat", acts, any_of((done, CANCELLED), (NO_SEAT, CANCELLED)), there=booked)
        yield Pair((what, "cancel"), "two seats", acts, any_of((done, CANCELLED)), seats=2, there=booked)
        acts = (make(what), slot_cancel("S"))
        for seats in (1, 2):
            about = f"{seats} free"
            yield Pair((what, "slot cancel"), about, acts, any_of((done, GONE), (NO_SEAT, GONE)), seats=seats)
        yield Pair(
            (what, "expire"),
            "one seat with a stale hold",
            (make(what), expire),
            any_of((done, SWEPT)),
            there=(("E", "S", STALE),),
        )


def _of_one_booking() -> Iterator[Pair]:
    held, stale, booked = (("H", "S", HELD),), (("H", "S", STALE),), (("B", "S", BOOKED),)
    two = (confirm("H"), confirm("H"))
    yield Pair(("confirm", "confirm"), "one hold", two, any_of((CONFIRMED, CONFIRMED)), there=held)
    yield Pair(("confirm", "confirm"), "a stale hold", two, any_of((EXPIRED, EXPIRED)), there=stale)
    acts = (confirm("H"), cancel("H"))
    yield Pair(("confirm", "cancel"), "one hold", acts, any_of((CONFIRMED, CANCELLED), (ENDED, CANCELLED)), there=held)
    acts = (confirm("H"), reschedule("H", "T"))
    yield Pair(("confirm", "reschedule"), "one hold", acts, any_of((CONFIRMED, MOVED), (CONFIRMED, ENDED)), there=held)
    acts = (confirm("H"), expire)
    yield Pair(("confirm", "expire"), "one hold", acts, any_of((CONFIRMED, SWEPT)), there=held)
    yield Pair(("confirm", "expire"), "a stale hold", acts, any_of((EXPIRED, SWEPT)), there=stale)
    acts = (cancel("B"), cancel("B"))
    yield Pair(("cancel", "cancel"), "one booking", acts, any_of((CANCELLED, CANCELLED)), there=booked)
    acts = (cancel("B"), reschedule("B", "T"))
    yield Pair(
        ("cancel", "reschedule"), "one booking", acts, any_of((CANCELLED, MOVED), (CANCELLED, ENDED)), there=booked
    )
    acts = (cancel("H"), expire)
    yield Pair(("cancel", "expire"), "one hold", acts, any_of((CANCELLED, SWEPT)), there=held)
    yield Pair(("cancel", "expire"), "a stale hold", acts, any_of((ENDED, SWEPT)), there=stale)
    acts = (reschedule("B", "T"), reschedule("B", "T"))
    yield Pair(("reschedule", "reschedule"), "one booking, one goal", acts, any_of((MOVED, MOVED)), there=booked)
    acts = (reschedule("B", "T"), reschedule("B", "U"))
    yield Pair(("reschedule", "reschedule"), "one booking, two goals", acts, any_of((MOVED, MOVED)), there=booked)


def _of_slots() -> Iterator[Pair]:
    held, stale, booked = (("H", "S", HELD),), (("H", "S", STALE),), (("B", "S", BOOKED),)
    one_each = (("B", "S", BOOKED), ("C", "T", BOOKED))
    acts = (confirm("H"), reschedule("C", "S"))
    there = (*held, ("C", "T", BOOKED))
    yield Pair(("confirm", "reschedule"), "into its slot", acts, any_of((CONFIRMED, MOVED)), seats=2, there=there)
    acts = (confirm("H"), slot_cancel("S"))
    yield Pair(("confirm", "slot cancel"), "one hold", acts, any_of((CONFIRMED, GONE), (ENDED, GONE)), there=held)
    yield Pair(("confirm", "slot cancel"), "a stale hold", acts, any_of((EXPIRED, GONE)), there=stale)
    acts = (cancel("C"), reschedule("B", "T"))
    wins = any_of((CANCELLED, MOVED), (CANCELLED, NO_SEAT))
    yield Pair(("cancel", "reschedule"), "the seat that is freed", acts, wins, there=one_each)
    acts = (cancel("B"), slot_cancel("S"))
    yield Pair(("cancel", "slot cancel"), "its booking", acts, any_of((CANCELLED, GONE)), there=booked)
    acts = (reschedule("B", "U"), reschedule("C", "U"))
    wins = any_of((MOVED, NO_SEAT), (NO_SEAT, MOVED))
    yield Pair(("reschedule", "reschedule"), "two bookings, one seat", acts, wins, there=one_each)
    acts = (reschedule("B", "T"), reschedule("C", "S"))
    yield Pair(("reschedule", "reschedule"), "a swap of full slots", acts, any_of((NO_SEAT, NO_SEAT)), there=one_each)
    swap = any_of((MOVED, MOVED))
    yield Pair(("reschedule", "reschedule"), "a swap", acts, swap, seats=2, seats_of_t=2, there=one_each)
    acts = (reschedule("B", "T"), slot_cancel("T"))
    yield Pair(("reschedule", "slot cancel"), "its goal", acts, any_of((MOVED, GONE), (NO_SEAT, GONE)), there=booked)
    acts = (reschedule("B", "T"), slot_cancel("S"))
    yield Pair(("reschedule", "slot cancel"), "its slot", acts, any_of((MOVED, GONE), (ENDED, GONE)), there=booked)
    acts = (reschedule("B", "T"), expire)
    yield Pair(
        ("reschedule", "expire"),
        "a stale hold on the goal",
        acts,
        any_of((MOVED, SWEPT)),
        there=(*booked, ("E", "T", STALE)),
    )
    acts = (slot_cancel("S"), slot_cancel("S"))
    yield Pair(("slot cancel", "slot cancel"), "with a booking", acts, any_of((GONE, GONE)), there=booked)
    acts = (slot_cancel("S"), expire)
    yield Pair(("slot cancel", "expire"), "a stale hold", acts, any_of((GONE, SWEPT)), there=stale)
    yield Pair(("expire", "expire"), "a stale hold", (expire, expire), any_of((SWEPT, SWEPT)), there=stale)
