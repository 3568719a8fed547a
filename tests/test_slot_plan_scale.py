"""However many slots a plan has, it asks the database as often as for a few."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from app.consultations import plan_queries, slot_plans
from app.consultations.plan_wishes import SlotPlanCreate
from app.consultations.policies import Policy
from app.core.db import Database
from app.core.settings import Settings
from tests.slot_plans import all_bookings, make, wish
from tests.wishes import book, post_slot


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """The statements that this database is sent."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    engines = [database.reading.sync_engine, database.writing.sync_engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield sent
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(("action", "bookings"), [("move", "move"), ("close", "move"), ("cancel", "offer")])
async def test_a_plan_takes_as_many_statements_for_many_slots_as_for_two(
    client: httpx.AsyncClient,
    admin: dict[str, str],
    database: Database,
    settings: Settings,
    action: str,
    bookings: str,
) -> None:
    counted = []
    change = {"shift_minutes": 20} if action == "move" else {}
    for number in (2, 9):
        slots = [await post_slot(client, admin, days=20 + n, mode="phone") for n in range(number)]
        for slot in slots:
            await book(client, slot["id"])
            await post_slot(client, admin, days=50, mode="phone")
        sent = SlotPlanCreate.model_validate(wish(action, slots, bookings, **change))
        with statements(database) as made:
            plan_id = await slot_plans.make(database, sent, policy=Policy.of_hospital(settings), by="test")
        with statements(database) as applied:
            async with database.write() as session:
                done = await slot_plans.apply(session, plan_id, by="test")
        assert done.totals.bookings_staying == 0
        counted.append((len(made), len(applied)))
    assert counted[0] == counted[1]
    assert sum(counted[0]) < 40


async def test_where_bookings_can_go_is_found_however_much_else_there_is(
    client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_queries, "_MOST_FREE", 3)
    # What is not for them: the plan's own slots, which have free seats, and those where one meets in another way.
    own = [await post_slot(client, admin, days=30 + n / 48, capacity=2) for n in range(4)]
    for _ in range(3):
        await post_slot(client, admin, days=30.5, mode="phone")
    # And what is too soon for who is booked two months later.
    near = [await post_slot(client, admin, days=31 + n / 48) for n in range(3)]
    late, free = [await post_slot(client, admin, days=days) for days in (90, 92)]
    booked = [await book(client, slot["id"]) for slot in (own[0], late)]
    told = all_bookings(await make(client, admin, "close", [*own, late], "move"))
    targets = [told[booking["reference"]]["target"]["slot_id"] for booking in booked]
    assert targets == [near[0]["id"], free["id"]]


async def test_at_the_end_of_the_calendar_nothing_is_found_later(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    last = {"starts_at": "9999-11-01T09:00:00Z", "ends_at": "9999-11-01T10:00:00Z"}
    slot, other = [await post_slot(client, admin, **last) for _ in range(2)]
    booking = await book(client, slot["id"])
    told = all_bookings(await make(client, admin, "close", [slot], "move"))
    assert told[booking["reference"]]["target"]["slot_id"] == other["id"]
    plan = await make(client, admin, "move", [slot], "move", shift_minutes=366 * 24 * 60)
    assert plan["slots"][0]["obstacles"] == ["clock_change"]
