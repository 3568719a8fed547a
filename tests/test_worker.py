"""What is done between requests: by `carepath worker`, and on SQLite by whoever serves."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from time import monotonic
from uuid import UUID

import pytest
from sqlmodel import col

from app import worker
from app.access.tables import AuditSeal
from app.consultations.tables import BookingState, ConsultationBooking
from app.core import clock
from app.core.db import Database
from app.core.settings import Settings
from tests.doors import started
from tests.processes import SCRIPT, environment_of, run
from tests.rows import counts, everything, make_booking, make_slot

# Time enough for what takes no time, on a busy machine.
PATIENCE = 10.0


async def stale_hold(database: Database) -> UUID:
    """A hold whose time is over."""
    over = clock.now() - timedelta(seconds=1)
    slot_id = await make_slot(database)
    return await make_booking(database, slot_id, state=BookingState.HELD, hold_expires_at=over)


async def state_of(database: Database, booking_id: UUID) -> str:
    """The state that stands in this booking's row."""
    (row,) = await everything(database, ConsultationBooking, col(ConsultationBooking.id) == booking_id)
    return str(row["state"])


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait until this is so."""
    async with asyncio.timeout(PATIENCE):
        while not await is_so():  # noqa: ASYNC110 - what is waited for happens in tasks and tables, which set no event
            await asyncio.sleep(0.02)


def test_each_job_is_done_once_on_demand(settings: Settings, tmp_path: Path) -> None:
    async def before() -> UUID:
        database = Database(settings)
        hold = await stale_hold(database)
        await database.close()
        return hold

    hold = asyncio.run(before())
    ended = run("worker", "--once", folder=tmp_path, environment=environment_of(settings))
    assert (ended.returncode, ended.stdout.splitlines()) == (
        0,
        [
            "Holds that had expired and were ended: 1.",
            "Reviews that fall due and were told: 0.",
            "Slots that schedules were extended by: 0.",
            "Slots that were laid aside: 0.",
            "Deleted: 0 patients, 0 answers, 0 messages and 0 plans.",
            "Entries of the audit trail that were sealed: 2.",
            "The head of the audit trail was compared.",
        ],
    )
    (logged,) = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (logged["event"], logged["number"], logged["entries"]) == ("audit_sealed", 1, 2)

    async def after() -> None:
        database = Database(settings)
        assert await state_of(database, hold) == BookingState.EXPIRED
        (seal,) = await everything(database, AuditSeal)
        assert json.loads(settings.audit_head_path.read_bytes())["hash"] == seal["hash"].hex() == logged["hash"]
        await database.close()

    asyncio.run(after())


async def test_a_job_that_fails_on_demand_is_named_and_the_others_are_done(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    hold = await stale_hold(database)
    (tmp_path / "file").touch()
    nowhere = environment_of(settings) | {"CAREPATH_AUDIT_HEAD_FILE": str(tmp_path / "file" / "head")}
    ended = run("worker", "--once", folder=tmp_path, environment=nowhere)
    assert ended.returncode == 1
    assert [line for line in ended.stdout.splitlines() if "FAILED" in line] == ["seal_trail FAILED", "keep_head FAILED"]
    logged = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [(line["event"], line.get("job")) for line in logged] == [
        ("audit_sealed", None),
        ("worker_failed", "seal_trail"),
        ("worker_failed", "keep_head"),
    ]
    # The seal stands: the head is only behind.
    assert await counts(database, AuditSeal) == [1]
    assert await state_of(database, hold) == BookingState.EXPIRED


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_runs_until_it_is_told_to_end(settings: Settings, tmp_path: Path, how: signal.Signals) -> None:
    log = tmp_path / "log"
    with (
        log.open("wb") as errors,
        subprocess.Popen([SCRIPT, "worker"], cwd=tmp_path, env=environment_of(settings), stderr=errors) as process,
    ):
        try:
            begun = monotonic()
            while "worker_ready" not in log.read_text():
                assert process.poll() is None
                assert monotonic() < begun + PATIENCE
            process.send_signal(how)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
    assert [json.loads(line)["event"] for line in log.read_text().splitlines()] == ["worker_ready"]


async def test_whoever_serves_does_all_jobs_on_sqlite_only(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FIRST_WITHIN", 0.1)
    hold = await stale_hold(database)

    async def everything_is_done() -> bool:
        return settings.audit_head_path.exists() and await state_of(database, hold) == BookingState.EXPIRED

    async with started(settings):
        if settings.sqlite_path is not None:
            await until(everything_is_done)
            return
        await asyncio.sleep(0.5)
    assert (await counts(database, AuditSeal), await state_of(database, hold)) == ([0], BookingState.HELD)
