"""Confirming: a hold becomes the booking of a patient, once."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.consultations import bookings, steps
from app.consultations.tables import BookingState, ConsultationBooking, PatientDetail
from app.core.db import Database
from tests.conftest import headers_with
from tests.lives import actor_of, put_ended, row_of, steps_of
from tests.rows import counts, everything, make_slot
from tests.wishes import PATIENT, act, book, confirmation, hold, post_slot, read, refusal, seats_free

CONDITION = "acute-lymphoblastic-leukemia"
# Other words than those that a booking was confirmed with.
OTHERS: list[dict[str, Any]] = [
    {"patient": PATIENT | {"name": "Another Patient"}},
    {"patient": PATIENT | {"email": "another.patient@example.com"}},
    {"patient": {"name": PATIENT["name"], "email": PATIENT["email"]}},
    {"reason": "Another reason."},
    {"reason": None},
    {"consent": {"text_version": "v2"}},
]
# What is wrong with a confirmation, where the answer points, and the word for the rule.
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"patient": None}, "/patient", "model_attributes_type"),
    ({"patient": {"name": "Synthetic Patient"}}, "/patient", "contact_missing"),
    ({"consent": {}}, "/consent/text_version", "missing"),
    ({"slot_id": "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"}, "/slot_id", "extra_forbidden"),
]


async def test_a_hold_becomes_the_booking_of_a_patient(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, condition=CONDITION)
    held = await hold(client, slot["id"])
    answer = await act(client, held, "confirm", confirmation())
    booked = answer.json()
    assert (answer.status_code, booked["state"], booked["version"]) == (200, "booked", 2)
    assert booked["allowed_actions"] == ["cancel", "reschedule"]
    same = ("reference", "slot", "condition", "created_at")
    assert {name: booked[name] for name in same} == {name: held[name] for name in same}
    assert set(booked) & {"token", "hold_expires_at", "patient", "reason"} == set()
    seen = await read(client, held)
    assert (seen["patient"], seen["reason"]) == (PATIENT, "Synthetic reason.")
    assert await seats_free(client, slot["id"]) == 0
    row = await row_of(database, held)
    assert (row["hold_expires_at"], row["hold_owner"]) == (None, None)
    (detail,) = await everything(database, PatientDetail)
    assert detail["consent_text_version"] == "v1"
    assert await steps_of(database, held) == [
        (1, None, "held", "anonymous"),
        (2, "held", "booked", "booking_holder"),
    ]


async def test_confirming_again_with_the_same_words_changes_nothing(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    held = await hold(client, (await post_slot(client, admin))["id"])
    wish = confirmation()
    answers = [
        await act(client, held, "confirm", wish),
        await act(client, held, "confirm", wish),
        await act(client, held, "confirm", {name: wish[name] for name in reversed(wish)}, headers=admin),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.json() for answer in answers[:2]] == [answers[0].json()] * 2
    assert answers[2].json()["version"] == 2
    assert len(await steps_of(database, held)) == 2


@pytest.mark.parametrize("by_hold", [True, False])
async def test_what_it_was_confirmed_with_stands(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, by_hold: bool
) -> None:
    slot = await post_slot(client, admin)
    if by_hold:
        booking = await hold(client, slot["id"])
        await act(client, booking, "confirm", confirmation())
    else:
        booking = await book(client, slot["id"])
        assert (await act(client, booking, "confirm", confirmation())).status_code == 200
    before = await everything(database, PatientDetail), await steps_of(database, booking)
    told = []
    for other in OTHERS:
        answer = await act(client, booking, "confirm", confirmation(**other))
        told.append((other, *refusal(answer)))
    assert told == [(other, 409, "booking-confirmed") for other in OTHERS]
    assert (await everything(database, PatientDetail), await steps_of(database, booking)) == before
    # Whoever may not read the words does not learn by guessing; every guess that was compared is in the trail.
    writer = await headers_with(database, Scope.BOOKINGS_WRITE)
    guess = await act(client, booking, "confirm", confirmation(), headers=writer)
    assert refusal(guess) == (409, "booking-confirmed")
    looks = await everything(database, AuditEntry, col(AuditEntry.action) == "patient.read")
    assert len(looks) == len(OTHERS) + (not by_hold)


async def test_confirming_twice_at_once_is_one_step(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    held = await hold(client, (await post_slot(client, admin))["id"])
    wishes = [confirmation(), confirmation(reason="Another reason.")] * 3
    answers = await asyncio.gather(*(act(client, held, "confirm", wish) for wish in wishes))
    codes = [answer.json().get("code", answer.json().get("version")) for answer in answers]
    assert sorted(codes, key=str) == [2] * 3 + ["booking-confirmed"] * 3
    assert len(set(codes[::2])) == len(set(codes[1::2])) == 1
    assert len(await steps_of(database, held)) == 2
    assert await counts(database, PatientDetail) == [1]


async def test_of_confirm_and_cancel_at_once_one_comes_first(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=5)
    for _ in range(5):
        held = await hold(client, slot["id"])
        confirmed, cancelled = await asyncio.gather(
            act(client, held, "confirm", confirmation()), act(client, held, "cancel")
        )
        ends = [(event[1], event[2]) for event in await steps_of(database, held)][1:]
        assert cancelled.status_code == 200
        if confirmed.status_code == 200:
            assert ends == [("held", "booked"), ("booked", "cancelled")]
        else:
            assert (refusal(confirmed), ends) == ((409, "booking-ended"), [("held", "cancelled")])


async def test_who_confirms_a_hold_that_is_being_ended_waits_and_is_told_its_end(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    held = await hold(client, (await post_slot(client, admin))["id"])
    async with database.write() as session:
        booking = await bookings.get(session, held["reference"], lock=True)
        confirming = asyncio.create_task(act(client, held, "confirm", confirmation()))
        await asyncio.wait({confirming}, timeout=0.3)
        assert not confirming.done()
        await steps.change(session, [booking.before], BookingState.EXPIRED, at=booking.now, by="expiry")
    assert refusal(await confirming) == (409, "hold-expired")
    assert await counts(database, PatientDetail) == [0]


@pytest.mark.parametrize("end", [BookingState.FULFILLED, BookingState.NO_SHOW, BookingState.EXPIRED])
async def test_what_has_ended_cannot_be_confirmed(
    client: httpx.AsyncClient, database: Database, end: BookingState
) -> None:
    booking = await put_ended(database, await make_slot(database), end)
    code = "hold-expired" if end is BookingState.EXPIRED else "booking-ended"
    assert refusal(await act(client, booking, "confirm", confirmation())) == (409, code)
    assert await counts(database, PatientDetail) == [0]
    assert (await row_of(database, booking))["version"] == 2


async def test_a_bad_confirmation_is_refused_and_the_hold_stands(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    held = await hold(client, (await post_slot(client, admin))["id"])
    told = []
    for changes, _, _ in BAD:
        answer = await act(client, held, "confirm", confirmation(**changes))
        assert refusal(answer) == (422, "invalid-input")
        told += [(changes, fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]
    assert told == BAD
    for missing in ("patient", "consent"):
        wish = {name: value for name, value in confirmation().items() if name != missing}
        answer = await act(client, held, "confirm", wish)
        assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(f"/{missing}", "missing")]
    assert await counts(database, ConsultationBooking, PatientDetail) == [1, 0]
    assert (await read(client, held))["state"] == "held"


async def test_staff_confirm_for_a_patient_on_the_phone(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    held = await hold(client, (await post_slot(client, admin))["id"])
    staff = await headers_with(database, Scope.BOOKINGS_WRITE)
    answer = await act(client, held, "confirm", confirmation(), headers=staff)
    assert (answer.status_code, answer.json()["state"]) == (200, "booked")
    assert (await steps_of(database, held))[1] == (2, "held", "booked", await actor_of(database, staff))
