"""When a condition's next free slot begins: cheap to poll, and always the first of the list."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from app.consultations import slot_queries
from app.content import slugs, withdrawals
from app.content.editorial_tables import Subject
from app.core import clock
from app.core.db import Database, rows
from tests.plans import explain, reads_all_slots
from tests.rows import change_slot, run
from tests.slot_samples import CONDITION, SIBLING, furnish
from tests.test_slot_search import walked
from tests.wishes import book, post_slot, refusal

ADDRESS = f"/conditions/{CONDITION}/next-available"


async def next_of(client: httpx.AsyncClient, condition: str = CONDITION) -> dict[str, Any]:
    """What is said of a condition."""
    answer = await client.get(f"/conditions/{condition}/next-available")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_nothing_is_free_then_something_then_something_later(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    assert await next_of(client) == {}
    place = {"slug": "main", "name": "Main", "time_zone": "Europe/Berlin"}
    assert (await client.post("/locations", json=place, headers=admin)).status_code == 201
    later = await post_slot(client, admin, days=20, mode="phone")
    soon = await post_slot(client, admin, days=10, condition=CONDITION, location="main")
    assert await next_of(client) == {
        "slot": {
            "id": soon["id"],
            "starts_at": soon["starts_at"],
            "time_zone": "Europe/Berlin",
            "mode": "video",
            "location": {"slug": "main", "name": "Main"},
        }
    }
    await book(client, soon["id"])
    assert (await next_of(client))["slot"]["id"] == later["id"]
    await book(client, later["id"], condition=CONDITION)
    assert await next_of(client) == {}


async def test_it_is_the_first_of_the_list(client: httpx.AsyncClient, database: Database) -> None:
    await furnish(database, 21, slots=120, first=clock.now().date() - timedelta(days=2), days=12)
    for _ in range(5):
        for condition in (CONDITION, SIBLING):
            (first, *_) = await walked(client, {"condition": condition})
            assert (await next_of(client, condition))["slot"]["id"] == first
            await run(database, change_slot(first, status="closed"))
        # The client's process has not heard of it: what it told may be a second old.
        await asyncio.sleep(1.01)


async def test_it_is_conditional_and_its_own_write_is_seen_at_once(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    slot = await post_slot(client, admin, condition=CONDITION)
    first = await client.get(ADDRESS)
    assert first.headers["cache-control"] == "no-cache"
    tag = {"If-None-Match": first.headers["etag"]}
    assert (await client.get(ADDRESS, headers=tag)).status_code == 304
    assert (await client.head(ADDRESS)).headers["etag"] == first.headers["etag"]
    await book(client, slot["id"])
    assert (await client.get(ADDRESS, headers=tag)).status_code == 200


async def test_those_who_poll_at_the_same_moment_cost_one_question(
    client: httpx.AsyncClient, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await post_slot(client, admin, condition=CONDITION)
    asked = 0
    query = slot_queries.listing

    def counting(*arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        return query(*arguments)

    monkeypatch.setattr(slot_queries, "listing", counting)
    answers = await asyncio.gather(*(client.get(ADDRESS) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    # Those who came a second later may have asked again.
    assert 1 <= asked <= 3


async def test_a_former_slug_leads_on_and_an_unknown_one_nowhere(client: httpx.AsyncClient, database: Database) -> None:
    await furnish(database, 22, slots=20, first=clock.now().date() + timedelta(days=1), days=5)
    assert (await next_of(client, SIBLING))["slot"]
    async with database.write() as session:
        await slugs.rename(session, Subject.CONDITION, SIBLING, "renamed-sibling", by="test")
    await asyncio.sleep(1.01)
    answer = await client.get(f"/conditions/{SIBLING}/next-available")
    assert (answer.status_code, answer.headers["location"]) == (308, "/conditions/renamed-sibling/next-available")
    assert (await next_of(client, "renamed-sibling"))["slot"]
    for slug in ("no-condition", "Not%20A%20Slug", "%00"):
        assert refusal(await client.get(f"/conditions/{slug}/next-available")) == (404, "condition-not-found")


async def test_a_withdrawn_condition_is_gone(client: httpx.AsyncClient, database: Database) -> None:
    await furnish(database, 23, slots=20, first=clock.now().date() + timedelta(days=1), days=5)
    async with database.write() as session:
        await withdrawals.withdraw(session, SIBLING, replacement=None, by="test", versions=None)
    assert refusal(await client.get(f"/conditions/{SIBLING}/next-available")) == (410, "condition-withdrawn")


async def test_it_is_found_by_an_index(database: Database) -> None:
    await furnish(database, 24, slots=3_000, first=clock.now().date() + timedelta(days=1), days=400)
    values = {"condition": CONDITION, "min_notice": 0, "limit": 1}
    async with database.looking.connect() as connection:
        if database.writer is None:
            async with database.writing.begin() as writing:
                await writing.exec_driver_sql("ANALYZE")
        query = slot_queries.listing(frozenset({"condition"}), connection.dialect.name)
        plan = [str(row[-1]) for row in await rows(connection, explain(query), values)]
    assert any("ix_consultation_slots_" in step for step in plan), plan
    assert not [step for step in plan if reads_all_slots(step)], plan
