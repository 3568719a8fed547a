"""What can be done through the doors: a request for each that changes something, or tells of patients."""

from datetime import timedelta

import httpx

from app.core import clock
from app.core.db import Database
from app.core.ids import new_reference
from tests.deed import Deed
from tests.editorial_deeds import editorial_deeds
from tests.rows import make_booking, make_slot
from tests.slot_deeds import slot_deeds
from tests.wishes import (
    PATIENT,
    bearer,
    book,
    booking_wish,
    confirmation,
    hold,
    hold_wish,
    new_key,
    post_slot,
    slot_wish,
)


async def deeds(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> list[Deed]:
    """One for every door that changes something or tells of patients; what it is done to is made."""
    begun = await make_slot(database, starts_at=clock.now() - timedelta(minutes=9), capacity=2)
    past = [new_reference(), new_reference()]
    for seat, reference in enumerate(past, start=1):
        await make_booking(database, begun, seat=seat, reference=reference)
    open_, other, closed, cancelled, target = [await post_slot(client, admin, capacity=9) for _ in range(5)]
    any_version = admin | {"If-Match": "*"}
    answer = await client.post(f"/consultation-slots/{closed['id']}/close", headers=any_version)
    assert answer.status_code == 200, answer.text
    await book(client, cancelled["id"])
    held = await hold(client, open_["id"])
    to_cancel, to_move, to_read = [await book(client, open_["id"]) for _ in range(3)]
    named = {"slug": "synthetic", "name": "Synthetic"}
    slots, booked = "/consultation-slots", "/consultation-bookings"
    one_slot, one_booking = f"{slots}/{{slot_id}}", f"{booked}/{{reference}}"
    erased = {"booking.cancelled", "patient.erased", "privacy.erased"}
    return [
        Deed("/clinicians", "/clinicians", admin, {"clinician.created"}, named),
        Deed("/locations", "/locations", admin, {"location.created"}, named | {"time_zone": "Europe/Berlin"}),
        Deed(slots, slots, admin, {"slot.created"}, slot_wish()),
        Deed(slots, slots, admin | new_key(), {"slot.created"}, slot_wish()),
        Deed(f"{slots}/batch", f"{slots}/batch", admin, {"slot.created"}, [slot_wish()]),
        Deed(one_slot, f"{slots}/{other['id']}", any_version, {"slot.updated"}, {"mode": "phone"}, method="PATCH"),
        Deed(f"{one_slot}/close", f"{slots}/{target['id']}/close", any_version, {"slot.closed"}),
        Deed(f"{one_slot}/open", f"{slots}/{closed['id']}/open", any_version, {"slot.opened"}),
        Deed(
            f"{one_slot}/cancel",
            f"{slots}/{cancelled['id']}/cancel",
            any_version,
            {"booking.cancelled", "slot.cancelled"},
        ),
        Deed(booked, booked, new_key(), {"booking.booked"}, booking_wish(open_["id"])),
        Deed(booked, booked, new_key(), {"booking.held"}, hold_wish(open_["id"])),
        Deed(
            f"{one_booking}/confirm",
            f"{booked}/{held['reference']}/confirm",
            bearer(held),
            {"booking.booked"},
            confirmation(),
        ),
        Deed(
            f"{one_booking}/cancel",
            f"{booked}/{to_cancel['reference']}/cancel",
            bearer(to_cancel),
            {"booking.cancelled"},
        ),
        Deed(
            f"{one_booking}/reschedule",
            f"{booked}/{to_move['reference']}/reschedule",
            bearer(to_move),
            {"booking.rescheduled"},
            {"slot_id": other["id"]},
        ),
        Deed(f"{one_booking}/fulfil", f"{booked}/{past[0]}/fulfil", admin, {"booking.fulfilled"}),
        Deed(f"{one_booking}/no-show", f"{booked}/{past[1]}/no-show", admin, {"booking.no_show"}),
        Deed(one_booking, f"{booked}/{to_read['reference']}", bearer(to_read), {"patient.read"}, method="GET"),
        Deed(booked, f"{booked}?slot_id={open_['id']}", admin, {"patient.read"}, method="GET"),
        Deed("/audit", "/audit", admin, {"audit.read"}, method="GET"),
        Deed(
            "/privacy/export",
            "/privacy/export",
            admin,
            {"patient.read", "privacy.exported"},
            {"email": PATIENT["email"]},
        ),
        Deed("/privacy/erase", "/privacy/erase", admin, erased, {"email": PATIENT["email"]}),
        *await editorial_deeds(client, admin, database),
        *await slot_deeds(client, admin),
    ]
