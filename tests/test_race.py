"""Many want one seat at the same moment, over several serving processes: it is given once."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text
from sqlmodel import SQLModel, col

from app.access.tables import AuditEntry, IdempotencyRecord
from app.consultations.tables import BookingEvent, ConsultationBooking, PatientDetail
from app.core.db import Database
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage
from tests.processes import serving
from tests.rows import counts, everything, make_slot, new_booking, refused_by, run
from tests.wishes import booking_wish, new_key, post_slot

SEAT_LIVE = "uq_consultation_bookings_seat_live"
CLIENTS, PROCESSES = 50, 3
MADE: tuple[type[SQLModel], ...] = (PatientDetail, BookingEvent, OutboxMessage, IdempotencyRecord)


@pytest.fixture
def addresses(settings: Settings, tmp_path: Path) -> Iterator[list[str]]:
    """Where several processes serve one database."""
    with ExitStack() as stack, ThreadPoolExecutor(PROCESSES) as pool:
        servers = [serving(settings, tmp_path) for _ in range(PROCESSES)]
        yield [served.address for served in pool.map(stack.enter_context, servers)]


async def race(addresses: list[str], slot_id: UUID, key: dict[str, str] | None = None) -> list[httpx.Response]:
    """Everybody asks for a seat of this slot at once, each in the name of one attempt or of the same one."""
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(trust_env=False, limits=limits, timeout=30) as client:
        wish = booking_wish(str(slot_id))
        return await asyncio.gather(
            *(
                client.post(
                    f"{addresses[number % len(addresses)]}/consultation-bookings", json=wish, headers=key or new_key()
                )
                for number in range(CLIENTS)
            )
        )


def told(answers: list[httpx.Response]) -> Counter[Any]:
    """How often each answer was given."""
    return Counter((answer.status_code, answer.json().get("code", "booked")) for answer in answers)


async def left_behind(database: Database, slot_id: UUID) -> tuple[list[int], list[int]]:
    """The seats of this slot that were given, and how many rows tell of its bookings, table by table."""
    bookings = await everything(database, ConsultationBooking, col(ConsultationBooking.slot_id) == slot_id)
    ids = {booking["id"] for booking in bookings}
    rows = [await everything(database, table) for table in MADE]
    found = [sum(bool(ids & {row.get("booking_id"), row.get("subject_id")}) for row in table) for table in rows]
    return sorted(booking["seat"] for booking in bookings), found


async def test_each_seat_is_given_once_however_many_ask_whichever_process(
    addresses: list[str], database: Database
) -> None:
    for seats in (1, 5):
        slot_id = await make_slot(database, capacity=seats)
        answers = await race(addresses, slot_id)
        assert told(answers) == {(201, "booked"): seats, (409, "slot-taken"): CLIENTS - seats}
        assert await left_behind(database, slot_id) == (list(range(1, seats + 1)), [seats] * len(MADE))
    # Nothing else was left behind by the many who were refused.
    assert await counts(database, ConsultationBooking, *MADE) == [6] * (1 + len(MADE))
    assert len(await everything(database, AuditEntry, col(AuditEntry.action) == "booking.booked")) == 6


async def test_one_attempt_takes_one_seat_however_often_it_is_sent_and_to_whichever_process(
    addresses: list[str], database: Database
) -> None:
    slot_id = await make_slot(database, capacity=CLIENTS)
    answers = await race(addresses, slot_id, new_key())
    assert set(told(answers)) <= {(201, "booked"), (409, "request-in-progress")}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert await left_behind(database, slot_id) == ([1], [1] * len(MADE))


@pytest.mark.parametrize("index_stands", [True, False])
async def test_of_two_transactions_that_insert_one_seat_at_once_the_index_refuses_one(
    database: Database, index_stands: bool
) -> None:
    slot_id = await make_slot(database)
    if not index_stands:
        await run(database, text(f"DROP INDEX {SEAT_LIVE}"))
    async with database.write() as first:
        await first.exec(new_booking(slot_id))
        second = asyncio.create_task(refused_by(database, new_booking(slot_id)))
        await asyncio.wait({second}, timeout=0.2)
    assert await second == (SEAT_LIVE if index_stands else None)
    assert await counts(database, ConsultationBooking) == [1 if index_stands else 2]


async def test_without_the_index_the_race_is_lost_by_all_and_no_seat_is_sold_twice(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin)
    # After the start, which would have refused to serve.
    await run(database, text(f"DROP INDEX {SEAT_LIVE}"))
    wish = booking_wish(slot["id"])
    answers = await asyncio.gather(
        *(client.post("/consultation-bookings", json=wish, headers=new_key()) for _ in range(8))
    )
    assert told(answers) == {(500, "internal-error"): 8}
    assert await counts(database, ConsultationBooking, *MADE) == [0] * (1 + len(MADE))
