"""The worker's loop: each job in its own time, whatever another one does, and an end that nothing holds up."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

import pytest

from app import worker
from app.core.crypto import load_keyring
from app.core.db import Database
from app.core.logs import JsonLines
from app.core.settings import Settings
from app.worker import Job, Tools
from tests.rows import make_slot

SECRET = "hunter2"
# Time enough for what takes no time, on a busy machine.
PATIENCE = 10.0


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until this is so."""
    async with asyncio.timeout(PATIENCE):
        while not await is_so():  # noqa: ASYNC110 - what is waited for happens in tasks and tables, which set no event
            await asyncio.sleep(0.02)


class Doings:
    """Jobs that only note when they ran, in the place of the real ones."""

    def __init__(self, *, every: float) -> None:
        self.times: dict[str, list[float]] = {}
        self.every = every
        self.began = monotonic()

    def job(self, name: str, do: Callable[[], Awaitable[None]] | None = None) -> Job:
        """A job that notes that it ran, then does this."""

        async def note(_tools: Tools) -> str:
            self.times.setdefault(name, []).append(monotonic() - self.began)
            if do is not None:
                await do()
            return "Done."

        return Job(name, self.every, note)


async def fail() -> None:
    """Fail with words that no log may tell."""
    raise ValueError(SECRET)


async def test_jobs_run_after_their_first_interval_and_then_again_and_again(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    doings = Doings(every=0.2)
    monkeypatch.setattr(worker, "JOBS", (doings.job("one"), doings.job("two")))
    async with worker.alongside(database, load_keyring(settings.keyring_path), settings):
        await until(lambda: has_run(doings, "two", times=3))
    assert len(doings.times["one"]) >= 3
    for times in doings.times.values():
        assert times[0] >= 0.2
        assert times[2] - times[0] >= 0.4


async def has_run(doings: Doings, name: str, *, times: int) -> bool:
    """Whether this job ran so many times."""
    return len(doings.times.get(name, ())) >= times


async def test_a_job_that_is_done_rarely_is_soon_done_for_the_first_time(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    doings = Doings(every=3600)
    monkeypatch.setattr(worker, "JOBS", (doings.job("one"),))
    monkeypatch.setattr(worker, "FIRST_WITHIN", 0.1)
    async with worker.alongside(database, load_keyring(settings.keyring_path), settings):
        await until(lambda: has_run(doings, "one", times=1))
    assert len(doings.times["one"]) == 1


async def test_a_job_that_fails_is_logged_without_its_words_and_the_loop_goes_on(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    doings = Doings(every=0.05)
    monkeypatch.setattr(worker, "JOBS", (doings.job("bad", fail), doings.job("good")))
    async with worker.alongside(database, load_keyring(settings.keyring_path), settings):
        await until(lambda: has_run(doings, "good", times=2))
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lines) >= 2
    assert {(line["event"], line["job"], line["error"]) for line in lines} == {("worker_failed", "bad", "ValueError")}
    assert SECRET not in json.dumps(lines)


async def test_a_job_that_runs_when_the_worker_ends_may_end_too(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    doings = Doings(every=0.05)
    ended: list[str] = []

    async def take_long() -> None:
        await asyncio.sleep(0.3)
        ended.append("slow")

    monkeypatch.setattr(worker, "JOBS", (doings.job("slow", take_long), doings.job("next")))
    async with worker.alongside(database, load_keyring(settings.keyring_path), settings):
        await until(lambda: has_run(doings, "slow", times=1))
    assert (ended, "next" in doings.times) == (["slow"], False)


async def test_a_job_that_takes_too_long_does_not_hold_up_the_end(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    doings = Doings(every=0.05)

    async def hang() -> None:
        async with database.write():
            await asyncio.sleep(PATIENCE * 10)

    monkeypatch.setattr(worker, "JOBS", (doings.job("slow", hang),))
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.1)
    async with worker.alongside(database, load_keyring(settings.keyring_path), settings):
        await until(lambda: has_run(doings, "slow", times=1))
        ends = monotonic()
    assert monotonic() - ends < PATIENCE
    # What it held, others have.
    await asyncio.wait_for(make_slot(database), PATIENCE)
