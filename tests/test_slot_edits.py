"""One slot changed: what is said is otherwise, what is not stays, and what bookings rely on is refused."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations.schedule_tables import Room
from app.consultations.tables import BookingState, Clinician, ConsultationBooking, ConsultationSlot, Location
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from tests.batches import wishes
from tests.moves import rename
from tests.rows import change_slot, everything, make_booking, make_slot, run
from tests.wishes import post_slot, refusal

ANY = {"If-Match": "*"}
PAGE = "acute-lymphoblastic-leukemia"


@pytest.fixture(autouse=True)
async def place(database: Database) -> None:
    """Two clinicians, and two locations in different zones with a room each."""
    await run(database, *(insert(Clinician).values(id=new_id(), slug=slug, name=slug) for slug in ("dr-a", "dr-b")))
    for slug, zone in (("berlin", "Europe/Berlin"), ("london", "Europe/London")):
        location = new_id()
        await run(
            database,
            insert(Location).values(id=location, slug=slug, name=slug, time_zone=zone, version=1),
            insert(Room).values(id=new_id(), location_id=location, slug="one", name="One"),
        )


async def change(
    client: httpx.AsyncClient, admin: dict[str, str], slot: Any, *, headers: Any = ANY, **changes: Any
) -> httpx.Response:
    """Change a slot."""
    return await client.patch(f"/consultation-slots/{slot['id']}", json=changes, headers=admin | headers)


async def row_of(database: Database, slot: Any) -> dict[str, Any]:
    """The slot's row."""
    (row,) = [row for row in await everything(database, ConsultationSlot) if str(row["id"]) == str(slot["id"])]
    return row


async def test_what_is_said_is_otherwise_and_the_rest_stays(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, clinician="dr-a", external_id="x", condition=PAGE)
    before = await row_of(database, slot)
    later = wishes(50)[49]
    answer = await change(
        client, admin, slot, starts_at=later["starts_at"], ends_at=later["ends_at"], capacity=3, mode="phone"
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["capacity"], told["mode"], told["version"], told["external_id"]) == (3, "phone", 2, "x")
    after = await row_of(database, slot)
    changed = {name for name in after if after[name] != before[name]}
    assert changed - {"local_weekday", "local_minute"} == {
        "starts_at", "ends_at", "capacity", "mode", "version", "local_date",
    }  # fmt: skip
    (entry,) = await everything(database, AuditEntry, col(AuditEntry.action) == "slot.updated")
    assert (entry["subject"], entry["fields"]) == (slot["id"], ["capacity", "ends_at", "mode", "starts_at"])


async def test_null_takes_away_what_can_be_absent(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    full = {"clinician": "dr-a", "location": "berlin", "room": "one", "category": "hematologic-malignancies"}
    slot = await post_slot(client, admin, **full, external_id="x", allow_overlap={"reason": "Synthetic."})
    answer = await change(client, admin, slot, **dict.fromkeys((*full, "external_id", "allow_overlap")))
    assert not {*full, "external_id", "allow_overlap"} & set(answer.json())
    row = await row_of(database, slot)
    assert {row[f"{name}_id"] for name in full} | {row["external_id"], row["overlap_reason"]} == {None}
    assert row["time_zone"] == "Europe/Berlin"
    for name in ("starts_at", "capacity", "mode", "time_zone"):
        assert refusal(await change(client, admin, slot, **{name: None})) == (422, "invalid-input")


async def test_another_location_brings_its_zone_and_its_rooms(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, location="berlin", room="one")
    minute = (await row_of(database, slot))["local_minute"]
    moved = (await change(client, admin, slot, location="london")).json()
    assert (moved["time_zone"], "room" in moved) == ("Europe/London", False)
    assert (await row_of(database, slot))["local_minute"] == (minute - 60) % 1440
    assert (await change(client, admin, slot, room="one")).json()["room"]["slug"] == "one"
    differs = await change(client, admin, slot, time_zone="Europe/Berlin")
    assert differs.json()["errors"][0]["code"] == "time_zone_differs"
    assert (await change(client, admin, slot, room="two")).json()["errors"][0]["pointer"] == "/room"


async def test_the_version_that_was_read_is_needed_and_nothing_changes_it_but_a_change(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    read = await client.get(f"/consultation-slots/{slot['id']}")
    assert refusal(await change(client, admin, slot, headers={}, capacity=2)) == (428, "version-needed")
    mine = {"If-Match": read.headers["etag"]}
    assert (await change(client, admin, slot, headers=mine)).json()["version"] == 1
    assert (await change(client, admin, slot, headers=mine, capacity=1, time_zone="Europe/Berlin")).json()[
        "version"
    ] == 1
    assert (await change(client, admin, slot, headers=mine, capacity=2)).json()["version"] == 2
    assert refusal(await change(client, admin, slot, headers=mine, capacity=3)) == (412, "version-stale")
    assert len(await everything(database, AuditEntry, col(AuditEntry.action) == "slot.updated")) == 1


async def test_live_bookings_keep_what_they_were_told_and_holds_that_are_over_do_not(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = {"id": await make_slot(database, capacity=3)}
    later = {name: wishes(1)[0][name] for name in ("starts_at", "ends_at")}
    over = {"state": BookingState.HELD, "hold_expires_at": clock.now() - timedelta(seconds=1)}
    hold = await make_booking(database, slot["id"], seat=3, **over)
    assert (await change(client, admin, slot, capacity=2)).status_code == 200
    (row,) = await everything(database, ConsultationBooking, col(ConsultationBooking.id) == hold)
    assert row["state"] == "expired"
    await make_booking(database, slot["id"], seat=2)
    told = (
        {"clinician": "dr-b"},
        {"mode": "video"},
        {"time_zone": "Asia/Tokyo"},
        {"location": "london"},
        {"condition": None, "category": "hematologic-malignancies"},
    )
    for refused in (later, {"capacity": 1}, *told):
        assert refusal(await change(client, admin, slot, **refused)) == (409, "slot-booked"), refused
    assert (await change(client, admin, slot, capacity=4, external_id="x")).status_code == 200


async def test_overlaps_and_names_are_refused_by_the_schema(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    first = await post_slot(client, admin, clinician="dr-a", external_id="x")
    second = await post_slot(client, admin, clinician="dr-b", external_id="y")
    assert refusal(await change(client, admin, second, clinician="dr-a")) == (409, "slot-overlaps")
    assert refusal(await change(client, admin, second, external_id="x")) == (409, "external-id-taken")
    reason = {"reason": "Synthetic reason."}
    both = await change(client, admin, second, clinician="dr-a", allow_overlap=reason)
    assert both.json()["allow_overlap"] == reason
    assert refusal(await change(client, admin, second, allow_overlap=None)) == (409, "slot-overlaps")
    assert first["id"] != second["id"]


async def test_what_has_begun_or_is_cancelled_or_unknown_stays_as_it_is(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    begun = {"id": await make_slot(database, starts_at=clock.now() - timedelta(minutes=1))}
    cancelled = {"id": await make_slot(database)}
    await run(database, change_slot(cancelled["id"], status="cancelled"))
    assert refusal(await change(client, admin, begun, capacity=2)) == (409, "slot-begun")
    assert refusal(await change(client, admin, cancelled, capacity=2)) == (409, "slot-cancelled")
    assert refusal(await change(client, admin, {"id": new_id()}, capacity=2)) == (404, "slot-not-found")


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"starts_at": "2020-01-01T00:00:00Z"}, "/starts_at", "in_the_past"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "/ends_at", "end_before_start"),
        ({"starts_at": "2030-01-01T00:00:00"}, "/starts_at", "instant_without_offset"),
        ({"capacity": 0}, "/capacity", "greater_than_equal"),
        ({"category": "hematologic-malignancies"}, "/condition", "one_topic"),
        ({"room": "one"}, "/room", "location_missing"),
        ({"clinician": "nobody"}, "/clinician", "unknown_reference"),
        ({"status": "open"}, "/status", "extra_forbidden"),
    ],
)
async def test_a_change_that_makes_no_slot_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], changes: dict[str, Any], pointer: str, code: str
) -> None:
    slot = await post_slot(client, admin, condition=PAGE)
    answer = await change(client, admin, slot, **changes)
    assert refusal(answer) == (422, "invalid-input")
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(pointer, code)]


async def test_a_condition_is_found_by_a_former_slug(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin)
    assert (await rename(client, admin, f"/conditions/{PAGE}", "present-slug")).is_success
    assert (await change(client, admin, slot, condition=PAGE)).json()["condition"]["slug"] == "present-slug"
