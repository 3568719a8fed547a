"""Changing a location: what is sent changes, what is not stays, and its time zone stays once it is used."""

import asyncio
from typing import Any

import httpx
import pytest

from app.access.tables import AuditEntry
from app.consultations import references, slots
from app.consultations.slot_shapes import ConsultationSlotCreate
from app.consultations.tables import ConsultationSlot, Location
from app.core.db import Database
from app.core.ids import new_id
from tests.clinics import make_schedule, open_clinic
from tests.rows import everything
from tests.test_slot_change_races import waits
from tests.wishes import post_slot, refusal, slot_wish

POLICY = {"min_notice_minutes": 60, "max_reschedules": 1}
BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no such country": ({"holidays": "XX"}, "/holidays", "unknown_holidays"),
    "no such part": ({"holidays": "DE-XX"}, "/holidays", "unknown_holidays"),
    "no code": ({"holidays": "Germany"}, "/holidays", "string_pattern_mismatch"),
    "without a name": ({"name": None}, "/name", "null"),
    "without a zone": ({"time_zone": None}, "/time_zone", "null"),
    "on Mars": ({"time_zone": "Mars/Olympus"}, "/time_zone", "time_zone"),
    "another slug": ({"slug": "other"}, "/slug", "extra_forbidden"),
}


async def change(client: httpx.AsyncClient, admin: dict[str, str], tag: str = "*", **wish: Any) -> httpx.Response:
    """Change the location."""
    return await client.patch("/locations/main", json=wish, headers=admin | {"If-Match": tag})


@pytest.mark.parametrize(("wish", "pointer", "code"), BAD.values(), ids=BAD)
async def test_a_wrong_change_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], wish: dict[str, Any], pointer: str, code: str
) -> None:
    await open_clinic(client, admin)
    answer = await change(client, admin, **wish)
    assert refusal(answer) == (422, "invalid-input")
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert (await client.get("/locations/main")).json()["version"] == 1


async def test_a_location_may_not_begin_with_unknown_holidays(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    wish = {"slug": "main", "name": "Main", "time_zone": "UTC", "holidays": "DE-XX"}
    answer = await client.post("/locations", json=wish, headers=admin)
    assert (refusal(answer), answer.json()["errors"][0]["code"]) == ((422, "invalid-input"), "unknown_holidays")
    assert await everything(database, Location) == []


async def test_what_is_sent_changes_and_the_rest_stays(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin, policy=POLICY, holidays="DE")
    main = {"slug": "main", "name": "Main Building", "time_zone": "Europe/Berlin"}
    assert (await client.get("/locations/main")).json() == main | {"policy": POLICY, "holidays": "DE", "version": 1}
    steps: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"holidays": "DE-BE"}, {"policy": POLICY, "holidays": "DE-BE"}),
        ({"name": "New Building"}, {"name": "New Building", "policy": POLICY, "holidays": "DE-BE"}),
        (
            {"policy": {"min_notice_minutes": None, "cancel_until_minutes": 5}},
            {"name": "New Building", "policy": {"cancel_until_minutes": 5, "max_reschedules": 1}, "holidays": "DE-BE"},
        ),
        ({"policy": None, "holidays": None}, {"name": "New Building"}),
        ({"time_zone": "Asia/Tokyo"}, {"name": "New Building", "time_zone": "Asia/Tokyo"}),
    ]
    for version, (wish, now) in enumerate(steps, start=1):
        read = await client.get("/locations/main")
        assert read.headers["etag"].startswith(f'"{version}-')
        changed = await change(client, admin, read.headers["etag"], **wish)
        assert (changed.status_code, changed.json()) == (200, main | now | {"version": version + 1})
    for nothing in ({}, {"name": "New Building"}):
        assert (await change(client, admin, **nothing)).json()["version"] == len(steps) + 1
    entries = await everything(database, AuditEntry, AuditEntry.action == "location.changed")
    assert [entry["fields"] for entry in sorted(entries, key=lambda entry: entry["id"])] == [
        ["holidays"], ["name"], ["cancel_until_minutes", "min_notice_minutes"],
        ["cancel_until_minutes", "holidays", "max_reschedules"], ["time_zone"],
    ]  # fmt: skip


async def test_a_change_needs_the_version_that_was_read(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await open_clinic(client, admin)
    without = await client.patch("/locations/main", json={"name": "Another"}, headers=admin)
    assert refusal(without) == (428, "version-needed")
    assert refusal(await change(client, admin, '"2"', name="Another")) == (412, "version-stale")
    nowhere = await client.patch("/locations/nowhere", json={}, headers=admin | {"If-Match": "*"})
    assert refusal(nowhere) == (404, "location-not-found")


@pytest.mark.parametrize("use", [post_slot, make_schedule])
async def test_a_time_zone_that_is_used_stays(client: httpx.AsyncClient, admin: dict[str, str], use: Any) -> None:
    await open_clinic(client, admin)
    await use(client, admin, location="main")
    assert refusal(await change(client, admin, time_zone="Asia/Tokyo")) == (409, "location-in-use")
    same = await change(client, admin, time_zone="Europe/Berlin", name="Another")
    assert (same.status_code, same.json()["name"]) == (200, "Another")


async def test_who_changes_a_time_zone_while_a_slot_is_posted_there_is_too_late(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    wish = ConsultationSlotCreate.model_validate(slot_wish(location="main"))
    async with database.write() as session:
        # From here on the slot has its time zone, whether or not it is written yet.
        await references.look_up(session, [wish])
        changing = asyncio.create_task(change(client, admin, time_zone="Asia/Tokyo"))
        assert await waits(changing)
        await slots.post(session, wish, slot_id=new_id(), by="api_key:synthetic")
    assert refusal(await changing) == (409, "location-in-use")


async def test_who_posts_a_slot_while_the_time_zone_is_changed_has_the_new_one(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await open_clinic(client, admin)
    turned = await asyncio.gather(
        change(client, admin, time_zone="Asia/Tokyo"),
        *(
            client.post("/consultation-slots", json=slot_wish(location="main", time_zone=None), headers=admin)
            for _ in range(3)
        ),
    )
    assert turned[0].status_code in (200, 409)
    (location,) = await everything(database, Location)
    zones = {row["time_zone"] for row in await everything(database, ConsultationSlot)}
    assert zones == {location["time_zone"]}
