"""What a booking is about: its slot's condition, or one that the slot is offered for."""

import asyncio
from typing import Any

import httpx

from app.consultations.tables import ConsultationBooking
from app.core.db import Database
from tests.pages import publish
from tests.rows import counts
from tests.wishes import PATIENT, act, book, booking_wish, confirmation, hold, new_key, post_slot, read

CONDITION, CATEGORY = "acute-lymphoblastic-leukemia", "hematologic-malignancies"
STRANGER, STRANGE_CATEGORY = "synthetic-condition", "synthetic-category"


# What a slot is offered for, what a booking asks for, and the condition that it gets or why it is refused.
RULES: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"condition": CONDITION}, None, CONDITION),
    ({"condition": CONDITION}, CONDITION, CONDITION),
    ({"condition": CONDITION}, STRANGER, "slot-not-for-condition"),
    ({"category": CATEGORY}, CONDITION, CONDITION),
    ({"category": CATEGORY}, None, None),
    ({"category": STRANGE_CATEGORY}, CONDITION, "slot-not-for-condition"),
    ({}, STRANGER, STRANGER),
    ({}, None, None),
]
# What is wrong with a wish, where the answer points, and the word for the rule.
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"condition": "no-condition"}, "/condition", "unknown_reference"),
    ({"slot_id": "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"}, "/slot_id", "unknown_reference"),
    ({"slot_id": "no-id"}, "/slot_id", "uuid_parsing"),
    ({"patient": {"name": "Synthetic Patient"}}, "/patient", "contact_missing"),
    ({"patient": PATIENT | {"phone": "030 901820"}}, "/patient/phone", "string_pattern_mismatch"),
    ({"patient": PATIENT | {"email": "synthetic@example"}}, "/patient/email", "email"),
    ({"patient": PATIENT | {"name": "\u200b"}}, "/patient/name", "blank"),
    ({"patient": PATIENT | {"name": "n" * 201}}, "/patient/name", "string_too_long"),
    ({"patient": PATIENT | {"age": 7}}, "/patient/age", "extra_forbidden"),
    ({"reason": "r" * 2001}, "/reason", "string_too_long"),
    ({"reason": "bell\x07"}, "/reason", "string_pattern_mismatch"),
    ({"consent": {}}, "/consent/text_version", "missing"),
    ({"seat": 1}, "/seat", "extra_forbidden"),
]


async def attempt(client: httpx.AsyncClient, **wish: Any) -> httpx.Response:
    """Try to book."""
    body = booking_wish("") | wish
    return await client.post("/consultation-bookings", json=body, headers=new_key())


async def test_a_booking_is_about_what_its_slot_is_offered_for(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, STRANGER)
    told = []
    for offered, wished, _ in RULES:
        slot = await post_slot(client, admin, **offered)
        answer = await attempt(client, slot_id=slot["id"], condition=wished)
        about = answer.json().get("condition", {}).get("slug")
        told.append((offered, wished, about if answer.status_code == 201 else answer.json()["code"]))
    assert told == RULES
    refused = sum(result == "slot-not-for-condition" for *_, result in RULES)
    assert await counts(database, ConsultationBooking) == [len(RULES) - refused]


async def test_what_to_bring_travels_with_the_booking(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin, condition=CONDITION)
    page = (await client.get(f"/conditions/{CONDITION}")).json()
    booking = await book(client, slot["id"])
    about = {name: page[name] for name in ("slug", "name", "what_to_bring")} | {"page_revision": page["revision"]}
    assert booking["condition"] == about
    assert (await read(client, booking))["condition"] == about


async def test_what_the_patient_was_told_to_bring_stays_what_the_patient_was_told(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, STRANGER)
    slot, later = [await post_slot(client, admin, condition=STRANGER, capacity=2) for _ in range(2)]
    before = await book(client, slot["id"])
    assert (before["condition"]["what_to_bring"]["items"], before["condition"]["page_revision"]) == (
        ["Synthetic thing"],
        1,
    )
    await publish(database, STRANGER, what_to_bring={"text": "Another thing.", "items": ["Another thing"]})
    # This process has not published it itself: it learns of it within a second.
    await asyncio.sleep(1)
    after = await hold(client, slot["id"])
    assert (after["condition"]["what_to_bring"]["items"], after["condition"]["page_revision"]) == (["Another thing"], 2)
    moved = await act(client, before, "reschedule", {"slot_id": later["id"]})
    assert moved.status_code == 200
    for seen in (moved.json(), await read(client, before)):
        assert seen["condition"] == before["condition"]
    await act(client, after, "confirm", confirmation())
    assert (await read(client, after))["condition"] == after["condition"]


async def test_each_bad_wish_is_refused_with_a_422_of_its_own(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    told = []
    for changes, _, _ in BAD:
        answer = await attempt(client, **{"slot_id": slot["id"], **changes})
        assert answer.status_code == 422
        told += [(changes, fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]
    assert told == BAD
    assert await counts(database, ConsultationBooking) == [0]
