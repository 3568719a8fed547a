"""An export: everything that is held on one person, of one moment, and nothing of anybody else."""

import asyncio
from typing import Any

import httpx
from sqlmodel import col

from app.access.tables import AuditEntry
from app.consultations.tables import ConsultationBooking
from app.core.db import Database
from tests.patients import OTHER, PERSON, REASON, ask
from tests.rows import everything
from tests.wishes import bearer, book, post_slot

CONDITION = "acute-lymphoblastic-leukemia"


async def test_an_export_holds_all_of_one_person_and_nothing_of_another(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    for place, wish in (("clinicians", {}), ("locations", {"time_zone": "Europe/Berlin"})):
        made = await client.post(f"/{place}", json={"slug": "synthetic", "name": "Synthetic"} | wish, headers=admin)
        assert made.status_code == 201
    first = await post_slot(client, admin, capacity=3, clinician="synthetic", location="synthetic")
    second = await post_slot(client, admin, days=40, mode="phone", capacity=2)
    booked = await book(client, first["id"], patient=PERSON, reason=REASON, condition=CONDITION)
    others = await book(client, first["id"], patient=OTHER, reason="Another's reason.")
    await book(client, second["id"], patient=OTHER)
    later = await book(client, second["id"], patient={"name": PERSON["name"], "email": PERSON["email"]}, reason=None)
    address = f"/consultation-bookings/{booked['reference']}"
    third = await post_slot(client, admin, days=41)
    await client.post(f"{address}/reschedule", json={"slot_id": third["id"]}, headers=bearer(booked))
    note = {"reason": "pat-fb", "note": "A planted note about feeling better"}
    await client.post(f"{address}/cancel", json=note, headers=bearer(booked))
    seen = await client.get(address, headers=admin)
    assert seen.status_code == 200

    export = await ask(client, admin)
    one, two = sorted(export["bookings"], key=lambda booking: booking["created_at"])
    assert [one["reference"], two["reference"]] == [booked["reference"], later["reference"]]
    assert (one["state"], one["version"], one["reschedule_count"]) == ("cancelled", 3, 1)
    assert (one["patient"], one["reason"], one["cancellation_reason"]) == (PERSON, REASON, "pat-fb")
    assert one["notes"] == [{"version": 3, "kind": "cancellation", "by": "booking_holder", "text": note["note"]}]
    assert (one["condition"], one["consent_text_version"], one["page_revision"]) == (CONDITION, "v1", 1)
    assert len(one["what_to_bring"]["items"]) == 4
    assert (one["slot"]["id"], one["slot"]["starts_at"]) == (third["id"], third["starts_at"])
    assert [(e["version"], e.get("from_state"), e["to_state"], e["actor"]) for e in one["events"]] == [
        (1, None, "booked", "anonymous"),
        (2, "booked", "booked", "booking_holder"),
        (3, "booked", "cancelled", "booking_holder"),
    ]
    assert (one["events"][1]["previous_slot_id"], one["events"][2]["reason"]) == (first["id"], "pat-fb")
    assert [(m["topic"], m["sequence"]) for m in one["messages"]] == [
        ("booking.booked", 1),
        ("booking.rescheduled", 2),
        ("booking.cancelled", 3),
    ]
    assert [answer["operation"] for answer in one["stored_answers"]] == ["book_consultation"]
    assert {"booking.booked", "booking.rescheduled", "booking.cancelled", "patient.read"} <= {
        entry["action"] for entry in one["audit_entries"]
    }
    assert two["patient"] == {"name": PERSON["name"], "email": PERSON["email"]}
    assert "reason" not in two
    assert (two["slot"]["mode"], two["slot"]["time_zone"]) == ("phone", "Europe/Berlin")

    text = str(export)
    for hidden in (*OTHER.values(), "Another's reason.", others["reference"], booked["token"], later["token"]):
        assert hidden not in text
    assert not [name for name in ("token", "hash", "answer'", "wrapped_key", "nonce", "seat'") if name in text]


async def test_each_booking_shown_is_a_line_in_the_trail(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=3)
    for patient in (PERSON, PERSON, OTHER):
        await book(client, slot["id"], patient=patient)
    export = await ask(client, admin)
    reads = await everything(database, AuditEntry, col(AuditEntry.action) == "patient.read")
    bookings = await everything(database, ConsultationBooking)
    shown = {str(b["id"]) for b in bookings} & {entry["subject"] for entry in reads}
    assert (len(reads), len(shown), len(export["bookings"])) == (2, 2, 2)
    assert all(entry["fields"] == ["name", "email", "phone", "reason", "notes"] for entry in reads)
    (whole,) = await everything(database, AuditEntry, col(AuditEntry.action) == "privacy.exported")
    assert (whole["subject"], whole["actor"]) == (export["receipt"], reads[0]["actor"])
    # The trail of the first export is part of the second.
    again = await ask(client, admin)
    entries = [entry["action"] for booking in again["bookings"] for entry in booking["audit_entries"]]
    assert entries.count("patient.read") == 2


async def test_an_export_is_of_one_moment(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slots = [await post_slot(client, admin) for _ in range(12)]
    booked = [await book(client, slot["id"], patient=PERSON) for slot in slots]

    async def cancel(booking: dict[str, Any]) -> None:
        answer = await client.post(f"/consultation-bookings/{booking['reference']}/cancel", headers=bearer(booking))
        assert answer.status_code == 200

    exports, *_ = await asyncio.gather(
        asyncio.gather(*(ask(client, admin) for _ in range(12))), *(cancel(booking) for booking in booked)
    )
    for export in exports:
        for booking in export["bookings"]:
            assert [event["version"] for event in booking["events"]] == list(range(1, booking["version"] + 1))
            assert booking["events"][-1]["to_state"] == booking["state"]
