"""Changing a schedule: what would change is told first, slots without a booking follow it, and booked ones are kept."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations import schedule_changes, schedule_posting, schedules, slots
from app.consultations.schedule_shapes import SlotScheduleCreate
from app.consultations.tables import BookingState, ConsultationBooking, ConsultationSlot
from app.core import clock
from app.core.db import Database
from app.core.settings import Settings
from tests.clinics import at, day, make_schedule, occurrences, open_clinic, post_until, put_schedule, schedule_wish
from tests.rows import everything, make_booking
from tests.rows import run as run_statements
from tests.test_slot_change_races import book_by_hand, waits
from tests.wishes import book, booking_wish, new_key, post_slot, refusal, seats_free

BY = "api_key:synthetic"
HOURLY: dict[str, Any] = {"session_ends": "11:00", "length_minutes": 60}


async def statuses(database: Database) -> list[tuple[str, str, bool]]:
    """The local begin and status of each slot, and whether it is still of a schedule."""
    found = await everything(database, ConsultationSlot)
    return sorted((_begin(row), row["status"], row["schedule_id"] is not None) for row in found)


def _begin(row: dict[str, Any]) -> str:
    return f"+{(row['local_date'] - day(0)).days} {row['local_minute'] // 60:02}:{row['local_minute'] % 60:02}"


async def test_what_would_change_is_what_changes(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin)
    posted = await post_until(client, admin, schedule, day(2))
    booked = posted["slot_ids"][1]
    await book(client, booked)
    told = await put_schedule(client, admin, schedule, dry_run=True, **HOURLY)
    assert (told["is_dry_run"], told["schedule"]["version"], told["schedule"]["length_minutes"]) == (True, 1, 30)
    before = await statuses(database)
    assert before == [(f"+{n} {begin}", "open", True) for n in (1, 2) for begin in ("09:00", "09:30")]
    done = await put_schedule(client, admin, schedule, **HOURLY)
    assert (done["is_dry_run"], done["schedule"]["version"], done["schedule"]["length_minutes"]) == (False, 2, 60)
    # The slots that are new have no id before they are.
    names = ("occurrence", "starts_at", "ends_at")
    added = [[{name: each[name] for name in names} for each in answer["added"]] for answer in (told, done)]
    assert added[0] == added[1]
    assert [each["occurrence"] for each in added[0]] == [
        f"{day(1)}T10:00", f"{day(2)}T09:00", f"{day(2)}T10:00",
    ]  # fmt: skip
    for name in ("cancelled", "kept", "not_posted"):
        assert (name, told[name]) == (name, done[name])
    assert [(each["id"], each["bookings"]) for each in done["kept"]] == [(booked, 1)]
    assert {each["bookings"] for each in done["cancelled"]} == {0}
    # The hour that the booked slot lies in is not offered a second time.
    assert [(each["occurrence"], each["state"], each["overlaps_with"]) for each in done["not_posted"]] == [
        (f"{day(1)}T09:00", "overlaps", booked)
    ]
    assert await statuses(database) == [
        ("+1 09:00", "cancelled", False),
        ("+1 09:30", "open", True),
        ("+1 10:00", "open", True),
        ("+2 09:00", "cancelled", False),
        ("+2 09:00", "open", True),
        ("+2 09:30", "cancelled", False),
        ("+2 10:00", "open", True),
    ]
    assert await seats_free(client, booked) == 0
    actions = [entry["action"] for entry in await everything(database, AuditEntry)]
    assert [actions.count(f"slot.{done}") for done in ("created", "cancelled")] == [7, 3]
    (entry,) = await everything(database, AuditEntry, AuditEntry.action == "schedule.changed")
    assert (entry["subject"], entry["fields"]) == (schedule["id"], ["length_minutes", "session_ends"])


async def test_back_again_posts_again_what_the_change_has_cancelled(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin)
    await post_until(client, admin, schedule, day(1))
    away = await put_schedule(client, admin, schedule, session_starts="09:30")
    back = await put_schedule(client, admin, schedule)
    assert ([len(away[name]) for name in ("added", "cancelled")], len(back["added"])) == ([0, 1], 1)
    assert await statuses(database) == [
        ("+1 09:00", "cancelled", False), ("+1 09:00", "open", True), ("+1 09:30", "open", True),
    ]  # fmt: skip


async def test_what_slots_carry_is_changed_by_posting_them_anew(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    schedule = await make_schedule(client, admin, clinician="dr-rivera")
    posted = await post_until(client, admin, schedule, day(1))
    await book(client, posted["slot_ids"][0])
    done = await put_schedule(client, admin, schedule, clinician="dr-wu", capacity=3, name="Another")
    assert [each["id"] for each in done["kept"]] == posted["slot_ids"][:1]
    assert [each["id"] for each in done["cancelled"]] == posted["slot_ids"][1:]
    (added,) = done["added"]
    slot = (await client.get(f"/consultation-slots/{added['slot_id']}")).json()
    assert (slot["clinician"]["slug"], slot["capacity"]) == ("dr-wu", 3)
    (entry,) = await everything(database, AuditEntry, AuditEntry.action == "schedule.changed")
    assert entry["fields"] == ["capacity", "clinician", "name"]


async def test_a_change_that_slots_do_not_show_leaves_them_and_their_own_changes_alone(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin)
    posted = await post_until(client, admin, schedule, day(1))
    for slot_id, action in zip(posted["slot_ids"], ("close", "cancel"), strict=True):
        await client.post(f"/consultation-slots/{slot_id}/{action}", headers=admin | {"If-Match": "*"})
    done = await put_schedule(client, admin, schedule, name="Another", horizon_days=7)
    assert [done[name] for name in ("added", "cancelled", "kept", "not_posted")] == [[], [], [], []]
    assert await statuses(database) == [("+1 09:00", "closed", True), ("+1 09:30", "cancelled", True)]
    same = await put_schedule(client, admin, schedule, name="Another", horizon_days=7)
    assert (done["schedule"]["version"], same["schedule"]["version"]) == (2, 2)


async def test_a_slot_that_was_closed_is_not_opened_by_a_change(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin)
    closed, other = (await post_until(client, admin, schedule, day(1)))["slot_ids"]
    await client.post(f"/consultation-slots/{closed}/close", headers=admin | {"If-Match": "*"})
    told = await put_schedule(client, admin, schedule, dry_run=True, capacity=2)
    done = await put_schedule(client, admin, schedule, capacity=2)
    for answer in (told, done):
        assert [(each["id"], each["bookings"]) for each in answer["kept"]] == [(closed, 0)]
        assert [each["id"] for each in answer["cancelled"]] == [other]
    assert await statuses(database) == [
        ("+1 09:00", "closed", True), ("+1 09:30", "cancelled", False), ("+1 09:30", "open", True),
    ]  # fmt: skip


async def test_a_slot_that_was_moved_from_a_day_that_is_over_is_left_where_it_is(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    begin = day(-3)
    schedule = await make_schedule(client, admin, valid_from=begin)
    moved = (await post_until(client, admin, schedule, day(1)))["slot_ids"][-2]
    of_yesterday = update(ConsultationSlot).where(col(ConsultationSlot.id) == UUID(moved))
    await run_statements(database, of_yesterday.values(occurrence=f"{day(-1)}T09:00"))
    wishes: tuple[dict[str, Any], ...] = ({"name": "Another"}, {"session_ends": "10:30"})
    for changes in wishes:
        done = await put_schedule(client, admin, schedule, valid_from=begin, **changes)
        assert (done["cancelled"], done["kept"]) == ([], [])


async def test_another_time_zone_moves_every_slot_that_is_free(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin, length_minutes=60)
    await post_until(client, admin, schedule, day(2))
    done = await put_schedule(client, admin, schedule, length_minutes=60, time_zone="Asia/Tokyo")
    assert (len(done["cancelled"]), len(done["added"]), done["kept"]) == (2, 2, [])
    zones = {row["time_zone"] for row in await everything(database, ConsultationSlot) if row["status"] == "open"}
    assert zones == {"Asia/Tokyo"}


async def test_somebody_elses_slots_are_in_the_way_of_a_change_and_are_told(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    await open_clinic(client, admin)
    schedule = await make_schedule(client, admin, clinician="dr-rivera")
    await post_until(client, admin, schedule, day(1))
    other = await post_slot(
        client, admin, clinician="dr-rivera",
        starts_at=at(day(1), "10:00").isoformat(), ends_at=at(day(1), "10:30").isoformat(),
    )  # fmt: skip
    done = await put_schedule(client, admin, schedule, clinician="dr-rivera", session_ends="11:00")
    assert [each["occurrence"] for each in done["added"]] == [f"{day(1)}T10:30"]
    assert [each["overlaps_with"] for each in done["not_posted"]] == [other["id"]]


async def test_a_hold_that_is_over_keeps_no_slot(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin, length_minutes=60)
    (slot_id,) = (await post_until(client, admin, schedule, day(1)))["slot_ids"]
    over = clock.now() - timedelta(seconds=1)
    await make_booking(database, UUID(slot_id), state=BookingState.HELD, hold_expires_at=over)
    done = await put_schedule(client, admin, schedule)
    assert ([each["id"] for each in done["cancelled"]], done["kept"]) == ([slot_id], [])
    assert [row["state"] for row in await everything(database, ConsultationBooking)] == ["expired"]


async def test_a_change_needs_the_version_that_was_read(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    schedule = await make_schedule(client, admin)
    address = f"/slot-schedules/{schedule['id']}"
    for headers, refused in (({}, (428, "version-needed")), ({"If-Match": '"2"'}, (412, "version-stale"))):
        answer = await client.put(address, json=schedule_wish(), headers=admin | headers)
        assert refusal(answer) == refused
    tag = (await client.get(address, headers=admin)).headers["etag"]
    answer = await client.put(address, json=schedule_wish(name="Another"), headers=admin | {"If-Match": tag})
    assert (answer.status_code, answer.json()["schedule"]["name"]) == (200, "Another")


async def test_a_change_that_makes_too_many_slots_is_refused(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    schedule = await make_schedule(client, admin, session_ends="24:00")
    await post_until(client, admin, schedule, day(20))
    answer = await client.put(
        f"/slot-schedules/{schedule['id']}",
        json=schedule_wish(session_ends="24:00", length_minutes=1),
        headers=admin | {"If-Match": "*"},
    )
    assert refusal(answer) == (422, "invalid-input")
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/length_minutes", "too_many_occurrences")


async def test_a_slot_that_is_being_booked_while_its_schedule_is_changed_is_kept(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    schedule = await make_schedule(client, admin)
    posted = await post_until(client, admin, schedule, day(1))
    async with database.write() as session:
        await book_by_hand(session, UUID(posted["slot_ids"][0]), settings, held=False)
        changing = asyncio.create_task(
            put_schedule(client, admin, schedule, session_starts="10:00", session_ends="11:00")
        )
        assert await waits(changing)
    done = await changing
    assert [(each["id"], each["bookings"]) for each in done["kept"]] == [(posted["slot_ids"][0], 1)]
    assert [each["id"] for each in done["cancelled"]] == posted["slot_ids"][1:]
    (booking,) = await everything(database, ConsultationBooking)
    assert booking["state"] == "booked"


async def test_who_books_a_slot_while_its_schedule_is_changed_waits_and_is_told_that_it_is_gone(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin)
    posted = await post_until(client, admin, schedule, day(1))
    wish = SlotScheduleCreate.model_validate(schedule_wish(session_starts="10:00", session_ends="11:00"))
    async with database.write() as session:
        await schedule_changes.change(session, UUID(schedule["id"]), wish, versions=None, dry_run=False, by=BY)
        booking = asyncio.create_task(
            client.post("/consultation-bookings", json=booking_wish(posted["slot_ids"][0]), headers=new_key())
        )
        assert await waits(booking)
    answer = await booking
    assert (refusal(answer), answer.json()["reason"]) == ((409, "slot-taken"), "cancelled")


@pytest.mark.parametrize("times", range(3))
async def test_of_changes_and_bookings_at_once_no_order_leaves_a_booking_without_its_slot(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, times: int
) -> None:
    schedule = await make_schedule(client, admin, session_ends=f"{11 + times}:00")
    posted = await post_until(client, admin, schedule, day(1))
    changed, *booked = await asyncio.gather(
        put_schedule(client, admin, schedule, session_starts="18:00", session_ends="19:00"),
        *(
            client.post("/consultation-bookings", json=booking_wish(slot_id), headers=new_key())
            for slot_id in posted["slot_ids"]
        ),
    )
    found = {str(row["id"]): row["status"] for row in await everything(database, ConsultationSlot)}
    is_booked = {answer.json()["slot"]["id"] for answer in booked if answer.status_code == 201}
    assert {answer.status_code for answer in booked} <= {201, 409}
    assert {each["id"] for each in changed["kept"]} == is_booked
    assert {found[slot_id] for slot_id in is_booked} <= {"open"}
    assert {found[each["id"]] for each in changed["cancelled"]} <= {"cancelled"}


async def test_a_slot_is_locked_before_its_bookings_are_looked_at(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin)
    posted = await post_until(client, admin, schedule, day(1))
    async with database.write() as session:
        await slots.lock(session, UUID(posted["slot_ids"][0]))
        changing = asyncio.create_task(put_schedule(client, admin, schedule, dry_run=True, name="Another"))
        assert await waits(changing)
    assert (await changing)["cancelled"] == []
    assert set((await occurrences(client, admin, schedule, f"to={day(1)}")).values()) == {"posted"}


async def test_who_changes_a_schedule_while_it_is_posted_sees_what_was_posted(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    schedule = await make_schedule(client, admin)
    async with database.write() as session:
        row = await schedules.lock(session, UUID(schedule["id"]))
        posted = await schedule_posting.post(session, row, first=day(0), until=day(1), by=BY)
        changing = asyncio.create_task(put_schedule(client, admin, schedule, session_starts="09:30"))
        assert await waits(changing)
    assert [each["id"] for each in (await changing)["cancelled"]] == [str(posted.slot_ids[0])]
    assert await statuses(database) == [("+1 09:00", "cancelled", False), ("+1 09:30", "open", True)]
