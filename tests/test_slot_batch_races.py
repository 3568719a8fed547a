"""Batches that meet others: what overlaps is found in the file and in the database, and never written by two."""

import asyncio
import json
import multiprocessing
import tracemalloc
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations import batch_queries
from app.consultations.schedule_tables import Room
from app.consultations.slot_edit_shapes import BatchMode
from app.consultations.tables import Clinician, ConsultationSlot, Location
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.doctor import broken_ids
from tests import batch_races
from tests.batches import outcomes, problems, send_slots, wishes
from tests.rows import change_slot, counts, everything, make_slot, new_slot, run

ROUNDS = 5
SLOTS = 300


@pytest.fixture
async def clinicians(database: Database) -> None:
    """Two of them."""
    await run(database, *(insert(Clinician).values(id=new_id(), slug=slug, name=slug) for slug in ("dr-a", "dr-b")))


@pytest.fixture
async def rooms(database: Database) -> None:
    """Two locations that each have a room of the same slug."""
    for slug in ("north", "south"):
        location = new_id()
        await run(
            database,
            insert(Location).values(id=location, slug=slug, name=slug, time_zone="Europe/Berlin", version=1),
            insert(Room).values(id=new_id(), location_id=location, slug="one", name="One"),
        )


def moved(wish: dict[str, Any], minutes: int) -> dict[str, Any]:
    """The same slot, later."""
    return wish | {
        name: (datetime.fromisoformat(wish[name]) + timedelta(minutes=minutes)).isoformat()
        for name in ("starts_at", "ends_at")
    }


@pytest.mark.usefixtures("clinicians", "rooms")
async def test_what_overlaps_within_a_file_is_named_and_what_touches_is_not(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    (plain,) = wishes(1)
    one = plain | {"clinician": "dr-a", "location": "north", "room": "one"}
    reason = {"allow_overlap": {"reason": "Synthetic reason."}}
    sent = [
        one,
        moved(one, 30),
        moved(one, 15),
        moved(one, 15) | {"clinician": "dr-b"},
        moved(one, 15) | {"clinician": "dr-b", "location": "south"},
        moved(one, 15) | reason,
        moved(plain, 15),
    ]
    answer = await send_slots(client, admin, sent, query="?mode=partial")
    assert problems(answer) == {
        3: (409, "slot-overlaps", [("/clinician", "clinician_busy")]),
        4: (409, "slot-overlaps", [("/room", "room_busy")]),
    }
    assert answer.json()["results"][2]["problem"]["errors"][0]["detail"] == "is busy in this time with row 2"


@pytest.mark.usefixtures("clinicians", "rooms")
async def test_what_overlaps_with_slots_that_are_there_is_named(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    plain, later, latest = wishes(3)
    there = {"clinician": "dr-a", "location": "north", "room": "one"}
    made = (await send_slots(client, admin, [plain | there, moved(latest, 300) | there])).json()["results"]
    sent = [
        moved(plain, -20) | {"clinician": "dr-a"},
        later | {"clinician": "dr-a"},
        moved(plain, 29) | {"location": "north", "room": "one"},
        moved(plain, -30) | {"location": "north", "room": "one"},
        moved(plain, 5) | {"clinician": "dr-b", "location": "south", "room": "one"},
        latest | {"clinician": "dr-a", "ends_at": moved(latest, 400)["ends_at"]},
    ]
    for query in ("?mode=partial&dry_run=true", "", "?mode=partial"):
        answer = await send_slots(client, admin, sent, query=query)
        assert problems(answer) == {
            1: (409, "slot-overlaps", [("/clinician", "clinician_busy")]),
            3: (409, "slot-overlaps", [("/room", "room_busy")]),
            6: (409, "slot-overlaps", [("/clinician", "clinician_busy")]),
        }
        refused = {result["row"]: result["problem"] for result in answer.json()["results"] if "problem" in result}
        assert made[0]["id"] in refused[1]["errors"][0]["detail"]
        assert made[1]["id"] in refused[6]["errors"][0]["detail"]
    assert await counts(database, ConsultationSlot) == [5]


@pytest.mark.usefixtures("clinicians", "rooms")
async def test_rows_are_looked_at_one_by_one_only_where_something_may_be_wrong(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    async def note(session: Any, kind: str, asked: Any) -> Any:
        looks.append(len(asked))
        return await in_the_way(session, kind, asked)

    async def looked_at(sent: list[dict[str, Any]], query: str = "") -> tuple[int, set[str], dict[int, Any]]:
        looks.clear()
        answer = await send_slots(client, admin, sent, query=query)
        return sum(looks), set(outcomes(answer)), problems(answer)

    in_the_way = batch_queries.in_the_way
    monkeypatch.setattr(batch_queries, "in_the_way", note)
    there = {"clinician": "dr-a", "location": "north", "room": "one"}
    sent = [wish | there | {"external_id": str(number)} for number, wish in enumerate(wishes(600))]
    # Half an hour each: two weeks, of a clinician and of a room.
    days = 2 * len({wish["starts_at"][:10] for wish in sent})
    assert await looked_at(sent, "?dry_run=true") == (days, {"created"}, {})
    assert await looked_at(sent) == (days, {"created"}, {})
    assert await looked_at(sent) == (0, {"unchanged"}, {})
    before = await counts(database, ConsultationSlot, AuditEntry)
    others = wishes(600, clinician="dr-b")
    for wrong, said in (
        (
            moved(sent[-1], 1) | {"external_id": None, "location": None, "room": None},
            (409, "slot-overlaps", "clinician_busy"),
        ),
        (others[0] | {"clinician": None, "condition": "nothing"}, (422, "invalid-input", "unknown_reference")),
        (moved(others[0], -60 * 24 * 40) | {"clinician": None}, (422, "invalid-input", "in_the_past")),
    ):
        asked, _, refused = await looked_at([*others, wrong])
        ((row, (status, code, ((_, why), *_))),) = refused.items()
        assert (row, status, code, why) == (601, *said)
        assert asked >= 600
    assert await counts(database, ConsultationSlot, AuditEntry) == before


@pytest.mark.usefixtures("clinicians")
async def test_slots_that_move_onto_one_that_stays_are_named_and_stay_too(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    sent = [wish | {"external_id": str(number)} for number, wish in enumerate(wishes(600, clinician="dr-a"))]
    stays = moved(sent[-1], 60 * 24) | {"external_id": "stays"}
    await send_slots(client, admin, [*sent, stays])
    before = await everything(database, ConsultationSlot)
    later = [moved(wish, 60 * 24) for wish in sent]
    refused = problems(await send_slots(client, admin, later))
    assert refused == {600: (409, "slot-overlaps", [("/clinician", "clinician_busy")])}
    assert await everything(database, ConsultationSlot) == before
    assert set(outcomes(await send_slots(client, admin, [*later, moved(stays, 30)]))) == {"updated"}


@pytest.mark.usefixtures("clinicians")
async def test_cancelled_slots_and_those_that_may_overlap_are_in_nobodys_way(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    (wish,) = wishes(1, clinician="dr-a")
    reason = {"allow_overlap": {"reason": "Synthetic reason."}, "external_id": "x"}
    (first,) = (await send_slots(client, admin, [wish])).json()["results"]
    assert outcomes(await send_slots(client, admin, [wish | reason])) == ["created"]
    # Without its reason it holds its time.
    alone = await send_slots(client, admin, [wish | {"external_id": "x"}])
    assert problems(alone) == {1: (409, "slot-overlaps", [("/clinician", "clinician_busy")])}
    await run(database, change_slot(first["id"], status="cancelled"))
    assert outcomes(await send_slots(client, admin, [wish | {"external_id": "x"}])) == ["updated"]
    late = await send_slots(client, admin, [wish])
    assert problems(late) == {1: (409, "slot-overlaps", [("/clinician", "clinician_busy")])}


@pytest.mark.parametrize("mode", BatchMode)
@pytest.mark.usefixtures("clinicians")
async def test_a_slot_that_is_being_posted_is_waited_for_and_then_named(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, mode: BatchMode
) -> None:
    sent = wishes(3, clinician="dr-a")
    (clinician,) = [row["id"] for row in await everything(database, Clinician) if row["slug"] == "dr-a"]
    times = {name: datetime.fromisoformat(sent[1][name]) for name in ("starts_at", "ends_at")}
    async with database.write() as session:
        await session.exec(new_slot(clinician_id=clinician, **times))
        batch = asyncio.create_task(send_slots(client, admin, sent, query=f"?mode={mode}"))
        await asyncio.wait({batch}, timeout=0.5)
        assert not batch.done()
    answer = await batch
    assert problems(answer) == {2: (409, "slot-overlaps", [("/clinician", "clinician_busy")])}
    assert await counts(database, ConsultationSlot) == [1 if mode is BatchMode.ATOMIC else 3]


@pytest.mark.parametrize("named", [True, False])
async def test_a_name_that_a_slot_is_being_given_is_not_taken_back(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, named: bool
) -> None:
    (wish,) = wishes(1, external_id="x") if named else wishes(1)
    (made,) = (await send_slots(client, admin, [wish])).json()["results"]
    name = "x" if named else f"slot:{made['id']}"
    async with database.write() as session:
        await session.exec(change_slot(made["id"], external_id="y"))
        batch = asyncio.create_task(send_slots(client, admin, [wish | {"external_id": name, "capacity": 7}]))
        await asyncio.wait({batch}, timeout=0.5)
        assert not batch.done()
    assert outcomes(await batch) == ["created"]
    kept = {
        row["external_id"]: (str(row["id"]), row["capacity"]) for row in await everything(database, ConsultationSlot)
    }
    assert (kept["y"], kept[name][1]) == ((made["id"], wish["capacity"]), 7)


@pytest.mark.parametrize("mode", BatchMode)
@pytest.mark.usefixtures("clinicians")
async def test_of_two_processes_with_overlapping_batches_never_both_have_a_time(
    settings: Settings, database: Database, mode: BatchMode
) -> None:
    days = [[moved(wish, 60 * 24 * 30 * day) for wish in wishes(SLOTS)] for day in range(ROUNDS)]
    ours = [json.dumps([wish | {"clinician": "dr-a"} for wish in day]).encode() for day in days]
    theirs = [json.dumps([moved(wish, 15) | {"clinician": "dr-a"} for wish in reversed(day)]).encode() for day in days]
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(2), spawn.Queue()
    crew = [
        spawn.Process(target=batch_races.posting, args=(settings, bodies, mode, start, results))
        for bodies in (ours, theirs)
    ]
    for process in crew:
        process.start()
    told = await asyncio.to_thread(lambda: [results.get(timeout=120) for _ in crew])
    for process in crew:
        process.join()
    written = 0
    for mine, other in zip(*told, strict=True):
        written += sum(counted["created"] for was_written, counted in (mine, other) if was_written)
        if mode is BatchMode.ATOMIC:
            assert {mine[0], other[0]} == {True, False}
        else:
            assert (mine[0], other[0]) == (True, True)
            # Each slot of the one is in the way of one or two of the other.
            assert mine[1]["created"] + other[1]["created"] >= SLOTS
            assert mine[1]["refused"] + other[1]["refused"] >= SLOTS - 1
    assert await counts(database, ConsultationSlot) == [written]
    assert len(await everything(database, AuditEntry, col(AuditEntry.action) == "slot.created")) == written
    assert {name: ids for name, ids in (await broken_ids(database)).items() if ids} == {}


@pytest.mark.usefixtures("clinicians")
async def test_who_is_killed_in_the_middle_leaves_nothing(settings: Settings, database: Database) -> None:
    await make_slot(database)
    before = await counts(database, ConsultationSlot, AuditEntry)
    body = json.dumps(wishes(1_000, clinician="dr-a")).encode()
    process = multiprocessing.get_context("spawn").Process(target=batch_races.dying, args=(settings, body))
    process.start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == -9
    assert await counts(database, ConsultationSlot, AuditEntry) == before
    assert await batch_races.post(database, body) == (
        True,
        {"created": 1_000, "updated": 0, "unchanged": 0, "refused": 0},
    )


async def peak_of(database: Database, count: int, *, clinician: str | None) -> int:
    """How many bytes a batch of so many slots takes at most, beside its file; some are refused.

    Every other one for its capacity; with a clinician, all but one of the rest as well.
    """
    (wish,) = wishes(1, clinician=clinician)
    body = json.dumps(
        [wish | {"external_id": f"{count}-{row}", "capacity": 1 if row % 2 else 99} for row in range(count)]
    ).encode()
    tracemalloc.start()
    try:
        await batch_races.post(database, body, mode=BatchMode.PARTIAL)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("clinician", [None, "dr-a"])
async def test_memory_does_not_grow_with_the_file(database: Database, clinician: str | None) -> None:
    await peak_of(database, 100, clinician=clinician)
    small = await peak_of(database, 1_000, clinician=clinician)
    large = await peak_of(database, 20_000, clinician=clinician)
    # A slot's dictionary alone takes a kilobyte.
    assert large - small < 3_000_000, (small, large)
