"""A clinic with a clinician, a location and a room, and schedules of slots there."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from app.core import clock

ZONE = "Europe/Berlin"


async def open_clinic(client: httpx.AsyncClient, admin: dict[str, str], **location: Any) -> None:
    """Make two clinicians, a location and its room known."""
    for slug in ("dr-rivera", "dr-wu"):
        answer = await client.post("/clinicians", json={"slug": slug, "name": slug}, headers=admin)
        assert answer.status_code == 201, answer.text
    main = {"slug": "main", "name": "Main Building", "time_zone": ZONE} | location
    answer = await client.post("/locations", json=main, headers=admin)
    assert answer.status_code == 201, answer.text
    room = {"slug": "room-1", "name": "Room 1"}
    assert (await client.post("/locations/main/rooms", json=room, headers=admin)).status_code == 201


def day(number: int) -> date:
    """The day in so many days, in Berlin."""
    return clock.now().astimezone(ZoneInfo(ZONE)).date() + timedelta(days=number)


def at(on: date, wall_clock: str, zone: str = ZONE) -> datetime:
    """A moment on a wall clock."""
    return datetime.fromisoformat(f"{on}T{wall_clock}").replace(tzinfo=ZoneInfo(zone))


def schedule_wish(**changes: Any) -> dict[str, Any]:
    """A schedule of two slots on every day from tomorrow on, at an hour at which no clock is turned."""
    wish = {
        "name": "Every day",
        "rrule": "FREQ=DAILY",
        "session_starts": "09:00",
        "session_ends": "10:00",
        "length_minutes": 30,
        "time_zone": ZONE,
        "mode": "video",
        "capacity": 1,
        "valid_from": day(1).isoformat(),
    }
    return wish | {name: value.isoformat() if isinstance(value, date) else value for name, value in changes.items()}


async def make_schedule(client: httpx.AsyncClient, admin: dict[str, str], **changes: Any) -> dict[str, Any]:
    """Make a schedule; returns it."""
    answer = await client.post("/slot-schedules", json=schedule_wish(**changes), headers=admin)
    assert answer.status_code == 201, answer.text
    schedule: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/slot-schedules/{schedule['id']}"
    return schedule


async def post_until(
    client: httpx.AsyncClient, admin: dict[str, str], schedule: dict[str, Any], until: date
) -> dict[str, Any]:
    """Post a schedule up to this day; what was answered."""
    address = f"/slot-schedules/{schedule['id']}/post"
    answer = await client.post(address, json={"until": until.isoformat()}, headers=admin)
    assert answer.status_code == 200, answer.text
    posted: dict[str, Any] = answer.json()
    return posted


async def occurrences(
    client: httpx.AsyncClient, admin: dict[str, str], schedule: dict[str, Any], query: str = ""
) -> dict[str, str]:
    """The states of a schedule's occurrences."""
    answer = await client.get(f"/slot-schedules/{schedule['id']}/occurrences?{query}", headers=admin)
    assert answer.status_code == 200, answer.text
    return {each["occurrence"]: each["state"] for each in answer.json()["items"]}


async def put_schedule(
    client: httpx.AsyncClient, admin: dict[str, str], schedule: dict[str, Any], *, dry_run: bool = False, **changes: Any
) -> dict[str, Any]:
    """Change a schedule; what was answered."""
    answer = await client.put(
        f"/slot-schedules/{schedule['id']}?dry_run={str(dry_run).lower()}",
        json=schedule_wish(**changes),
        headers=admin | {"If-Match": "*"},
    )
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed
