"""`carepath` with one promise taken away, so that a drill can show that it would see it. Never part of the app.

`python tests/drills/careless.py unsynced serve ...`
"""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

# How long a careless answer is ahead of its COMMIT.
AHEAD_SECONDS = 0.2


def unsynced() -> None:
    """SQLite leaves it to the kernel when what it wrote comes to the disk."""
    from app.core import sqlite  # noqa: PLC0415 - after the checkout is on the path

    connect = sqlite._connect  # noqa: SLF001 - the place where the pragmas are set

    def connect_unsynced(path: Path, pragmas: Any) -> Any:
        return connect(path, (*pragmas, "synchronous=OFF"))

    sqlite._connect = connect_unsynced  # noqa: SLF001 - see above


def ahead() -> None:
    """A client has its answer before the COMMIT, as with FastAPI's dependencies unless they are told otherwise."""
    from app.core.db import Database  # noqa: PLC0415

    write = Database.write
    waiting: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def write_later(self: Database) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            yield await stack.enter_async_context(write(self))
            rest = stack.pop_all()

        async def commit() -> None:
            await asyncio.sleep(AHEAD_SECONDS)
            await rest.aclose()

        task = asyncio.create_task(commit())
        waiting.add(task)
        task.add_done_callback(waiting.discard)

    Database.write = write_later  # type: ignore[method-assign]


def forgetful() -> None:
    """A request that comes again is another one. Answers take a while, so that many come again."""
    from app.access import idempotency  # noqa: PLC0415
    from app.core.db import Database  # noqa: PLC0415

    write = Database.write

    @asynccontextmanager
    async def write_and_wait(self: Database) -> AsyncIterator[Any]:
        async with write(self) as session:
            yield session
        await asyncio.sleep(AHEAD_SECONDS)

    def forget(header: str | None) -> str:
        return f"{header}{secrets.token_hex(16)}"

    idempotency.parse_key = forget
    Database.write = write_and_wait  # type: ignore[method-assign]


def speechless() -> None:
    """A full disk is nothing that is known to pass."""
    from app.core import problems  # noqa: PLC0415

    vars(problems)["is_temporary"] = lambda _error: False


SABOTAGES: dict[str, Callable[[], None]] = {
    sabotage.__name__: sabotage for sabotage in (unsynced, ahead, forgetful, speechless)
}


def command(name: str) -> tuple[str | Path, ...]:
    """What takes the place of `carepath`."""
    return (sys.executable, Path(__file__), name)


def main() -> None:
    """Break the app and run its command."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from app import cli  # noqa: PLC0415

    SABOTAGES[sys.argv.pop(1)]()
    cli.main()


if __name__ == "__main__":
    main()
