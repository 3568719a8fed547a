"""Every pair of things that two people do at the same time to one slot or booking, and what may come of each.

Slot S has one seat or two, slot T one unless a pair says otherwise; bookings are moved between the two.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.drills.acts import Act, cancel, confirm, expire, make, reschedule, slot_cancel

NO_SEAT, ENDED, EXPIRED, REUSED = "slot-taken", "booking-ended", "hold-expired", "idempotency-key-reused"
CONFIRMED, CANCELLED, MOVED, GONE, SWEPT = "confirmed", "cancelled", "moved", "gone", "swept"
BOOKED, HELD, STALE, REPLAYED = "booked", "held", "stale", "replayed"
KINDS: Final = ("book", "hold", "confirm", "cancel", "reschedule", "slot cancel", "expire")
Outcomes = tuple[str, str]


@dataclass(frozen=True)
class Pair:
    """Two acts at the same time, and every way in which they may end."""

    kinds: tuple[str, str]
    about: str
    acts: tuple[Act, Act]
    allowed: frozenset[Outcomes]
    seats: int = 1
    seats_of_t: int = 1
    # Bookings that are there before: name, slot, and whether booked, held or stale.
    there: tuple[tuple[str, str, str], ...] = ()

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{' | '.join(self.kinds)}: {self.about}"

    @property
    def has_stale_hold(self) -> bool:
        """Whether a hold is over from the start."""
        return any(how == STALE for _, _, how in self.there)


def all_pairs() -> list[Pair]:
    """Every pair there is."""
    return [*_two_new(), *_new_and_confirm(), *_new_and_moved(), *_new_and_others(), *_of_one_booking(), *_of_slots()]


def _two_new() -> Iterator[Pair]:
    for a, b in (("book", "book"), ("book", "hold"), ("hold", "hold")):
        acts, done = (make(a), make(b)), {"book": BOOKED, "hold": HELD}
        one_seat = _any((done[a], NO_SEAT), (NO_SEAT, done[b]))
        yield Pair((a, b), "one seat", acts, one_seat)
        yield Pair((a, b), "two seats", acts, _any((done[a], done[b])), seats=2)
        yield Pair((a, b), "one seat with a stale hold", acts, one_seat, there=(("E", "S", STALE),))
        same_key = (make(a, same_key=True), make(b, same_key=True))
        again = REPLAYED if a == b else REUSED
        yield Pair((a, b), "the same key", same_key, _any((done[a], again), (again, done[b])), seats=2)


def _new_and_confirm() -> Iterator[Pair]:
    for what, done in (("book", BOOKED), ("hold", HELD)):
        kinds, acts = (what, "confirm"), (make(what), confirm("H"))
        held = (("H", "S", HELD),)
        yield Pair(kinds, "the only seat is held", acts, _any((NO_SEAT, CONFIRMED)), there=held)
        yield Pair(kinds, "one of two seats is held", acts, _any((done, CONFIRMED)), seats=2, there=held)
        yield Pair(
            kinds,
            "the hold is stale",
            acts,
            _any((done, EXPIRED)),
            there=(("H", "S", STALE),),
        )


def _new_and_moved() -> Iterator[Pair]:
    for what, done in (("book", BOOKED), ("hold", HELD)):
        kinds, there = (what, "reschedule"), (("B", "T", BOOKED),)
        acts = (make(what), reschedule("B", "S"))
        yield Pair(kinds, "both want the last seat", acts, _any((done, NO_SEAT), (NO_SEAT, MOVED)), there=there)
        yield Pair(kinds, "both want one of two seats", acts, _any((done, MOVED)), seats=2, there=there)
        yield Pair(
            kinds,
            "the seat that is left",
            (make(what), reschedule("B", "T")),
            _any((done, MOVED), (NO_SEAT, MOVED)),
            there=(("B", "S", BOOKED),),
        )


def _new_and_others() -> Iterator[Pair]:
    booked = (("B", "S", BOOKED),)
    for what, done in (("book", BOOKED), ("hold", HELD)):
        acts = (make(what), cancel("B"))
        yield Pair((what, "cancel"), "one seat", acts, _any((done, CANCELLED), (NO_SEAT, CANCELLED)), there=booked)
        yield Pair((what, "cancel"), "two seats", acts, _any((done, CANCELLED)), seats=2, there=booked)
        acts = (make(what), slot_cancel("S"))
        for seats in (1, 2):
            about = f"{seats} free"
            yield Pair((what, "slot cancel"), about, acts, _any((done, GONE), (NO_SEAT, GONE)), seats=seats)
        yield Pair(
            (what, "expire"),
            "one seat with a stale hold",
            (make(what), expire),
            _any((done, SWEPT)),
            there=(("E", "S", STALE),),
        )


def _of_one_booking() -> Iterator[Pair]:
    held, stale, booked = (("H", "S", HELD),), (("H", "S", STALE),), (("B", "S", BOOKED),)
    two = (confirm("H"), confirm("H"))
    yield Pair(("confirm", "confirm"), "one hold", two, _any((CONFIRMED, CONFIRMED)), there=held)
    yield Pair(("confirm", "confirm"), "a stale hold", two, _any((EXPIRED, EXPIRED)), there=stale)
    acts = (confirm("H"), cancel("H"))
    yield Pair(("confirm", "cancel"), "one hold", acts, _any((CONFIRMED, CANCELLED), (ENDED, CANCELLED)), there=held)
    acts = (confirm("H"), reschedule("H", "T"))
    yield Pair(("confirm", "reschedule"), "one hold", acts, _any((CONFIRMED, MOVED), (CONFIRMED, ENDED)), there=held)
    acts = (confirm("H"), expire)
    yield Pair(("confirm", "expire"), "one hold", acts, _any((CONFIRMED, SWEPT)), there=held)
    yield Pair(("confirm", "expire"), "a stale hold", acts, _any((EXPIRED, SWEPT)), there=stale)
    acts = (cancel("B"), cancel("B"))
    yield Pair(("cancel", "cancel"), "one booking", acts, _any((CANCELLED, CANCELLED)), there=booked)
    acts = (cancel("B"), reschedule("B", "T"))
    yield Pair(
        ("cancel", "reschedule"), "one booking", acts, _any((CANCELLED, MOVED), (CANCELLED, ENDED)), there=booked
    )
    acts = (cancel("H"), expire)
    yield Pair(("cancel", "expire"), "one hold", acts, _any((CANCELLED, SWEPT)), there=held)
    yield Pair(("cancel", "expire"), "a stale hold", acts, _any((ENDED, SWEPT)), there=stale)
    acts = (reschedule("B", "T"), reschedule("B", "T"))
    yield Pair(("reschedule", "reschedule"), "one booking, one goal", acts, _any((MOVED, MOVED)), there=booked)
    acts = (reschedule("B", "T"), reschedule("B", "U"))
    yield Pair(("reschedule", "reschedule"), "one booking, two goals", acts, _any((MOVED, MOVED)), there=booked)


def _of_slots() -> Iterator[Pair]:
    held, stale, booked = (("H", "S", HELD),), (("H", "S", STALE),), (("B", "S", BOOKED),)
    one_each = (("B", "S", BOOKED), ("C", "T", BOOKED))
    acts = (confirm("H"), reschedule("C", "S"))
    there = (*held, ("C", "T", BOOKED))
    yield Pair(("confirm", "reschedule"), "into its slot", acts, _any((CONFIRMED, MOVED)), seats=2, there=there)
    acts = (confirm("H"), slot_cancel("S"))
    yield Pair(("confirm", "slot cancel"), "one hold", acts, _any((CONFIRMED, GONE), (ENDED, GONE)), there=held)
    yield Pair(("confirm", "slot cancel"), "a stale hold", acts, _any((EXPIRED, GONE)), there=stale)
    acts = (cancel("C"), reschedule("B", "T"))
    wins = _any((CANCELLED, MOVED), (CANCELLED, NO_SEAT))
    yield Pair(("cancel", "reschedule"), "the seat that is freed", acts, wins, there=one_each)
    acts = (cancel("B"), slot_cancel("S"))
    yield Pair(("cancel", "slot cancel"), "its booking", acts, _any((CANCELLED, GONE)), there=booked)
    acts = (reschedule("B", "U"), reschedule("C", "U"))
    wins = _any((MOVED, NO_SEAT), (NO_SEAT, MOVED))
    yield Pair(("reschedule", "reschedule"), "two bookings, one seat", acts, wins, there=one_each)
    acts = (reschedule("B", "T"), reschedule("C", "S"))
    yield Pair(("reschedule", "reschedule"), "a swap of full slots", acts, _any((NO_SEAT, NO_SEAT)), there=one_each)
    swap = _any((MOVED, MOVED))
    yield Pair(("reschedule", "reschedule"), "a swap", acts, swap, seats=2, seats_of_t=2, there=one_each)
    acts = (reschedule("B", "T"), slot_cancel("T"))
    yield Pair(("reschedule", "slot cancel"), "its goal", acts, _any((MOVED, GONE), (NO_SEAT, GONE)), there=booked)
    acts = (reschedule("B", "T"), slot_cancel("S"))
    yield Pair(("reschedule", "slot cancel"), "its slot", acts, _any((MOVED, GONE), (ENDED, GONE)), there=booked)
    acts = (reschedule("B", "T"), expire)
    yield Pair(
        ("reschedule", "expire"),
        "a stale hold on the goal",
        acts,
        _any((MOVED, SWEPT)),
        there=(*booked, ("E", "T", STALE)),
    )
    acts = (slot_cancel("S"), slot_cancel("S"))
    yield Pair(("slot cancel", "slot cancel"), "with a booking", acts, _any((GONE, GONE)), there=booked)
    acts = (slot_cancel("S"), expire)
    yield Pair(("slot cancel", "expire"), "a stale hold", acts, _any((GONE, SWEPT)), there=stale)
    yield Pair(("expire", "expire"), "a stale hold", (expire, expire), _any((SWEPT, SWEPT)), there=stale)


def _any(*outcomes: Outcomes) -> frozenset[Outcomes]:
    return frozenset(outcomes)
