"""What came of the orders that were run, and whether it may."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.drills.pair import Outcomes, Pair
from tests.drills.schedule import Order

_LINE = "\n"


@dataclass(frozen=True)
class Result:
    """How both ended, and what they left."""

    outcomes: Outcomes
    # Statuses of slots; slot, state and version of bookings, by the names that the pair gives them.
    left: tuple[Any, ...]
    # Of all that took part: to find the run that broke an invariant.
    ids: frozenset[UUID]


@dataclass
class Figures:
    """What was run on one database."""

    seconds: float = 0
    # By pair, how many orders were run, and how many there are of so many steps a side, could each follow any other.
    run: Counter[str] = field(default_factory=Counter)
    covered: Counter[str] = field(default_factory=Counter)
    outcomes: dict[str, Counter[Outcomes]] = field(default_factory=dict)
    most_steps: int = 0
    broken: list[str] = field(default_factory=list)

    def judge(self, pair: Pair, orders: Sequence[Order[Result]]) -> None:
        """Count these orders, and note what is wrong with them."""
        self.run[pair.name] = len(orders)
        self.outcomes[pair.name] = Counter(order.result.outcomes for order in orders)
        most = [max(sum(side == number for side, _ in order.steps) for order in orders) for number in (0, 1)]
        self.covered[pair.name] = math.comb(sum(most), most[0])
        self.most_steps = max(self.most_steps, *most)
        one_after_the_other = {order.result.left for order in orders if _is_serial(order)}
        # One order of each kind of fault is enough to tell.
        faults: dict[str, str] = {}
        for order in orders:
            outcomes = order.result.outcomes
            if outcomes not in pair.allowed:
                faults.setdefault(f"ended {' and '.join(outcomes)}", order.told)
            elif order.result.left not in one_after_the_other:
                faults.setdefault(f"left {order.result.left}", order.told)
        self.broken += [f"{pair.name}: {fault} after {told}" for fault, told in faults.items()]
        unseen = pair.allowed - self.outcomes[pair.name].keys()
        if unseen:
            self.broken.append(f"{pair.name}: never ended {' or '.join(' and '.join(each) for each in sorted(unseen))}")


def report(title: str, figures: Figures) -> str:
    """The figures as Markdown."""
    by_kinds: dict[str, list[str]] = {}
    for name in figures.run:
        by_kinds.setdefault(name.split(":")[0], []).append(name)
    tables = [
        f"| {kinds.replace('|', 'and')} | {len(names)} | {sum(figures.run[name] for name in names)} "
        f"| {sum(figures.covered[name] for name in names):,} |"
        for kinds, names in by_kinds.items()
    ]
    run, covered = figures.run.total(), figures.covered.total()
    return f"""## Interleavings on {title}

{len(by_kinds)} pairs of acts in {len(figures.run)} situations: {run:,} orders run in {figures.seconds:.0f} s. \
They stand for all {covered:,} that can be thought of: the others are those that locks forbid, and those in which a \
plain read trades places with what it cannot see. At most {figures.most_steps} steps a side, COMMIT and ROLLBACK too.

| pair | situations | orders run | of |
| --- | --: | --: | --: |
{_LINE.join(tables)}

Broken: {"".join(f"{_LINE}- {what}" for what in figures.broken[:50]) or "nothing"}
"""


def _is_serial(order: Order[Result]) -> bool:
    sides = [side for side, _ in order.steps]
    return sides in (sorted(sides), sorted(sides, reverse=True))
