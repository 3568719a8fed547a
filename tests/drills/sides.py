"""The sides of a schedule: tasks that stop before each statement that touches the rows in question."""

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.util import await_only

from app.core.db import Database
from app.core.locks import FileLock

_TOUCHED: Final = re.compile(r"\b(consultation_slots|consultation_bookings|idempotency_keys|slot_plans)\b")
_WRITES: Final = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")


@dataclass(frozen=True, slots=True)
class Step:
    """What a side is about to do."""

    name: str
    # Sees what is committed, locks nothing and changes nothing.
    is_plain_read: bool = False
    is_begin: bool = False

    def commutes_with(self, other: "Step") -> bool:
        """Whether the order of the two makes no difference."""
        return (self.is_plain_read and other.name not in _ENDS) or (other.is_plain_read and self.name not in _ENDS)


_BEGIN, _COMMIT, _ROLLBACK = Step("BEGIN", is_begin=True), Step("COMMIT"), Step("ROLLBACK")
_ENDS: Final = ("COMMIT", "ROLLBACK")


class Side:
    """One of the two: whoever writes through this database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.pid: int | None = None
        # The step before which it stands, and what lets it through; none while it runs.
        self.step: Step | None = None
        self._gate: asyncio.Future[None] | None = None
        self.has_turn = False
        self.task: asyncio.Task[Any] | None = None
        self.moved = asyncio.Event()
        engine = database.writing.sync_engine
        event.listen(engine, "before_cursor_execute", self._before_statement)
        event.listen(engine, "commit", lambda connection: self._stop(connection, _COMMIT))
        event.listen(engine, "rollback", lambda connection: self._stop(connection, _ROLLBACK))
        if database.writer is not None:
            database.writer = _Turn(self, database.writer)  # type: ignore[assignment]

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.task is not None and self.task.done()

    def start(self, work: Awaitable[Any]) -> None:
        """Begin, up to the first step."""
        self.task = asyncio.ensure_future(work)
        self.task.add_done_callback(lambda _: self.moved.set())

    def let_through(self) -> Step:
        """Let it take the step before which it stands."""
        assert self._gate is not None
        assert self.step is not None
        gate, step, self._gate, self.step = self._gate, self.step, None, None
        gate.set_result(None)
        return step

    async def stop(self, step: Step) -> None:
        """Stand before this step until let through; a side that was not started by a schedule just goes on."""
        if self.task is None:
            return
        self.step, self._gate = step, asyncio.get_running_loop().create_future()
        self.moved.set()
        await self._gate

    def _before_statement(
        self,
        connection: Any,
        _cursor: Any,
        statement: str,
        _values: Any,
        _context: Any,
        _many: bool,
    ) -> None:
        tables = sorted({name.removeprefix("consultation_") for name in _TOUCHED.findall(statement)})
        if tables:
            verb = _WRITES.search(statement)
            kind = "LOCK" if " FOR " in statement else verb[0] if verb else "SELECT"
            self._stop(connection, Step(f"{kind} {'+'.join(tables)}", is_plain_read=kind == "SELECT"))

    def _stop(self, connection: Any, step: Step) -> None:
        if self.database.writer is None:
            self.pid = connection.connection.driver_connection.info.backend_pid
        await_only(self.stop(step))


class _Turn:
    """SQLite's writers take turns: to begin is a step, too."""

    def __init__(self, side: Side, lock: FileLock) -> None:
        self.side, self.lock = side, lock

    async def __aenter__(self) -> None:
        await self.side.stop(_BEGIN)
        await self.lock.__aenter__()
        self.side.has_turn = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.side.has_turn = False
        await self.lock.__aexit__(kind, error, trace)

    def close(self) -> None:
        self.lock.close()
