"""Schedules that are kept posted: by the worker, once each, whatever goes wrong, however many workers there are."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations import schedule_expansion, schedule_horizon, schedule_posting, schedules, slots
from app.consultations.schedule_horizon import SchedulesFailed, extend_all
from app.consultations.schedule_shapes import SlotScheduleCreate
from app.consultations.schedule_tables import ScheduleStatus, SlotSchedule
from app.consultations.slot_shapes import ConsultationSlotCreate
from app.consultations.tables import ConsultationSlot
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.clinics import at, day, make_schedule, open_clinic, post_until, put_schedule, schedule_wish
from tests.processes import environment_of, run
from tests.rows import counts, everything
from tests.rows import run as run_statements
from tests.test_slot_change_races import waits
from tests.wishes import slot_wish


async def test_a_schedule_is_kept_posted_as_far_as_its_horizon(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin, horizon_days=3)
    await make_schedule(client, admin)
    ended = await make_schedule(client, admin, horizon_days=3)
    await client.post(f"/slot-schedules/{ended['id']}/end", headers=admin | {"If-Match": "*"})
    assert await extend_all(database, by="worker") == 6
    assert await extend_all(database, by="worker") == 0
    found = await everything(database, ConsultationSlot)
    assert sorted({row["local_date"] for row in found}) == [day(number) for number in (1, 2, 3)]
    assert {str(row["schedule_id"]) for row in found} == {schedule["id"]}
    entries = await everything(database, AuditEntry, AuditEntry.actor == "worker")
    assert sorted(entry["action"] for entry in entries) == ["schedule.posted"] + ["slot.created"] * 6
    # Another day comes.
    further = update(SlotSchedule).where(col(SlotSchedule.id) == UUID(schedule["id"])).values(horizon_days=4)
    await run_statements(database, further)
    assert await extend_all(database, by="worker") == 2
    read = await client.get(f"/slot-schedules/{schedule['id']}", headers=admin)
    assert (read.json()["posted_until"], read.json()["version"]) == (day(4).isoformat(), 1)


async def test_a_long_horizon_is_posted_in_short_transactions(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule_horizon, "AT_ONCE", 5)
    await make_schedule(client, admin, horizon_days=9)
    before = database.writes
    assert await extend_all(database, by="worker") == 18
    # Two days of two slots each at a time, today and nine days ahead.
    assert database.writes - before == 5
    assert await extend_all(database, by="worker") == 0
    assert database.writes - before == 5


async def test_no_horizon_is_so_long_that_its_schedule_cannot_be_changed(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule_horizon, "AT_ONCE", 4)
    for module in (schedule_horizon, schedule_expansion):
        monkeypatch.setattr(module, "MOST_AT_ONCE", 10, raising=False)
    schedule = await make_schedule(client, admin, horizon_days=30)
    # Two slots a day, in spans of two days.
    assert await extend_all(database, by="worker") == 10
    assert await extend_all(database, by="worker") == 0
    changed = await put_schedule(client, admin, schedule, horizon_days=30, capacity=2)
    assert [len(changed[name]) for name in ("added", "cancelled")] == [10, 10]
    assert changed["schedule"]["posted_until"] == day(5).isoformat()


async def test_who_is_to_stop_does_not_go_on_with_the_next_schedule(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver may turn the cancellation into an error of its own."""
    begun, is_begun = [], asyncio.Event()

    async def extend(_database: Database, schedule_id: UUID, **_: str) -> int:
        begun.append(schedule_id)
        is_begun.set()
        if len(begun) == 1:
            try:
                await asyncio.Event().wait()
            finally:
                raise ConnectionError
        return 0

    monkeypatch.setattr(schedule_horizon, "_extend", extend)
    for _ in range(2):
        await make_schedule(client, admin, horizon_days=1)
    extending = asyncio.create_task(extend_all(database, by="worker"))
    await is_begun.wait()
    extending.cancel()
    with pytest.raises(ConnectionError):
        await extending
    assert len(begun) == 1


async def test_what_becomes_free_is_posted_the_next_time(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    await make_schedule(client, admin, clinician="dr-rivera", horizon_days=2)
    away = {"clinician": "dr-rivera", "starts_at": f"{day(1)}T00:00:00Z", "ends_at": f"{day(2)}T00:00:00Z"}
    absence = (await client.post("/absences", json=away, headers=admin)).json()
    assert await extend_all(database, by="worker") == 2
    await client.delete(f"/absences/{absence['id']}", headers=admin)
    assert await extend_all(database, by="worker") == 2


async def test_one_that_fails_is_logged_and_stops_no_other(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    schedule_ids = [(await make_schedule(client, admin, horizon_days=1))["id"] for _ in range(3)]
    broken = update(SlotSchedule).where(col(SlotSchedule.id) == UUID(schedule_ids[1])).values(rrule="FREQ=HOURLY")
    await run_statements(database, broken)
    with pytest.raises(SchedulesFailed):
        await extend_all(database, by="worker")
    found = {str(row["schedule_id"]) for row in await everything(database, ConsultationSlot)}
    assert found == {schedule_ids[0], schedule_ids[2]}
    (logged,) = [record for record in caplog.records if record.getMessage() == "schedule_failed"]
    assert vars(logged)["fields"]["schedule"] == schedule_ids[1]


async def test_two_workers_post_each_slot_once(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    await open_clinic(client, admin)
    for clinician in ("dr-rivera", "dr-wu"):
        await make_schedule(client, admin, clinician=clinician, horizon_days=20)
    other = Database(settings)
    try:
        posted = await asyncio.gather(*(extend_all(each, by="worker") for each in (database, other, database)))
    finally:
        await other.close()
    assert sum(posted) == 80
    assert await counts(database, ConsultationSlot) == [80]
    entries = await everything(database, AuditEntry, AuditEntry.action == "slot.created")
    assert len({entry["subject"] for entry in entries}) == len(entries) == 80


async def test_the_second_worker_waits_for_the_first_and_finds_nothing_to_do(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    schedule = await make_schedule(client, admin, horizon_days=2)
    other = Database(settings)
    try:
        async with database.write() as session:
            row = await schedules.lock(session, UUID(schedule["id"]))
            await schedule_posting.post(session, row, first=day(0), until=day(2), by="worker")
            second = asyncio.create_task(extend_all(other, by="worker"))
            assert await waits(second)
        assert await second == 0
    finally:
        await other.close()
    assert await counts(database, ConsultationSlot) == [4]


async def test_a_schedule_that_is_ended_meanwhile_is_not_extended(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin, horizon_days=2)
    async with database.write() as session:
        await schedules.write(session, UUID(schedule["id"]), status=ScheduleStatus.ENDED)
        # It has seen that there is something to post, and waits for its turn or for the row.
        extending = asyncio.create_task(extend_all(database, by="worker"))
        assert await waits(extending)
    assert await extending == 0
    assert await counts(database, ConsultationSlot) == [0]


async def test_slots_that_others_post_meanwhile_are_left_out_and_all_others_posted(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    """The schedule has looked before the other's slot was there; the schema says which of the two stands."""
    await open_clinic(client, admin)
    schedule = await make_schedule(client, admin, clinician="dr-rivera")
    again = await make_schedule(client, admin, clinician="dr-rivera", session_starts="09:15", session_ends="10:15")
    results = await asyncio.gather(*(post_until(client, admin, each, day(4)) for each in (schedule, again)))
    posted = [frozenset(result["slot_ids"]) for result in results]
    told = [{each["occurrence"]: each["state"] for each in result["not_posted"]} for result in results]
    assert {state for each in told for state in each.values()} == {"overlaps"}
    # On each day both slots of the one stand, or of the other.
    assert sorted(map(len, posted)) in ([0, 8], [2, 6], [4, 4])
    assert [len(each) for each in told] == [8 - len(each) for each in posted]


async def test_a_slot_that_is_being_posted_is_waited_for_and_told(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    schedule = await make_schedule(client, admin, clinician="dr-rivera")
    times: dict[str, Any] = {"starts_at": at(day(1), "09:00").isoformat(), "ends_at": at(day(1), "10:00").isoformat()}
    wish, other = ConsultationSlotCreate.model_validate(slot_wish(clinician="dr-rivera", **times)), new_id()
    async with database.write() as session:
        await slots.post(session, wish, slot_id=other, by="api_key:synthetic")
        posting = asyncio.create_task(post_until(client, admin, schedule, day(2)))
        assert await waits(posting)
    posted = await posting
    assert posted["counts"] == {"overlaps": 2, "posted": 2}
    assert {each["overlaps_with"] for each in posted["not_posted"]} == {str(other)}


def test_the_worker_extends_schedules(settings: Settings, tmp_path: Path) -> None:
    async def before() -> None:
        database = Database(settings)
        wish = SlotScheduleCreate.model_validate(schedule_wish(horizon_days=2))
        async with database.write() as session:
            await schedules.add(session, wish, by="command_line")
        await database.close()

    asyncio.run(before())
    told = []
    for _ in range(2):
        ended = run("worker", "--once", folder=tmp_path, environment=environment_of(settings))
        assert ended.returncode == 0
        told += [line for line in ended.stdout.splitlines() if "schedules" in line]
        assert {json.loads(line)["event"] for line in ended.stderr.splitlines()} <= {"audit_sealed"}
    assert told == ["Slots that schedules were extended by: 4.", "Slots that schedules were extended by: 0."]
