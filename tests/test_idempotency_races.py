"""Two requests with one key at the same moment: whatever their order, one booking."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import update
from sqlmodel import select

from app.access.tables import IdempotencyRecord
from app.consultations.tables import ConsultationBooking, PatientDetail
from app.core import clock
from app.core.db import Database
from app.core.ids import digest
from app.delivery.tables import OutboxMessage
from tests.rows import counts, new_record, run
from tests.wishes import booking_wish, post_slot

MADE = (ConsultationBooking, PatientDetail, OutboxMessage, IdempotencyRecord)


class _RollBack(Exception):
    """Ends a transaction without a trace."""


async def attempt(client: httpx.AsyncClient, wish: dict[str, Any], key: str) -> httpx.Response:
    """Try to book, naming the attempt."""
    return await client.post("/consultation-bookings", json=wish, headers={"Idempotency-Key": key})


async def test_of_requests_with_one_key_at_once_one_books_and_all_tell_of_it(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=50)
    wish, key = booking_wish(slot["id"]), str(uuid4())
    answers = await asyncio.gather(*(attempt(client, wish, key) for _ in range(8)))
    booked = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in booked}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in booked) == 1
    others = [answer.json()["code"] for answer in answers if answer not in booked]
    assert others == ["request-in-progress"] * len(others)
    assert await counts(database, *MADE) == [1] * len(MADE)


async def test_a_request_does_not_overtake_the_first_one_with_its_key(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    wish, key = booking_wish((await post_slot(client, admin))["id"]), str(uuid4())
    with suppress(_RollBack):
        async with database.write() as first:
            await first.exec(new_record(key_hash=digest(key)))
            second = asyncio.create_task(attempt(client, wish, key))
            # Longer than PostgreSQL lets a statement wait for a lock; on SQLite one waits for its turn to write.
            await asyncio.wait({second}, timeout=2.5)
            raise _RollBack
    answer = await second
    if database.writer is None:
        assert (answer.status_code, answer.json()["code"]) == (409, "request-in-progress")
        assert int(answer.headers["retry-after"]) > 0
        answer = await attempt(client, wish, key)
    assert (answer.status_code, "idempotent-replayed" in answer.headers) == (201, False)
    assert await counts(database, *MADE) == [1] * len(MADE)


async def test_an_expired_key_that_is_used_twice_at_once_books_once(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    slot = await post_slot(client, admin, capacity=3)
    wish, key = booking_wish(slot["id"]), str(uuid4())
    assert (await attempt(client, wish, key)).status_code == 201
    await run(database, update(IdempotencyRecord).values(expires_at=clock.now() - timedelta(seconds=1)))
    async with database.write() as tidying:
        # Whoever tidies up holds the expired record, so that both requests have seen it when either may go on.
        await tidying.exec(select(IdempotencyRecord).with_for_update())
        both = [asyncio.create_task(attempt(client, wish, key)) for _ in range(2)]
        await asyncio.wait(both, timeout=0.5)
    answers = await asyncio.gather(*both)
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert await counts(database, ConsultationBooking, IdempotencyRecord) == [2, 1]
