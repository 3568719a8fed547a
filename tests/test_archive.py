"""Slots that are long over are laid aside: in short turns, beside bookings, and whoever has an id still reads it."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select as core_select
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations import archive
from app.consultations.tables import BookingState, ConsultationSlot
from app.core import clock
from app.core.db import Database, rows
from tests.rows import change_booking, everything, make_booking, make_slot, new_slot, run
from tests.wishes import book, post_slot, refusal

DAYS = 90


async def past_slot(database: Database, days: float = DAYS + 1, **changes: Any) -> UUID:
    """A slot that ended so many days ago."""
    ends_at = clock.now() - timedelta(days=days)
    return await make_slot(database, starts_at=ends_at - timedelta(minutes=30), ends_at=ends_at, **changes)


async def past_slots(database: Database, count: int) -> None:
    """So many of them, one after the other."""
    ends_at = clock.now() - timedelta(days=DAYS + 1)
    slots = [
        new_slot(starts_at=ends_at - timedelta(hours=number + 1), ends_at=ends_at - timedelta(hours=number))
        for number in range(count)
    ]
    await run(database, *slots)


async def archived(database: Database) -> set[UUID]:
    """Which slots were laid aside."""
    return {row["id"] for row in await everything(database, ConsultationSlot) if row["archived_at"] is not None}


async def test_what_ended_long_ago_without_a_live_booking_is_laid_aside_once(database: Database) -> None:
    now = clock.now()
    over = {await past_slot(database, status=status) for status in ("open", "closed", "cancelled")}
    kept = {await past_slot(database, DAYS - 1), await make_slot(database)}
    # It began in time, but it ended later.
    kept.add(
        await make_slot(
            database, starts_at=now - timedelta(days=DAYS, hours=1), ends_at=now - timedelta(days=DAYS, hours=-1)
        )
    )
    for state in (BookingState.HELD, BookingState.BOOKED, BookingState.FULFILLED, BookingState.CANCELLED):
        slot_id = await past_slot(database)
        is_held = state is BookingState.HELD
        first = {"state": state, "hold_expires_at": now} if is_held else {"state": BookingState.BOOKED}
        booking_id = await make_booking(database, slot_id, **first)
        if state in (BookingState.FULFILLED, BookingState.CANCELLED):
            await run(database, change_booking(booking_id, state=state))
        (kept if state in (BookingState.HELD, BookingState.BOOKED) else over).add(slot_id)
    before = {row["id"]: row["version"] for row in await everything(database, ConsultationSlot)}
    assert await archive.archive_all(database, days=DAYS, by="worker") == len(over)
    assert await archived(database) == over
    after = await everything(database, ConsultationSlot)
    assert {row["id"]: row["version"] for row in after} == before
    assert await archive.archive_all(database, days=DAYS, by="worker") == 0
    assert await everything(database, ConsultationSlot) == after


async def test_the_trail_has_one_line_for_a_batch(database: Database) -> None:
    await past_slots(database, 25)
    assert await archive.archive_all(database, days=DAYS, by="worker", at_once=10) == 25
    entries = await everything(database, AuditEntry, col(AuditEntry.action) == "slots.archived")
    entries.sort(key=lambda entry: entry["at"])
    told = [(entry["actor"], entry["subject"], entry["fields"]) for entry in entries]
    assert told == [("worker", "consultation_slots", ["archived_at"])] * 3
    times = [row["archived_at"] for row in await everything(database, ConsultationSlot)]
    assert {entry["at"]: times.count(entry["at"]) for entry in entries} == dict(
        zip([entry["at"] for entry in entries], [10, 10, 5], strict=True)
    )


async def test_all_of_many_are_found(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_LOOKED_AT", 7)
    await past_slots(database, 30)
    # Whole looks that find nothing to lay aside must not be the end.
    booked = [await past_slot(database, DAYS + 200 + number) for number in range(9)]
    for slot_id in booked:
        await make_booking(database, slot_id)
    assert await archive.archive_all(database, days=DAYS, by="worker", at_once=4) == 30
    assert len(await archived(database)) == 30


async def test_several_workers_lay_each_slot_aside_once(database: Database) -> None:
    await past_slots(database, 120)
    done = await asyncio.gather(*(archive.archive_all(database, days=DAYS, by="worker", at_once=10) for _ in range(4)))
    assert len(await archived(database)) == sum(done)
    assert sum(done) + await archive.archive_all(database, days=DAYS, by="worker") == 120


async def test_a_slot_that_somebody_is_busy_with_is_left_for_the_next_time(database: Database) -> None:
    if database.writer is not None:
        pytest.skip("on SQLite there is one writer at a time: nobody is busy with a slot meanwhile")
    busy, other = await past_slot(database), await past_slot(database, DAYS + 2)
    lock = core_select(col(ConsultationSlot.id)).where(col(ConsultationSlot.id) == busy).with_for_update(key_share=True)
    async with database.write() as session:
        await (await session.connection()).execute(lock)
        async with asyncio.timeout(1):
            assert await archive.archive_all(database, days=DAYS, by="worker") == 1
        assert await archived(database) == {other}
    assert await archive.archive_all(database, days=DAYS, by="worker") == 1


async def test_what_is_booked_between_the_look_and_the_lock_is_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot_id = await past_slot(database)
    # Looked at before, booked after.

    async def rows_then_book(source: Any, query: Any, values: Any) -> Any:
        found = await rows(source, query, values)
        if query is archive.OLD:
            await make_booking(database, slot_id)
        return found

    monkeypatch.setattr(archive, "rows", rows_then_book)
    assert await archive.archive_all(database, days=DAYS, by="worker") == 0
    assert await archived(database) == set()


async def test_bookings_go_on_meanwhile(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await past_slots(database, 400)
    slot = await post_slot(client, admin, capacity=10)
    laying = asyncio.create_task(archive.archive_all(app.state.database, days=DAYS, by="worker", at_once=5))
    booked = [await book(client, slot["id"]) for _ in range(10)]
    # Ten bookings, one after the other, got their turns between some of eighty batches.
    assert not laying.done()
    assert len({booking["reference"] for booking in booked}) == 10
    assert await laying == 400


async def test_who_has_its_id_still_reads_it_and_lists_show_it_on_request(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    old, recent = await past_slot(database), await past_slot(database, 1)
    await archive.archive_all(database, days=DAYS, by="worker")
    answer = await client.get(f"/consultation-slots/{old}")
    assert (answer.status_code, answer.json()["version"], answer.json()["seats_free"]) == (200, 1, 0)

    async def listed(query: str) -> list[str]:
        answer = await client.get(f"/consultation-slots?{query}", headers=admin)
        assert answer.status_code == 200, answer.text
        return [slot["id"] for slot in answer.json()["items"]]

    for status in ("all", "open"):
        assert await listed(f"status={status}") == [str(recent)]
        assert await listed(f"status={status}&archived=false") == [str(recent)]
        assert await listed(f"status={status}&archived=true") == [str(old), str(recent)]
    assert await listed("status=closed&archived=true") == []
    # What can be booked is never among them.
    assert await listed("archived=true") == []
    assert refusal(await client.get("/consultation-slots?status=all&archived=maybe", headers=admin))[0] == 422


async def test_pages_of_the_archive_follow_each_other(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await past_slots(database, 5)
    await archive.archive_all(database, days=DAYS, by="worker")
    address: str | None = "/consultation-slots?status=all&archived=true&limit=2"
    seen: list[str] = []
    while address:
        page = (await client.get(address, headers=admin)).json()
        seen += [slot["id"] for slot in page["items"]]
        address = page.get("next")
    assert len(seen) == len(set(seen)) == 5
