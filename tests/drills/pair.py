"""Two things that people do at the same time, and what may come of them."""

from dataclasses import dataclass

from tests.drills.acts import Act, Planned

NO_SEAT, ENDED, EXPIRED, REUSED = "slot-taken", "booking-ended", "hold-expired", "idempotency-key-reused"
CONFIRMED, CANCELLED, MOVED, GONE, SWEPT = "confirmed", "cancelled", "moved", "gone", "swept"
BOOKED, HELD, STALE, REPLAYED = "booked", "held", "stale", "replayed"
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
    # Plans that were made before.
    plans: tuple[Planned, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{' | '.join(self.kinds)}: {self.about}"

    @property
    def has_stale_hold(self) -> bool:
        """Whether a hold is over from the start."""
        return any(how == STALE for _, _, how in self.there)


def any_of(*outcomes: Outcomes) -> frozenset[Outcomes]:
    """Ways in which a pair may end."""
    return frozenset(outcomes)
