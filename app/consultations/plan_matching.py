"""Who could go where: pure arithmetic, without a session and without a clock."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, NamedTuple
from uuid import UUID

MOST_ALTERNATIVES: Final = 3
# Nobody is sent to a consultation that begins much sooner than the one that was booked.
SOONER: Final = timedelta(days=1)


class Free(NamedTuple):
    """A slot with seats that are free, in the order of time."""

    starts_at: datetime
    id: UUID
    clinician_id: UUID | None
    location_id: UUID | None
    topic: Hashable
    version: int


@dataclass(slots=True)
class Seats:
    """Free seats of slots, given away one by one: what fits best first.

    That is a slot for the same topic, at the same location with the same clinician if there is one, else at the same
    location, else anywhere; of several the one that is nearest in time.
    """

    left: dict[UUID, int]
    _near: dict[Hashable, list[Free]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, found: Iterable[tuple[Free, int]]) -> "Seats":
        """These slots, each with how many seats are free."""
        seats = cls({})
        for free, number in found:
            seats.left[free.id] = number
            for key in _keys(free):
                seats._near[key].append(free)
        for slots in seats._near.values():
            slots.sort()
        return seats

    def take(self, wanted: Any) -> Free | None:
        """The seat that fits best for a booking of this slot; it is given to nobody else."""
        for free in self._fitting(wanted):
            self.left[free.id] -= 1
            return free
        return None

    def look(self, wanted: Any, *, but: UUID | None) -> list[Free]:
        """Some more that fit, and stay free."""
        found = (free for free in self._fitting(wanted) if free.id != but)
        return list(islice(found, MOST_ALTERNATIVES))

    def _fitting(self, wanted: Any) -> Iterator[Free]:
        told: set[UUID] = set()
        for key in _keys(wanted):
            for free in self._nearest(self._near.get(key, []), wanted.starts_at):
                if free.id not in told:
                    told.add(free.id)
                    yield free

    def _nearest(self, slots: list[Free], moment: datetime) -> Iterator[Free]:
        """From the moment outwards, as far as a seat is left; what has none is forgotten."""
        later = bisect_left(slots, moment, key=lambda free: free.starts_at)
        sooner = later - 1
        while sooner >= 0 or later < len(slots):
            is_sooner = later == len(slots) or (
                sooner >= 0 and moment - slots[sooner].starts_at < slots[later].starts_at - moment
            )
            free = slots[sooner] if is_sooner else slots[later]
            if is_sooner and moment - free.starts_at > SOONER:
                sooner = -1
            elif self.left[free.id] > 0:
                yield free
                sooner, later = (sooner - 1, later) if is_sooner else (sooner, later + 1)
            else:
                del slots[sooner if is_sooner else later]
                sooner, later = (sooner - 1, later - 1) if is_sooner else (sooner, later)


def topic_of(slot: Any) -> Hashable:
    """What a slot is offered for and how one meets there: a booking that had the one can have the other."""
    return slot.condition_id, slot.category_id, slot.mode


def _keys(slot: Any) -> Iterator[Hashable]:
    topic = slot.topic if isinstance(slot, Free) else topic_of(slot)
    yield topic, slot.location_id, slot.clinician_id
    yield topic, slot.location_id
    yield (topic,)


class Span(NamedTuple):
    """A slot's time, of whoever is busy in it."""

    starts_at: datetime
    ends_at: datetime
    slot_id: UUID


# A slot's time, for each holder of it: its clinician, its room.
Held = Sequence[tuple[Hashable, Span]]


def blocked(old: Mapping[UUID, Held], new: Mapping[UUID, Held], others: Held) -> set[UUID]:
    """Which slots cannot go to their new time, because a holder of it is busy then with a slot that stays where it is.

    `old` is what the slots that go hold now, `new` what they want, `others` what slots that stay hold. Who cannot go
    stays as well, and may so be in the way of the next one.
    """
    taken: dict[Hashable, list[Span]] = defaultdict(list)
    going: dict[Hashable, list[Span]] = defaultdict(list)
    stuck: list[UUID] = []
    for holder, span in others:
        taken[holder].append(span)
    for spans in taken.values():
        spans.sort()
    # Soonest first: of two that want the same time, it is the one who is there before.
    for slot_id, wanted in sorted(new.items(), key=lambda each: [span for _, span in each[1]]):
        if any(_hits(taken[holder], span) or _hits(going[holder], span) for holder, span in wanted):
            stuck.append(slot_id)
        else:
            for holder, span in wanted:
                insort(going[holder], span)
    found = set(stuck)
    while stuck:
        for holder, span in old.get(stuck.pop(), ()):
            for hit in _hits(going[holder], span):
                found.add(hit.slot_id)
                stuck.append(hit.slot_id)
                for its_holder, its_span in new[hit.slot_id]:
                    going[its_holder].remove(its_span)
    return found


def _hits(spans: list[Span], wanted: Span) -> list[Span]:
    """Those of these spans, which are apart and in order, that overlap with this one."""
    last = first = bisect_left(spans, wanted.ends_at, key=lambda span: span.starts_at)
    while first and spans[first - 1].ends_at > wanted.starts_at:
        first -= 1
    return spans[first:last]
