"""The processes of a storm, some of which are killed and replaced."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random

from app.core.settings import Settings
from tests.drills import storm_process
from tests.drills.storm_process import Orders

_END_SECONDS = 60
# A fork of a process that has everything imported, and nothing else of this one's.
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Options:
    """How long and how hard it blows."""

    attempts: int
    processes: int
    seed: int
    # Attempts between two kills, on average: by count, so that a slow machine kills nobody before they have begun.
    kill_every: int
    # What is wrong with the application of its processes.
    sabotage: Callable[[], AbstractContextManager[None]] = nullcontext


class Crew:
    """The processes."""

    def __init__(self, settings: Settings, options: Options, folder: Path, staff_token: str) -> None:
        self.settings, self.options, self.folder, self.staff_token = settings, options, folder, staff_token
        self.counts = _CONTEXT.RawArray("q", options.processes + 1)
        self.chance = Random(options.seed)
        self.kills, self.lives = 0, 0
        self.casualties: list[str] = []
        self.processes = [self.start(number) for number in range(options.processes)]
        self.next_kill = self.draw_kill()

    @property
    def attempts(self) -> int:
        """How many attempts have ended."""
        return sum(self.counts[:-1])

    @property
    def is_over(self) -> bool:
        """Whether a process has met what must never happen."""
        return bool(self.counts[-1])

    def start(self, number: int) -> BaseProcess:
        """Start a process in this place."""
        self.lives += 1
        orders = Orders(
            self.settings,
            self.folder / f"{self.lives}.ledger",
            number,
            f"{self.options.seed}-{self.lives}",
            self.counts,
            self.staff_token,
            self.options.sabotage,
        )
        process = _CONTEXT.Process(target=storm_process.run, args=(orders,), daemon=True)
        process.start()
        return process

    def draw_kill(self) -> float:
        """The number of attempts after which the next one is killed."""
        return self.attempts + self.chance.expovariate(1 / self.options.kill_every)

    def blow(self) -> None:
        """Wait for a moment, and kill whose time has come."""
        time.sleep(0.02)
        for number, process in enumerate(self.processes):
            if process.exitcode is not None:
                self.casualties.append(f"a process ended by itself with {process.exitcode}")
                self.processes[number] = self.start(number)
        if self.attempts >= self.next_kill:
            number = self.chance.randrange(len(self.processes))
            self.processes[number].kill()
            self.processes[number].join()
            self.kills += 1
            self.processes[number] = self.start(number)
            self.next_kill = self.draw_kill()

    def end(self) -> None:
        """Let all of them finish what they are at."""
        self.counts[-1] = 1
        until = time.monotonic() + _END_SECONDS
        for process in self.processes:
            process.join(max(0, until - time.monotonic()))
            if process.exitcode != 0:
                self.casualties.append(f"a process ended with {process.exitcode}")
                process.kill()


@contextmanager
def crew_of(settings: Settings, options: Options, folder: Path, staff_token: str) -> Iterator[Crew]:
    _CONTEXT.set_forkserver_preload([storm_process.__name__, "psycopg", "sqlalchemy.dialects.postgresql.psycopg"])
    crew = Crew(settings, options, folder, staff_token)
    try:
        yield crew
    finally:
        crew.end()
