"""Two sides whose statements are let through one at a time, in every order that the database allows.

Each side is a task with connections of its own. It stops before each statement that touches the rows in question, and
before COMMIT and ROLLBACK, until it is let through. On PostgreSQL a side that is let through and then waits for a lock
is seen as blocked, and the other goes on; on SQLite whoever begins second would wait, so is not let begin.

Of orders that must come to the same, one is run: a plain read does not see what others have not committed, so it may
trade places with whatever is no COMMIT (sleep sets, Godefroid 1996).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import psycopg

from tests.drills.sides import Side, Step

_T = TypeVar("_T")
# Seconds after which a side that does not come back may be waiting for a lock: then PostgreSQL is asked.
_LOOK_AFTER: Final = 0.002
_PATIENCE: Final = 30.0


@dataclass
class Node:
    """A moment at which there was a choice: who could go on, and who need not, as it comes to what was tried."""

    choices: dict[int, Step]
    asleep: set[int]
    chosen: int = 0
    tried: set[int] = field(default_factory=set)

    @property
    def left(self) -> list[int]:
        """Choices still to be tried."""
        return sorted(self.choices.keys() - self.asleep - self.tried)

    def asleep_after(self) -> set[int]:
        """Who need not be chosen after the chosen one."""
        step = self.choices[self.chosen]
        return {side for side in self.asleep | self.tried if self.choices[side].commutes_with(step)}


@dataclass(frozen=True)
class Order(Generic[_T]):
    """One order that was run, and what came of it."""

    steps: Sequence[tuple[int, Step]]
    result: _T

    @property
    def told(self) -> str:
        """The steps in words."""
        return ", ".join(f"{'AB'[side]} {step.name}" for side, step in self.steps)


class Stage:
    """Runs two sides in one order after another."""

    def __init__(self, sides: tuple[Side, Side], monitor: psycopg.AsyncConnection[Any] | None) -> None:
        self.sides, self.monitor = sides, monitor

    async def every_order(self, run: Callable[[list[Node]], Awaitable[_T]]) -> list[Order[_T]]:
        """Run in every order; `run` calls `play` once, with the nodes that it is given."""
        nodes: list[Node] = []
        orders: list[Order[_T]] = []
        while True:
            self.steps: list[tuple[int, Step]] = []
            result = await run(nodes)
            orders.append(Order(self.steps, result))
            while nodes and not nodes[-1].left:
                nodes.pop()
            if not nodes:
                return orders
            nodes[-1].chosen = nodes[-1].left[0]

    async def play(self, nodes: list[Node], *work: Awaitable[Any]) -> list[Any]:
        """Run both to their ends in the order that the nodes say and, where they say nothing, in one not yet run.

        Returns what each has given, exceptions too.
        """
        for side, each in zip(self.sides, work, strict=True):
            side.start(each)
        depth, asleep, is_known = 0, set[int](), False
        while not all(side.is_done for side in self.sides):
            await self._settle()
            choices = {n: s.step for n, s in enumerate(self.sides) if s.step is not None and self._may_go_on(n)}
            if not choices:
                continue
            # Where all that may be chosen is asleep, what comes now was run before, in another order.
            is_known = is_known or (depth == len(nodes) and not choices.keys() - asleep)
            if is_known:
                chosen = min(choices)
            else:
                if depth == len(nodes):
                    nodes.append(Node(choices, asleep, min(choices.keys() - asleep)))
                node = nodes[depth]
                assert node.choices.keys() == choices.keys(), "the same steps in the same order led elsewhere"
                chosen, asleep = node.chosen, node.asleep_after()
                node.tried.add(chosen)
                depth += 1
            self.steps.append((chosen, self.sides[chosen].let_through()))
        ended = await asyncio.gather(*(side.task for side in self.sides if side.task), return_exceptions=True)
        for side in self.sides:
            side.task = None
        return ended

    def _may_go_on(self, number: int) -> bool:
        side, other = self.sides[number], self.sides[1 - number]
        return side.step is not None and not (side.step.is_begin and other.has_turn)

    async def _settle(self) -> None:
        """Wait until each side stands before a step, has ended, or waits for the other."""
        async with asyncio.timeout(_PATIENCE):
            while running := [side for side in self.sides if side.step is None and not side.is_done]:
                for side in running:
                    side.moved.clear()
                waits = [asyncio.ensure_future(side.moved.wait()) for side in running]
                done, waiting = await asyncio.wait(waits, timeout=_LOOK_AFTER, return_when=asyncio.FIRST_COMPLETED)
                for each in waiting:
                    each.cancel()
                # Where both wait for each other, PostgreSQL ends one of them in a second.
                if not done and len(running) == 1 and await self._is_blocked(running[0]):
                    return

    async def _is_blocked(self, side: Side) -> bool:
        if self.monitor is None or side.pid is None:
            return False
        found = await self.monitor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (side.pid,))
        row = await found.fetchone()
        return bool(row and row[0])
