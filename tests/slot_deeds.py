"""What can be done about clinics: a request for each door that changes rooms, schedules, absences, plans or feeds."""

from typing import Any

import httpx

from tests.clinics import day, make_schedule, schedule_wish
from tests.deed import Deed
from tests.slot_plans import make as make_plan
from tests.wishes import post_slot


async def slot_deeds(client: httpx.AsyncClient, admin: dict[str, str]) -> list[Deed]:
    """One for every such door; what it is done to is made."""

    async def made(address: str, wish: dict[str, Any]) -> dict[str, Any]:
        answer = await client.post(address, json=wish, headers=admin)
        assert answer.status_code == 201, answer.text
        thing: dict[str, Any] = answer.json()
        return thing

    place = {"slug": "deeds", "name": "Deeds", "time_zone": "Europe/Berlin"}
    await made("/locations", place)
    clinician = {"clinician": (await made("/clinicians", {"slug": "dr-deeds", "name": "Deeds"}))["slug"]}
    away = clinician | {"starts_at": "2031-05-06T00:00:00Z", "ends_at": "2031-05-07T00:00:00Z"}
    absence, feed = await made("/absences", away), await made("/calendar-feeds", clinician)
    to_change, to_end, to_post = [await make_schedule(client, admin) for _ in range(3)]
    plan = await make_plan(client, admin, "close", [await post_slot(client, admin)], "keep")
    another = {"action": "close", "bookings": "keep", "slots": {"ids": [(await post_slot(client, admin))["id"]]}}
    schedules, one = "/slot-schedules", "/slot-schedules/{schedule_id}"
    any_version = admin | {"If-Match": "*"}
    until = {"until": day(2).isoformat()}
    return [
        Deed("/locations/{slug}", "/locations/deeds", any_version, {"location.changed"}, {"name": "Other"}, "PATCH"),
        Deed("/locations/{slug}/rooms", "/locations/deeds/rooms", admin, {"room.created"}, _named("room-1")),
        Deed(schedules, schedules, admin, {"schedule.created"}, schedule_wish()),
        Deed(
            one, f"{schedules}/{to_change['id']}", any_version, {"schedule.changed"}, schedule_wish(name="Other"), "PUT"
        ),
        Deed(f"{one}/end", f"{schedules}/{to_end['id']}/end", any_version, {"schedule.ended"}),
        Deed(f"{one}/post", f"{schedules}/{to_post['id']}/post", admin, {"schedule.posted", "slot.created"}, until),
        Deed("/absences", "/absences", admin, {"absence.created"}, away),
        Deed("/absences/{absence_id}", f"/absences/{absence['id']}", admin, {"absence.deleted"}, method="DELETE"),
        Deed("/slot-plans", "/slot-plans", admin, {"slot_plan.created"}, another),
        Deed(
            "/slot-plans/{plan_id}/apply",
            f"/slot-plans/{plan['id']}/apply",
            admin,
            {"slot_plan.applied", "slot.closed"},
        ),
        Deed("/calendar-feeds", "/calendar-feeds", admin, {"calendar_feed.created"}, clinician),
        Deed(
            "/calendar-feeds/{feed_id}",
            f"/calendar-feeds/{feed['id']}",
            admin,
            {"calendar_feed.revoked"},
            method="DELETE",
        ),
    ]


def _named(slug: str) -> dict[str, str]:
    return {"slug": slug, "name": "Synthetic"}
