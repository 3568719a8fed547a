"""Bookings, from the first try to the freed seat."""

import httpx

from tests.wishes import PATIENT, bearer, book, booking_wish, new_key, post_slot


async def test_a_seat_is_booked_read_and_cancelled(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin, condition="acute-lymphoblastic-leukemia")
    booking = await book(client, slot["id"])
    assert booking["state"] == "booked"
    assert (await client.get(f"/consultation-slots/{slot['id']}")).json()["seats_free"] == 0
    assert booking["condition"]["what_to_bring"]["items"][0] == "CBC"
    assert "patient" not in booking
    assert "reason" not in booking
    address = f"/consultation-bookings/{booking['reference']}"
    read = await client.get(address, headers=bearer(booking))
    assert read.json()["patient"] == PATIENT
    assert read.json()["reason"] == "Synthetic reason."
    assert "token" not in read.json()
    cancelled = await client.post(f"{address}/cancel", headers=bearer(booking))
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert (await client.get(f"/consultation-slots/{slot['id']}")).json()["seats_free"] == 1


async def test_a_full_slot_is_refused(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin)
    await book(client, slot["id"])
    answer = await client.post("/consultation-bookings", json=booking_wish(slot["id"]), headers=new_key())
    assert (answer.status_code, answer.json()["code"], answer.json()["reason"]) == (409, "slot-taken", "taken")
