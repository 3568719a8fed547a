"""The clock that a serving process keeps: it outlives trouble, and ends when the process does."""

import asyncio
import json
import logging
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import delete

from app.content import drafts, schedule, timer
from app.content.editorial_tables import ConditionDraft
from app.core.db import Database, DatabaseBusy
from app.core.logs import JsonLines
from tests.rows import run
from tests.schedules import SLUG, public_slugs, scheduled, trail, within

# Time enough for what takes no time, on a busy machine.
PATIENCE = 10.0


async def test_the_timer_outlives_trouble_and_tells_of_it_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0
    publish_due = schedule.publish_due

    async def be_out_for_a_while(*taken: Any, **known: Any) -> float | None:
        nonlocal tries
        tries += 1
        if tries in (2, 3, 4):
            raise DatabaseBusy
        return await publish_due(*taken, **known)

    monkeypatch.setattr(schedule, "publish_due", be_out_for_a_while)
    monkeypatch.setattr(timer, "LOOK_EVERY", 0.05)
    async with timer.kept(database):
        await run(database, scheduled(within(0.1)))
        ends = monotonic() + PATIENCE
        while await public_slugs(database) != {SLUG}:
            assert monotonic() < ends
            await asyncio.sleep(0.02)
    assert tries > 4
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records if record.levelno == logging.ERROR]
    assert [(line["event"], line["error"]) for line in lines] == [("schedule_failed", "DatabaseBusy")]


async def test_what_is_being_published_when_the_process_ends_is_published(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_draft, has_begun = drafts.publish_draft, asyncio.Event()

    async def take_long(*taken: Any, by: str) -> Any:
        has_begun.set()
        await asyncio.sleep(0.3)
        return await publish_draft(*taken, by=by)

    monkeypatch.setattr(drafts, "publish_draft", take_long)
    async with timer.kept(database):
        await run(database, scheduled(within(0.1)))
        await asyncio.wait_for(has_begun.wait(), PATIENCE)
    assert await public_slugs(database) == {SLUG}


async def test_what_another_process_did_at_the_awaited_moment_is_not_looked_for_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timer, "LOOK_EVERY", PATIENCE)
    await run(database, scheduled(within(1)))
    async with timer.kept(database):
        await asyncio.sleep(0.2)
        # As if the other one had been faster.
        await run(database, delete(ConditionDraft))
        before, ends = database.publishes, monotonic() + PATIENCE
        while database.publishes == before:
            assert monotonic() < ends
            await asyncio.sleep(0.02)
    assert await trail(database) == []
