"""Holds: a seat that is its owner's for some minutes, before anybody says who comes."""

from datetime import datetime, timedelta
from typing import Any

import httpx

from app.consultations.tables import BookingEvent, ConsultationBooking, PatientDetail
from app.core.db import Database
from app.core.settings import Settings
from tests.lives import row_of, steps_of
from tests.rows import counts, everything
from tests.wishes import (
    PATIENT,
    act,
    book,
    booking_wish,
    hold,
    hold_wish,
    listed,
    new_key,
    post_slot,
    read,
    refusal,
    seats_free,
)

ADDRESS = "/consultation-bookings"
# What is wrong with a wish that is neither a hold nor a booking, and the word for the rule.
HALF: list[tuple[dict[str, Any], str]] = [
    ({"patient": PATIENT}, "consent_missing"),
    ({"reason": "Synthetic reason."}, "patient_missing"),
    ({"consent": {"text_version": "v1"}}, "patient_missing"),
    ({"reason": "Synthetic reason.", "consent": {"text_version": "v1"}}, "patient_missing"),
]


async def test_its_owner_sees_the_seat_as_theirs_and_everybody_else_as_taken(
    client: httpx.AsyncClient, admin: dict[str, str], settings: Settings, database: Database
) -> None:
    slot = await post_slot(client, admin)
    held = await hold(client, slot["id"])
    until = datetime.fromisoformat(held["hold_expires_at"])
    assert until - datetime.fromisoformat(held["created_at"]) == timedelta(seconds=settings.hold_seconds)
    assert (held["state"], held["allowed_actions"]) == ("held", ["confirm", "cancel"])
    seen = await read(client, held)
    assert seen == {name: value for name, value in held.items() if name != "token"}
    assert "patient" not in seen
    assert await listed(client) == []
    assert await seats_free(client, slot["id"]) == 0
    for wish in (hold_wish(slot["id"]), booking_wish(slot["id"])):
        answer = await client.post(ADDRESS, json=wish, headers=new_key())
        assert refusal(answer) == (409, "slot-taken")
        assert answer.json()["reason"] == "held"
    assert await counts(database, ConsultationBooking, PatientDetail) == [1, 0]
    assert await steps_of(database, held) == [(1, None, "held", "anonymous")]


async def test_a_full_slot_is_held_while_one_of_its_seats_is(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin, capacity=2)
    await book(client, slot["id"])
    held = await hold(client, slot["id"])
    told = []
    for action in ("cancel", None):
        answer = await client.post(ADDRESS, json=booking_wish(slot["id"]), headers=new_key())
        told.append(answer.json()["reason"])
        if action is not None:
            assert (await act(client, held, action)).status_code == 200
            await book(client, slot["id"])
    assert told == ["held", "taken"]


async def test_letting_go_of_a_hold_frees_the_seat_at_once(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    held = await hold(client, slot["id"])
    answer = await act(client, held, "cancel")
    assert (answer.status_code, answer.json()["state"], answer.json()["allowed_actions"]) == (200, "cancelled", [])
    assert "hold_expires_at" not in answer.json()
    assert await listed(client) == [slot["id"]]
    await book(client, slot["id"])
    assert await steps_of(database, held) == [
        (1, None, "held", "anonymous"),
        (2, "held", "cancelled", "booking_holder"),
    ]
    row = await row_of(database, held)
    assert (row["hold_expires_at"], row["hold_owner"]) == (None, None)


async def test_what_is_neither_a_hold_nor_a_booking_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    told = []
    for half, _ in HALF:
        answer = await client.post(ADDRESS, json=hold_wish(slot["id"], **half), headers=new_key())
        assert refusal(answer) == (422, "invalid-input")
        (fault,) = answer.json()["errors"]
        assert "pointer" in fault
        told.append((half, fault["code"]))
    assert told == HALF
    assert await counts(database, ConsultationBooking) == [0]


async def test_a_repeated_hold_is_the_same_hold(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=2)
    key = new_key()
    first, again = [await client.post(ADDRESS, json=hold_wish(slot["id"]), headers=key) for _ in range(2)]
    assert (first.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    # A booking with the same key is another wish.
    other = await client.post(ADDRESS, json=booking_wish(slot["id"]), headers=key)
    assert refusal(other) == (422, "idempotency-key-reused")
    assert await counts(database, ConsultationBooking) == [1]
    # The repeat tells what was told, also when the hold is no more.
    await act(client, first.json(), "cancel")
    assert (await client.post(ADDRESS, json=hold_wish(slot["id"]), headers=key)).content == first.content
    assert await everything(database, BookingEvent) != []
