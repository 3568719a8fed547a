"""How much a subscribed calendar shows, and what that costs."""

import time
from datetime import UTC, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, event
from sqlmodel import col

from app.consultations import calendar_feeds
from app.consultations.tables import Clinician
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id, new_reference
from tests.rows import everything, make_booking, make_slot, new_booking, new_slot, run
from tests.subscriptions import entries, make_feed, open_places, span


async def test_it_reaches_from_thirty_days_ago_to_a_year_from_now(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_places(client, admin)
    (clinician,) = await everything(database, Clinician, col(Clinician.slug) == "dr-wu")
    references = {}
    for days in (-30.1, -29.9, 364.9, 365.1):
        begin = clock.now() + timedelta(days=days)
        slot_id = await make_slot(
            database, starts_at=begin, ends_at=begin + timedelta(hours=1), clinician_id=clinician["id"], capacity=2
        )
        references[days] = [new_reference(), new_reference()]
        for seat, reference in enumerate(references[days], 1):
            await make_booking(database, slot_id, seat=seat, reference=reference)
    feed = await make_feed(client, admin)
    assert [str(entry["DESCRIPTION"]) for entry in await entries(client, feed)] == [
        f"References: {', '.join(references[days])}" for days in (-29.9, 364.9)
    ]
    # Where there are too many, a slot is there with all of its bookings or not at all.
    monkeypatch.setattr(calendar_feeds, "MOST", 3)
    assert len(await entries(client, feed)) == 1


async def test_a_thousand_entries_take_two_statements_and_no_second(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_places(client, admin)
    (clinician,) = await everything(database, Clinician, col(Clinician.slug) == "dr-wu")
    feed, statements = await make_feed(client, admin), []
    first = clock.now().replace(microsecond=0) + timedelta(hours=1)
    for number in range(1_000):
        slot_id, begin = new_id(), first + timedelta(hours=number)
        times = {"starts_at": begin, "ends_at": begin + timedelta(minutes=30)}
        statements += [new_slot(id=slot_id, clinician_id=clinician["id"], **times), new_booking(slot_id)]
    await run(database, *statements)
    await client.get(feed["url"])
    asked: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        # Others are the application's own, that looks for news four times a second.
        if "calendar_feeds" in statement or "consultation_slots" in statement:
            asked.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        began = time.perf_counter()
        answer = await client.get(feed["url"])
        took = time.perf_counter() - began
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert answer.content.count(b"BEGIN:VEVENT") == 1_000
    assert len(asked) == 2
    assert took < 1
    assert span((await entries(client, feed))[-1])[0] == (first + timedelta(hours=999)).astimezone(UTC)
