"""What the hospital and its locations allow: until when, and how often."""

from datetime import datetime, timedelta
from typing import Any

import httpx

from app.access.callers import Scope
from app.core.db import Database
from app.core.settings import Settings
from tests.conftest import headers_with
from tests.doors import started
from tests.lives import row_of
from tests.wishes import act, book, hold, post_slot, read, refusal

# Of the location where these tests take place, whose slots begin in two days.
STRICT = {"cancel_until_minutes": 4 * 1440, "reschedule_until_minutes": 4 * 1440, "max_reschedules": 2}


async def make_location(client: httpx.AsyncClient, admin: dict[str, str], slug: str, **policy: int) -> str:
    """Make a location with this policy known; returns its slug."""
    wish = {"slug": slug, "name": slug, "time_zone": "Europe/Berlin"} | ({"policy": policy} if policy else {})
    answer = await client.post("/locations", json=wish, headers=admin)
    assert (answer.status_code, answer.json()) == (201, wish | {"version": 1})
    return slug


def terms(booking: dict[str, Any]) -> dict[str, Any]:
    """What a booking says of its policy: how long before its begin, and how often."""
    begin = datetime.fromisoformat(booking["slot"]["starts_at"])
    return {
        "cancel": (begin - datetime.fromisoformat(booking["cancel_until"])) // timedelta(minutes=1),
        "reschedule": (begin - datetime.fromisoformat(booking["reschedule_until"])) // timedelta(minutes=1),
        "left": booking["reschedules_left"],
    }


async def test_a_location_says_what_it_does_otherwise_than_the_hospital(
    settings: Settings, admin: dict[str, str]
) -> None:
    hospital = {"cancel_until_minutes": 120, "reschedule_until_minutes": 240, "max_reschedules": 5}
    async with started(settings.model_copy(update=hospital)) as client:
        of_hospital = {"cancel": 120, "reschedule": 240, "left": 5}
        for slug, policy, differs in (
            ("plain", {}, {}),
            ("some", {"cancel_until_minutes": 60}, {"cancel": 60}),
            ("none", {"cancel_until_minutes": 0, "reschedule_until_minutes": 0, "max_reschedules": 0},
             {"cancel": 0, "reschedule": 0, "left": 0}),
        ):  # fmt: skip
            location = await make_location(client, admin, slug, **policy)
            slot = await post_slot(client, admin, location=location, capacity=3)
            for make in (book, hold):
                booking = await make(client, slot["id"])
                assert terms(booking) == of_hospital | differs
                assert terms(await read(client, booking)) == of_hospital | differs
        elsewhere = await book(client, (await post_slot(client, admin))["id"])
        assert terms(elsewhere) == of_hospital
        items = (await client.get("/consultation-bookings", headers=admin)).json()["items"]
        assert [terms(item)["left"] for item in items] == [5, 0, 0, 5, 5, 5, 5]


async def test_after_cancel_until_only_staff_cancel(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    staff = await headers_with(database, Scope.BOOKINGS_READ, Scope.BOOKINGS_WRITE)
    location = await make_location(client, admin, "strict", **STRICT)
    slot = await post_slot(client, admin, days=2, location=location)
    booking = await book(client, slot["id"])
    assert booking["allowed_actions"] == []
    before = await row_of(database, booking)
    assert refusal(await act(client, booking, "cancel", {"note": "Synthetic note."})) == (409, "deadline-passed")
    assert await row_of(database, booking) == before
    assert "notes" not in await read(client, booking, headers=staff)
    answer = await act(client, booking, "cancel", headers=staff)
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    # What is done is no later for being late.
    assert (await act(client, booking, "cancel")).status_code == 200
    # A seat that nobody has booked can be let go of at any time.
    held = await hold(client, slot["id"])
    assert held["allowed_actions"] == ["confirm", "cancel"]
    assert (await act(client, held, "cancel")).json()["state"] == "cancelled"
