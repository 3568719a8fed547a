"""Who could go where, whatever there is: seats are given once, and nobody is in two places."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import combinations
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as some

from app.consultations.plan_matching import SOONER, Free, Seats, Span, blocked, topic_of

DAY = datetime(2031, 1, 1, tzinfo=UTC)


def a_slot(number: int, hour: int, topic: str, location: UUID | None, clinician: UUID | None) -> SimpleNamespace:
    """A slot that begins at this hour."""
    return SimpleNamespace(
        id=UUID(int=number), starts_at=DAY + timedelta(hours=hour), condition_id=topic, category_id=None, mode="video",
        location_id=location, clinician_id=clinician,
    )  # fmt: skip


PLACES = some.sampled_from([None, UUID(int=1), UUID(int=2)])
SLOTS = some.lists(
    some.tuples(some.integers(-60, 60), some.sampled_from("ab"), PLACES, PLACES, some.integers(0, 2)), max_size=12
)


@given(SLOTS, SLOTS)
def test_a_seat_is_proposed_once_and_nothing_better_is_left(free: list[Any], wanted: list[Any]) -> None:
    found = {UUID(int=n): (a_slot(n, *each[:4]), each[4]) for n, each in enumerate(free)}
    seats = Seats.of(
        (Free(slot.starts_at, slot.id, slot.clinician_id, slot.location_id, topic_of(slot), 1), number)
        for slot, number in found.values()
    )
    given_away: Counter[UUID] = Counter()

    def rank(slot: Any, mine: Any) -> tuple[bool, bool, timedelta]:
        is_here = slot.location_id == mine.location_id
        return (
            not (is_here and slot.clinician_id == mine.clinician_id),
            not is_here,
            abs(slot.starts_at - mine.starts_at),
        )

    for number, each in enumerate(wanted):
        mine = a_slot(1_000 + number, *each[:4])
        fitting = [
            rank(slot, mine)
            for slot, left in found.values()
            if left > given_away[slot.id]
            and topic_of(slot) == topic_of(mine)
            and mine.starts_at - slot.starts_at <= SOONER
        ]
        others = {other.id for other in seats.look(mine, but=None)}
        taken = seats.take(mine)
        assert (taken is None) == (not fitting) == (not others)
        if taken is not None:
            assert rank(found[taken.id][0], mine) == min(fitting)
            given_away[taken.id] += 1
    assert all(given_away[slot_id] <= number for slot_id, (_, number) in found.items())


SPANS = some.dictionaries(some.integers(0, 30), some.tuples(some.integers(-4, 4), some.booleans()), max_size=12)


@given(SPANS, some.sets(some.integers(0, 30), max_size=6))
def test_who_is_moved_is_in_nobodys_way(going: dict[int, tuple[int, bool]], staying: set[int]) -> None:
    def held(number: int, hour: int, *, with_room: bool) -> list[tuple[str, Span]]:
        span = Span(DAY + timedelta(hours=hour), DAY + timedelta(hours=hour + 1), UUID(int=number))
        return [("clinician", span), *([("room", span)] if with_room else [])]

    # At the present, each has an hour of its own.
    old = {UUID(int=n): held(n, n, with_room=room) for n, (_, room) in going.items()}
    new = {UUID(int=n): held(n, n + shift, with_room=room) for n, (shift, room) in going.items()}
    others = [each for n in staying - going.keys() for each in held(n, n, with_room=True)]
    stuck = blocked(old, new, others)
    after = others + [each for slot_id in old for each in (old if slot_id in stuck else new)[slot_id]]
    for (holder, one), (whose, other) in combinations(after, 2):
        assert holder != whose or one.ends_at <= other.starts_at or other.ends_at <= one.starts_at
    # Whoever moves alone, where nobody is, is not held up.
    for slot_id in stuck:
        near = [span for _, span in others] + [
            s for other in old if other != slot_id for m in (old, new) for _, s in m[other]
        ]
        assert any(
            span.starts_at < mine.ends_at and mine.starts_at < span.ends_at for _, mine in new[slot_id] for span in near
        )
