"""`carepath`, but for one point in the path of a request at which the process is killed. Never part of the app.

`python tests/drills/crashing.py serve ...`: with a point's name in the file that `DRILL_CRASH_FILE` names, the process
dies when it gets there; without the file it serves as ever.
"""

import inspect
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

VARIABLE = "DRILL_CRASH_FILE"
IN_COMMIT, AFTER_COMMIT = "in the middle of COMMIT", "after COMMIT, before the answer"
# Each point: the module, the function in it, and whether the process dies before or after that.
POINTS: dict[str, tuple[str, str, str]] = {
    "before the key is claimed": ("app.access.idempotency", "_claim", "before"),
    "after the key is claimed": ("app.access.idempotency", "_claim", "after"),
    "after the slot is locked": ("app.consultations.slots", "lock", "after"),
    "after the seat is taken": ("app.consultations.seats", "take", "after"),
    "after the seat is moved": ("app.consultations.seats", "move", "after"),
    "after the state is changed": ("app.consultations.steps", "change", "after"),
    "before the patient is sealed": ("app.consultations.patients", "_values", "before"),
    "before the last rows are written": ("app.core.db", "write_deferred", "before"),
    "after the last rows are written": ("app.core.db", "write_deferred", "after"),
}
EVERY_POINT = (*POINTS, IN_COMMIT, AFTER_COMMIT)


def main() -> None:
    """Break the app and run its command."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    import importlib  # noqa: PLC0415 - after the checkout is on the path

    from app import cli  # noqa: PLC0415

    for point, (module, name, when) in POINTS.items():
        place = importlib.import_module(module)
        setattr(place, name, _breaking(getattr(place, name), point, when))
    _break_commits()
    cli.main()


def die_if_told(point: str, *, after: float = 0) -> None:
    """As the kernel kills: nothing of ours runs any more."""
    try:
        told = Path(os.environ[VARIABLE]).read_text()
    except FileNotFoundError:
        return
    if told == point:
        time.sleep(after)
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)


def _breaking(function: Callable[..., Any], point: str, when: str) -> Callable[..., Any]:
    @wraps(function)
    async def waited_for(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            die_if_told(point)
        result = await function(*arguments, **named)
        if when == "after":
            die_if_told(point)
        return result

    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        die_if_told(point)
        return function(*arguments, **named)

    return waited_for if inspect.iscoroutinefunction(function) else called


def _break_commits() -> None:
    from sqlalchemy import event  # noqa: PLC0415
    from sqlalchemy.engine import Engine  # noqa: PLC0415

    from app.core.db import Database  # noqa: PLC0415

    @event.listens_for(Engine, "commit")
    def die_meanwhile(_connection: Any) -> None:
        delay = time.perf_counter_ns() % 1_000 / 1_000_000
        threading.Thread(target=die_if_told, args=(IN_COMMIT,), kwargs={"after": delay}, daemon=True).start()

    write = Database.write

    @asynccontextmanager
    async def dying_write(self: Database) -> Any:
        async with write(self) as session:
            yield session
        die_if_told(AFTER_COMMIT)

    Database.write = dying_write  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
