"""Calendar feeds, as who makes them and the programs that subscribe to them do."""

from datetime import UTC, datetime
from typing import Any

import httpx
from icalendar import Calendar

from tests.wishes import post_slot


async def open_places(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    """Make two clinicians known, and a location with a room."""
    for slug, name in (("dr-wu", "Dr. Wu"), ("dr-rivera", "Dr. Rivera")):
        answer = await client.post("/clinicians", json={"slug": slug, "name": name}, headers=admin)
        assert answer.status_code == 201, answer.text
    main = {"slug": "main", "name": "Main; East, B", "time_zone": "Europe/Berlin"}
    assert (await client.post("/locations", json=main, headers=admin)).status_code == 201
    room = {"slug": "four", "name": "Room 4"}
    assert (await client.post("/locations/main/rooms", json=room, headers=admin)).status_code == 201


async def post_at_main(client: httpx.AsyncClient, admin: dict[str, str], **changes: Any) -> dict[str, Any]:
    """Post a slot of Dr. Wu's, in the room; returns it."""
    wish = {"clinician": "dr-wu", "location": "main", "room": "four", "mode": "in_person"}
    return await post_slot(client, admin, **(wish | changes))


async def make_feed(client: httpx.AsyncClient, admin: dict[str, str], **whose: str) -> dict[str, Any]:
    """Open a feed, Dr. Wu's unless told otherwise; returns it with its address."""
    answer = await client.post("/calendar-feeds", json=whose or {"clinician": "dr-wu"}, headers=admin)
    assert answer.status_code == 201, answer.text
    feed: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/calendar-feeds/{feed['id']}"
    return feed


async def subscribe(client: httpx.AsyncClient, feed: dict[str, Any]) -> Any:
    """The calendar at the feed's address."""
    answer = await client.get(feed["url"])
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert {len(line) <= 75 and b"\n" not in line for line in answer.content.split(b"\r\n")} == {True}
    return parsed(answer.content)


def parsed(content: bytes) -> Any:
    """The calendar as the library reads it."""
    return Calendar.from_ical(content)


async def entries(client: httpx.AsyncClient, feed: dict[str, Any]) -> list[Any]:
    """The entries of the calendar at the feed's address."""
    return list((await subscribe(client, feed)).walk("VEVENT"))


async def titles(client: httpx.AsyncClient, feed: dict[str, Any]) -> list[str]:
    """The titles of its entries."""
    return [str(entry["SUMMARY"]) for entry in await entries(client, feed)]


def span(entry: Any) -> tuple[datetime, datetime]:
    """Begin and end of an entry, in UTC."""
    return entry["DTSTART"].dt.astimezone(UTC), entry["DTEND"].dt.astimezone(UTC)
