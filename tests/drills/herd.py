"""Processes that serve one database, and are killed."""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from random import Random

from app.core.settings import Settings
from tests.processes import Served, serving


class Herd:
    """Processes that serve one database, each on a port of its own."""

    def __init__(self, settings: Settings, folder: Path, command: tuple[str | Path, ...]) -> None:
        self.settings, self.folder, self.command = settings, folder, command
        self.alive: list[Served] = []
        self._stack = ExitStack()
        self._starting: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start one more and wait until it serves."""
        # What every start makes ready in development is ready.
        environment = {"CAREPATH_ENVIRONMENT": "production"}
        process = serving(self.settings, self.folder, command=self.command, environment=environment)
        self.alive.append(await asyncio.to_thread(self._stack.enter_context, process))

    def kill(self, chance: Random) -> None:
        """Kill one, as the kernel does when memory is short, and let another one start."""
        served = self.alive.pop(chance.randrange(len(self.alive)))
        served.process.kill()
        self._starting.append(asyncio.create_task(self.start()))

    async def end(self) -> None:
        """Kill all."""
        await asyncio.gather(*self._starting)
        for served in self.alive:
            served.process.kill()
        await asyncio.to_thread(self._stack.close)
