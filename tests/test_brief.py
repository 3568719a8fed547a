"""What many ask for at the same moment is looked up once, and never older than a second or than our own last write."""

import asyncio

import anyio
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core import brief
from app.core.brief import BriefMemory
from app.core.db import Database
from tests.wishes import book, post_slot

pytestmark = pytest.mark.anyio


class Asked:
    """A question that counts how often it was asked."""

    def __init__(self, failing: int = 0) -> None:
        self.times = 0
        self.failing = failing
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self) -> int:
        """Answer how often it was asked."""
        self.times += 1
        times = self.times
        await self.may_answer.wait()
        if times <= self.failing:
            raise LookupError
        return times


async def test_those_who_ask_at_the_same_moment_get_one_answer(database: Database) -> None:
    memory, asked = BriefMemory(database), Asked()
    answers = await asyncio.gather(*(memory.get("a", asked) for _ in range(50)))
    assert set(answers) == {1}
    assert await memory.get("b", asked) == 2


async def test_an_answer_is_not_used_for_longer_than_it_may_be_old(database: Database) -> None:
    memory, asked = BriefMemory(database, seconds=0.05), Asked()
    assert [await memory.get("a", asked), await memory.get("a", asked)] == [1, 1]
    await anyio.sleep(0.06)
    assert await memory.get("a", asked) == 2


async def test_a_write_of_this_process_is_seen_at_once_by_who_asks_after_it(database: Database) -> None:
    memory, asked = BriefMemory(database), Asked()
    asked.may_answer.clear()
    before = asyncio.create_task(memory.get("a", asked))
    await asyncio.sleep(0)
    async with database.write() as session:
        await (await session.connection()).execute(text("SELECT 1"))
    after = asyncio.create_task(memory.get("a", asked))
    await asyncio.sleep(0)
    asked.may_answer.set()
    assert [await before, await after] == [1, 2]


async def test_a_write_that_was_given_up_forgets_nothing(database: Database) -> None:
    memory, asked = BriefMemory(database), Asked()
    await memory.get("a", asked)
    with pytest.raises(KeyError):
        async with database.write():
            raise KeyError
    assert await memory.get("a", asked) == 1


async def test_who_hangs_up_takes_the_answer_from_nobody(database: Database) -> None:
    memory, asked = BriefMemory(database), Asked()
    asked.may_answer.clear()
    first, second = (asyncio.create_task(memory.get("a", asked)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    asked.may_answer.set()
    assert await second == 1
    assert first.cancelled()


async def test_a_failure_is_told_to_all_who_wait_and_not_kept(database: Database) -> None:
    memory, asked = BriefMemory(database), Asked(failing=1)
    answers = await asyncio.gather(*(memory.get("a", asked) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [LookupError] * 3
    assert await memory.get("a", asked) == 2


async def test_memory_stays_small_whatever_is_asked_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brief, "MOST_ANSWERS", 3)
    memory, asked = BriefMemory(database), Asked()
    first_three = [await memory.get(number, asked) for number in (1, 2, 3, 1, 2, 3)]
    assert first_three == [1, 2, 3] * 2
    # A fourth makes room for itself.
    assert [await memory.get(number, asked) for number in (4, 1)] == [4, 5]


async def test_a_list_shows_what_was_just_booked_and_staff_never_see_an_old_one(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    slot = await post_slot(client, admin, capacity=2)
    assert (await client.get("/consultation-slots")).json()["items"] == [slot]
    await book(client, slot["id"])
    assert (await client.get("/consultation-slots")).json()["items"][0]["seats_free"] == 1
    # As another process would write it.
    async with app.state.database.writing.begin() as elsewhere:
        await elsewhere.execute(text("UPDATE consultation_slots SET status = 'closed', version = version + 1"))
    (open_slot,) = (await client.get("/consultation-slots?status=all", headers=admin)).json()["items"]
    assert open_slot["status"] == "closed"
    await anyio.sleep(brief.SECONDS)
    assert (await client.get("/consultation-slots")).json()["items"] == []
