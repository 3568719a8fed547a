"""An admin changes a slot while somebody books it: whoever comes first, no live booking stands on a cancelled slot."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations import bookings, slot_changes, slots
from app.consultations.bookings import NewBooking
from app.consultations.policies import Policy
from app.consultations.reasons import CancellationReason
from app.consultations.tables import BookingState, ConsultationBooking, SlotStatus
from app.content.published import PublishedPages
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.routers.booking_access import topic_of_slot
from tests.lives import HELD, put_booking, row_of, steps_of
from tests.pages import publish
from tests.rows import counts, everything, make_slot
from tests.wishes import act, book, booking_wish, confirmation, hold_wish, new_key, post_slot, read, refusal

BY = "api_key:synthetic"
# Longer than it takes to answer, and shorter than anybody waits for a lock.
A_WHILE = 0.4


async def waits(task: "asyncio.Task[Any]") -> bool:
    """Whether it has not come to an end in a while."""
    await asyncio.wait({task}, timeout=A_WHILE)
    return not task.done()


@pytest.mark.parametrize("wish", [booking_wish, hold_wish])
@pytest.mark.parametrize("to", [SlotStatus.CANCELLED, SlotStatus.CLOSED])
async def test_who_books_a_slot_that_is_being_changed_waits_and_is_refused(
    client: httpx.AsyncClient, database: Database, wish: Any, to: SlotStatus
) -> None:
    slot_id = await make_slot(database)
    async with database.write() as session:
        if to is SlotStatus.CANCELLED:
            await slot_changes.cancel(session, slot_id, reason=CancellationReason.PROVIDER, versions=None, by=BY)
        else:
            await slot_changes.close(session, slot_id, versions=None, by=BY)
        booking = asyncio.create_task(client.post("/consultation-bookings", json=wish(str(slot_id)), headers=new_key()))
        assert await waits(booking)
    answer = await booking
    assert (refusal(answer), answer.json()["reason"]) == ((409, "slot-taken"), str(to))
    assert await counts(database, ConsultationBooking) == [0]


async def book_by_hand(session: AsyncSession, slot_id: UUID, settings: Settings, *, held: bool) -> None:
    """Book in a transaction that is not over."""
    slot = await slots.lock(session, slot_id)
    new = NewBooking(new_id(), None, held_for=timedelta(minutes=5) if held else None)
    await bookings.book(session, new, slot, policy=Policy.of_hospital(settings), by="anonymous")


@pytest.mark.parametrize("held", [False, True])
async def test_who_cancels_a_slot_that_is_being_booked_waits_and_cancels_the_booking_too(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings, held: bool
) -> None:
    slot_id = await make_slot(database)
    async with database.write() as session:
        await book_by_hand(session, slot_id, settings, held=held)
        cancelling = asyncio.create_task(
            client.post(f"/consultation-slots/{slot_id}/cancel", headers=admin | {"If-Match": "*"})
        )
        assert await waits(cancelling)
    assert (await cancelling).json()["status"] == "cancelled"
    (row,) = await everything(database, ConsultationBooking)
    assert (row["state"], row["cancellation_reason"]) == (BookingState.CANCELLED, "prov")
    assert [step[:3] for step in await steps_of(database, row)] == [
        (1, None, "held" if held else "booked"),
        (2, "held" if held else "booked", "cancelled"),
    ]


async def test_who_confirms_a_hold_while_its_slot_is_being_cancelled_is_too_late(
    client: httpx.AsyncClient, database: Database
) -> None:
    slot_id = await make_slot(database)
    held = await put_booking(database, slot_id, **HELD)
    async with database.write() as session:
        await slot_changes.cancel(session, slot_id, reason=CancellationReason.PROVIDER, versions=None, by=BY)
        confirming = asyncio.create_task(act(client, held, "confirm", confirmation()))
        assert await waits(confirming)
    assert refusal(await confirming) == (409, "booking-ended")
    assert (await row_of(database, held))["state"] == "cancelled"


async def test_a_booking_that_is_leaving_a_slot_that_is_being_cancelled_is_in_one_place(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    for first in ("move", "cancel"):
        old, new = [await make_slot(database) for _ in range(2)]
        booking = await book(client, str(old))
        cancel, anything = f"/consultation-slots/{old}/cancel", admin | {"If-Match": "*"}
        async with database.write() as session:
            if first == "move":
                slot = await slots.lock(session, new)
                mine = await bookings.get(session, booking["reference"], lock=True)
                policy = Policy.of_hospital(settings)
                await bookings.reschedule(session, mine, slot, None, policy=policy, past_policy=False, by=BY)
                other = asyncio.create_task(client.post(cancel, headers=anything))
            else:
                await slot_changes.cancel(session, old, reason=CancellationReason.PROVIDER, versions=None, by=BY)
                other = asyncio.create_task(act(client, booking, "reschedule", {"slot_id": str(new)}))
            assert await waits(other)
        answer, row = await other, await row_of(database, booking)
        if first == "move":
            assert (answer.status_code, row["state"], row["slot_id"]) == (200, "booked", new)
        else:
            assert (refusal(answer), row["state"], row["slot_id"]) == ((409, "booking-ended"), "cancelled", old)
        assert len(await steps_of(database, booking)) == 2


async def test_a_booking_that_has_just_become_about_something_is_not_moved_to_something_else(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    await publish(database, "synthetic-condition")
    nothing, leukemia, synthetic = [
        await post_slot(client, admin, days=days, **topic)
        for days, topic in enumerate(
            ({}, {"condition": "acute-lymphoblastic-leukemia"}, {"condition": "synthetic-condition"}), start=1
        )
    ]
    booking = await book(client, nothing["id"])
    async with database.write() as session:
        slot = await slots.lock(session, UUID(leukemia["id"]))
        mine = await bookings.get(session, booking["reference"], lock=True)
        topic = await topic_of_slot(PublishedPages(database, memory_mb=1), slot)
        policy = Policy.of_hospital(settings)
        await bookings.reschedule(session, mine, slot, topic, policy=policy, past_policy=False, by=BY)
        other = asyncio.create_task(act(client, booking, "reschedule", {"slot_id": synthetic["id"]}))
        assert await waits(other)
    assert refusal(await other) == (409, "slot-not-for-condition")
    assert (await read(client, booking))["condition"]["slug"] == "acute-lymphoblastic-leukemia"


async def test_of_cancel_and_book_at_once_no_order_leaves_a_live_booking(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    for _ in range(4):
        slot_id = await make_slot(database, capacity=3)
        cancelled, *booked = await asyncio.gather(
            client.post(f"/consultation-slots/{slot_id}/cancel", headers=admin | {"If-Match": "*"}),
            *(
                client.post("/consultation-bookings", json=booking_wish(str(slot_id)), headers=new_key())
                for _ in range(3)
            ),
        )
        assert cancelled.status_code == 200
        assert {answer.status_code for answer in booked} <= {201, 409}
    assert {row["state"] for row in await everything(database, ConsultationBooking)} <= {BookingState.CANCELLED}
