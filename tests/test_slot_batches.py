"""Slots by the batch: what is written, what is refused, and what a repeat does."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.consultations import batch_queries
from app.consultations.schedule_tables import Room
from app.consultations.slot_edit_shapes import ConsultationSlotBatch
from app.consultations.tables import BookingState, Clinician, ConsultationBooking, ConsultationSlot, Location
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from tests.batches import FORMS, outcomes, problems, send_slots, wishes
from tests.conftest import headers_with
from tests.moves import rename
from tests.rows import change_slot, counts, everything, make_booking, make_slot, run
from tests.wishes import listed, refusal

PAGE = "acute-lymphoblastic-leukemia"


@pytest.fixture
async def place(database: Database) -> None:
    """Two clinicians, and a location with two rooms."""
    location = new_id()
    await run(
        database,
        *(insert(Clinician).values(id=new_id(), slug=slug, name=slug) for slug in ("dr-a", "dr-b")),
        insert(Location).values(id=location, slug="house", name="House", time_zone="Europe/Berlin", version=1),
        *(insert(Room).values(id=new_id(), location_id=location, slug=slug, name=slug) for slug in ("one", "two")),
    )


async def rows_of(database: Database) -> list[dict[str, Any]]:
    """The slots, by time."""
    return sorted(await everything(database, ConsultationSlot), key=lambda row: row["starts_at"])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("place")
async def test_all_that_a_slot_says_is_written_whatever_the_format(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, form: str
) -> None:
    full, plain = wishes(2)
    full |= {
        "clinician": "dr-a", "location": "house", "room": "one", "condition": PAGE, "external_id": 'clinic, "A" 1',
        "allow_overlap": {"reason": 'Two; "families", at once'}, "capacity": 3, "mode": "in_person",
    }  # fmt: skip
    answer = await send_slots(client, admin, [full, plain], form=form)
    assert answer.status_code == 200, answer.text
    told = ConsultationSlotBatch.model_validate_json(answer.content)
    assert (told.created, told.updated, told.unchanged, told.refused) == (2, 0, 0, 0)
    first, second = await rows_of(database)
    assert [result.id for result in told.results] == [first["id"], second["id"]]
    assert (first["external_id"], first["overlap_reason"]) == ('clinic, "A" 1', 'Two; "families", at once')
    assert (first["capacity"], first["mode"], first["status"], first["version"]) == (3, "in_person", "open", 1)
    assert None not in (first["clinician_id"], first["location_id"], first["room_id"], first["condition_id"])
    assert first["starts_at"] == datetime.fromisoformat(full["starts_at"])
    assert (second["external_id"], second["clinician_id"], second["overlap_reason"]) == (None, None, None)
    assert None not in (first["local_date"], first["local_weekday"], first["local_minute"])
    entries = await everything(database, AuditEntry, col(AuditEntry.action) == "slot.created")
    assert {entry["subject"] for entry in entries} == {str(first["id"]), str(second["id"])}


async def test_a_batch_is_listed_at_once(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    assert await listed(client) == []
    answer = await send_slots(client, admin, wishes(3))
    assert await listed(client) == [result["id"] for result in answer.json()["results"]]


@pytest.mark.parametrize("query", ["", "?mode=partial", "?dry_run=true", "?dry_run=true&mode=partial"])
@pytest.mark.usefixtures("place")
async def test_faulty_rows_are_named_and_what_is_written_depends_on_the_mode(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, query: str
) -> None:
    sent = wishes(9)
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"capacity": 51, "mode": "fax"},
        {"clinician": "nobody"},
        {"starts_at": "2020-01-01T00:00:00Z"},
        {"ends_at": sent[4]["starts_at"]},
        {"surprise": "synthetic secret"},
        {"external_id": "twice"},
        {"external_id": "twice"},
        {"category": "hematologic-malignancies", "condition": PAGE},
    )
    sent = [wish | change for wish, change in zip(sent, changes, strict=True)]
    answer = await send_slots(client, admin, sent, query=query)
    assert problems(answer) == {
        2: (422, "invalid-input", [("/mode", "enum"), ("/capacity", "less_than_equal")]),
        3: (422, "invalid-input", [("/clinician", "unknown_reference")]),
        4: (422, "invalid-input", [("/starts_at", "in_the_past")]),
        5: (422, "invalid-input", [("/ends_at", "end_before_start")]),
        6: (422, "invalid-input", [("/surprise", "extra_forbidden")]),
        8: (409, "external-id-taken", [("/external_id", "repeated")]),
        9: (422, "invalid-input", [("/condition", "one_topic")]),
    }
    assert "synthetic secret" not in answer.text
    written = 2 if query == "?mode=partial" else 0
    assert await counts(database, ConsultationSlot) == [written]
    assert len(await everything(database, AuditEntry, col(AuditEntry.action) == "slot.created")) == written
    if query:
        assert (answer.status_code, answer.json()["created"], answer.json()["refused"]) == (200, 2, 7)
        assert outcomes(answer).count("created") == 2
        assert ["id" in result for result in answer.json()["results"]].count(True) == written
    else:
        assert (refusal(answer), answer.json()["refused"]) == ((422, "batch-refused"), 7)
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(outcomes(answer)) == {"refused"}


@pytest.mark.usefixtures("place")
async def test_a_repeat_changes_what_is_otherwise_and_nothing_else(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    sent = [wish | {"external_id": f"x{row}"} for row, wish in enumerate(wishes(4, clinician="dr-a"))]
    first = await send_slots(client, admin, sent)
    again = await send_slots(client, admin, sent, form="csv")
    assert outcomes(again) == ["unchanged"] * 4
    sent[1] |= {"capacity": 2, "room": "two", "location": "house"}
    sent[2].pop("clinician")
    changed = await send_slots(client, admin, [*sent, *wishes(1)], form="ndjson")
    assert outcomes(changed) == ["unchanged", "updated", "updated", "unchanged", "created"]
    assert [result["id"] for result in changed.json()["results"][:4]] == [
        result["id"] for result in first.json()["results"]
    ]
    rows = {row["external_id"]: row for row in await rows_of(database)}
    assert [rows[f"x{row}"]["version"] for row in range(4)] == [1, 2, 2, 1]
    assert (rows["x1"]["capacity"], rows["x2"]["clinician_id"]) == (2, None)
    entries = await everything(database, AuditEntry, col(AuditEntry.action) == "slot.updated")
    assert {entry["subject"]: entry["fields"] for entry in entries} == {
        str(rows["x1"]["id"]): ["capacity", "location", "room"],
        str(rows["x2"]["id"]): ["clinician"],
    }


@pytest.mark.usefixtures("place")
async def test_slots_can_change_places(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    sent = [wish | {"external_id": f"x{row}"} for row, wish in enumerate(wishes(3, clinician="dr-a"))]
    await send_slots(client, admin, sent)
    times = [{name: wish[name] for name in ("starts_at", "ends_at")} for wish in sent]
    turned = [wish | times[(row + 1) % 3] for row, wish in enumerate(sent)]
    assert outcomes(await send_slots(client, admin, turned)) == ["updated"] * 3
    assert [row["external_id"] for row in await rows_of(database)] == ["x2", "x0", "x1"]
    assert [row["overlap_reason"] for row in await rows_of(database)] == [None] * 3


@pytest.mark.usefixtures("place")
async def test_who_may_not_move_is_in_the_way_of_who_wants_its_place(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    sent = [wish | {"external_id": f"x{row}"} for row, wish in enumerate(wishes(4, clinician="dr-a"))]
    await send_slots(client, admin, sent[:3])
    booked, follower, third = await rows_of(database)
    await make_booking(database, booked["id"])
    # Each wants the place of the one before it, and the first one a place that is free.
    moved = [sent[0] | {n: sent[3][n] for n in ("starts_at", "ends_at")}]
    moved += [sent[row] | {n: sent[row - 1][n] for n in ("starts_at", "ends_at")} for row in (1, 2)]
    answer = await send_slots(client, admin, moved, query="?mode=partial")
    assert problems(answer) == {
        1: (409, "slot-booked", []),
        2: (409, "slot-overlaps", [("/clinician", "clinician_busy")]),
        3: (409, "slot-overlaps", [("/clinician", "clinician_busy")]),
    }
    assert await rows_of(database) == [booked, follower, third]


@pytest.mark.usefixtures("place")
async def test_who_may_not_move_stops_the_whole_row_behind_it_with_a_statement_and_no_more_for_each(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each slot holds its room too; every other one is without a clinician.
    there: list[dict[str, Any]] = [
        wish | {"external_id": f"x{row}", "location": "house", "room": "one", "clinician": "dr-a" if row % 2 else None}
        for row, wish in enumerate(wishes(61))
    ]
    sent = there[:60]
    await send_slots(client, admin, sent)
    before = await rows_of(database)
    await make_booking(database, before[-1]["id"])
    asked, in_the_way = [], batch_queries.in_the_way

    async def count(session: Any, kind: str, rows: Any) -> Any:
        asked.append(kind)
        return await in_the_way(session, kind, rows)

    monkeypatch.setattr(batch_queries, "in_the_way", count)
    moved = [wish | {n: there[row + 1][n] for n in ("starts_at", "ends_at")} for row, wish in enumerate(sent)]
    answer = await send_slots(client, admin, [*moved, *wishes(1, clinician="dr-b")], query="?mode=partial")
    assert problems(answer) == {
        **{row: (409, "slot-overlaps", [("/room", "room_busy")]) for row in range(1, 60)},
        60: (409, "slot-booked", []),
    }
    assert outcomes(answer)[60] == "created"
    assert [row for row in await rows_of(database) if row["external_id"]] == before
    # Of clinicians and of rooms: of their days, and then of all rows.
    assert asked == ["clinician", "room"] * 2


async def test_live_bookings_keep_what_they_were_told_of_their_slots_and_their_seats(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    sent = [wish | {"external_id": f"x{row}", "capacity": 3} for row, wish in enumerate(wishes(6))]
    await send_slots(client, admin, sent)
    booked, fewer, more, stale, gone, elsewhere = await rows_of(database)
    for slot in (booked, fewer, more, elsewhere):
        await make_booking(database, slot["id"], seat=2)
    over = {"state": BookingState.HELD, "hold_expires_at": clock.now() - timedelta(seconds=1)}
    hold = await make_booking(database, stale["id"], **over)
    later = {"ends_at": wishes(7)[6]["ends_at"]}
    changes: tuple[dict[str, Any], ...] = (later, {"capacity": 1}, {"capacity": 2}, later, later, {"mode": "phone"})
    answer = await send_slots(
        client, admin, [wish | change for wish, change in zip(sent, changes, strict=True)], query="?mode=partial"
    )
    assert problems(answer) == {row: (409, "slot-booked", []) for row in (1, 2, 6)}
    assert outcomes(answer)[2:5] == ["updated", "updated", "updated"]
    (row,) = await everything(database, ConsultationBooking, col(ConsultationBooking.id) == hold)
    assert row["state"] == "expired"
    assert (await rows_of(database))[4]["id"] == gone["id"]


async def test_a_hold_that_is_over_a_moment_after_it_was_looked_for_is_one_rows_fault(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [wish | {"external_id": f"x{row}"} for row, wish in enumerate(wishes(2))]
    await send_slots(client, admin, sent)
    held, _ = await rows_of(database)
    over = {"state": BookingState.HELD, "hold_expires_at": clock.now() - timedelta(seconds=1)}
    await make_booking(database, held["id"], **over)

    async def none_yet(*_: Any) -> tuple[()]:
        return ()

    monkeypatch.setattr(batch_queries, "stale_holds", none_yet)
    later = {"ends_at": wishes(3)[2]["ends_at"]}
    answer = await send_slots(client, admin, [wish | later for wish in sent], query="?mode=partial")
    assert problems(answer) == {1: (409, "slot-booked", [])}
    assert outcomes(answer)[1] == "updated"


async def test_what_has_begun_or_is_cancelled_stays_as_it_is(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    sent = [wish | {"external_id": f"x{row}"} for row, wish in enumerate(wishes(3))]
    await send_slots(client, admin, sent)
    begun, cancelled, closed = await rows_of(database)
    past = clock.now() - timedelta(minutes=5)
    await run(
        database,
        change_slot(begun["id"], starts_at=past),
        change_slot(cancelled["id"], status="cancelled"),
        change_slot(closed["id"], status="closed"),
    )
    sent[0]["starts_at"] = past.isoformat()
    assert outcomes(await send_slots(client, admin, sent)) == ["unchanged"] * 3
    more = await send_slots(client, admin, [wish | {"capacity": 2} for wish in sent], query="?mode=partial")
    assert problems(more) == {1: (409, "slot-begun", []), 2: (409, "slot-cancelled", [])}
    assert (await rows_of(database))[2]["status"] == "closed"


async def test_a_slot_without_a_name_is_named_by_its_id(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    (wish,) = wishes(1)
    made = (await send_slots(client, admin, [wish])).json()["results"][0]["id"]
    known = wish | {"external_id": f"slot:{made}"}
    assert outcomes(await send_slots(client, admin, [known])) == ["unchanged"]
    assert outcomes(await send_slots(client, admin, [known | {"capacity": 2}])) == ["updated"]
    (row,) = await rows_of(database)
    assert (row["id"], row["capacity"], row["external_id"]) == (UUID(made), 2, None)
    # In another hospital's database it is a name like any other.
    foreign = wish | {"external_id": f"slot:{new_id()}"}
    assert outcomes(await send_slots(client, admin, [foreign])) == ["created"]
    assert outcomes(await send_slots(client, admin, [foreign])) == ["unchanged"]


async def test_a_condition_is_found_by_a_former_slug(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    assert (await rename(client, admin, f"/conditions/{PAGE}", "present-slug")).is_success
    answer = await send_slots(client, admin, [*wishes(1, condition=PAGE), *wishes(1, condition="present-slug")])
    assert outcomes(answer) == ["created", "created"]
    assert len({row["condition_id"] for row in await rows_of(database)}) == 1


async def test_only_admins_of_slots_send_batches_and_nothing_is_read_of_others(
    client: httpx.AsyncClient, database: Database
) -> None:
    reader = await headers_with(database, Scope.BOOKINGS_READ)
    assert refusal(await send_slots(client, reader, wishes(1))) == (403, "scope-missing")
    assert refusal(await send_slots(client, {}, wishes(1))) == (401, "credential-invalid")


async def test_admins_read_names_and_reasons_and_nobody_else_does(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await make_slot(database, external_id="clinic-1", overlap_reason="Synthetic reason.")
    (shown,) = (await client.get("/consultation-slots?status=all", headers=admin)).json()["items"]
    assert (shown["external_id"], shown["allow_overlap"]) == ("clinic-1", {"reason": "Synthetic reason."})
    for address in ("/consultation-slots", f"/consultation-slots/{shown['id']}"):
        public = (await client.get(address)).text
        assert shown["id"] in public
        assert "clinic-1" not in public
        assert "Synthetic reason." not in public
