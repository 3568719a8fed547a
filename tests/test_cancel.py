"""Cancelling: the seat is free at once, and cancelling again changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from app.consultations.reasons import CancellationReason
from app.consultations.tables import BookingState
from app.core.db import Database
from tests.lives import HELD, actor_of, events_of, put_booking, put_ended, row_of, steps_of
from tests.rows import make_slot
from tests.wishes import act, bearer, book, hold, post_slot, read, refusal, seats_free


async def test_cancelling_again_changes_nothing(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    booking = await book(client, slot["id"])
    answers = [await act(client, booking, "cancel", headers=headers) for headers in (None, None, admin)]
    # Another reason for what is done already changes nothing either.
    answers.append(await act(client, booking, "cancel", {"reason": "maint", "note": "Synthetic note."}))
    assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [(200, "cancelled")] * 4
    assert [answer.json() for answer in answers] == [answers[0].json()] * 4
    assert (answers[0].json()["version"], answers[0].json()["allowed_actions"]) == (2, [])
    assert await seats_free(client, slot["id"]) == 1
    assert "notes" not in await read(client, booking)
    assert await steps_of(database, booking) == [
        (1, None, "booked", "anonymous"),
        (2, "booked", "cancelled", "booking_holder"),
    ]


async def test_cancelling_twice_at_once_is_one_step(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    answers = await asyncio.gather(*(act(client, booking, "cancel") for _ in range(4)))
    assert [(answer.status_code, answer.json()["version"]) for answer in answers] == [(200, 2)] * 4
    assert len(await steps_of(database, booking)) == 2


async def test_the_seat_can_be_booked_again_at_once(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin)
    first = await book(client, slot["id"])
    await act(client, first, "cancel")
    second = await book(client, slot["id"])
    assert second["reference"] != first["reference"]
    assert await seats_free(client, slot["id"]) == 0
    # The first one's token opens the first booking, and still does nothing to the second.
    assert refusal(await act(client, second, "cancel", headers=bearer(first))) == (404, "booking-not-found")


@pytest.mark.parametrize("end", [BookingState.FULFILLED, BookingState.NO_SHOW, BookingState.EXPIRED])
async def test_what_has_ended_otherwise_cannot_be_cancelled(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, end: BookingState
) -> None:
    booking = await put_ended(database, await make_slot(database), end)
    for headers in (None, admin):
        assert refusal(await act(client, booking, "cancel", headers=headers)) == (409, "booking-ended")
    row = await row_of(database, booking)
    assert (row["state"], row["version"], row["cancellation_reason"]) == (end, 2, None)
    assert await steps_of(database, booking) == []


async def test_a_hold_can_be_cancelled_by_staff(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    booking = await put_booking(database, await make_slot(database), **HELD)
    answer = await act(client, booking, "cancel", headers=admin)
    assert (answer.status_code, answer.json()["state"], answer.json()["version"]) == (200, "cancelled", 2)
    assert await steps_of(database, booking) == [(2, "held", "cancelled", await actor_of(database, admin))]


@pytest.mark.parametrize("make", [book, hold])
async def test_without_a_reason_it_is_the_patients_or_the_providers(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, make: Callable[..., Awaitable[dict[str, Any]]]
) -> None:
    slot = await post_slot(client, admin, capacity=2)
    for headers, reason in ((None, "pat"), (admin, "prov")):
        booking = await make(client, slot["id"])
        answer = await act(client, booking, "cancel", headers=headers)
        assert answer.json()["cancellation_reason"] == reason
        assert (await read(client, booking))["cancellation_reason"] == reason
        assert (await events_of(database, booking))[-1]["reason"] == reason


async def test_a_reason_is_a_code_of_the_standard(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    assert len(CancellationReason) == 32
    slot = await post_slot(client, admin, capacity=len(CancellationReason) + 1)
    for number, reason in enumerate(CancellationReason):
        booking = await book(client, slot["id"])
        answer = await act(client, booking, "cancel", {"reason": reason}, headers=(None, admin)[number % 2])
        assert (answer.status_code, answer.json()["cancellation_reason"]) == (200, reason)
        assert (await events_of(database, booking))[-1]["reason"] == reason
    booking = await book(client, slot["id"])
    assert "cancellation_reason" not in booking
    for wish, pointer, code in (
        ({"reason": "because"}, "/reason", "enum"),
        ({"reason": ""}, "/reason", "enum"),
        ({"note": " "}, "/note", "blank"),
        ({"note": "n" * 2001}, "/note", "string_too_long"),
        ({"why": "pat"}, "/why", "extra_forbidden"),
    ):
        answer = await act(client, booking, "cancel", wish)
        assert refusal(answer) == (422, "invalid-input")
        assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(pointer, code)]
    assert (await read(client, booking))["state"] == "booked"
