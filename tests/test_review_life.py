"""How long a page's words are vouched for: one rule for the page, the filter and the event."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col

from app import worker
from app.content import review
from app.content.shapes import ReviewStatus
from app.content.tables import ConditionPage
from app.core import clock
from app.core.crypto import load_keyring
from app.core.db import Database
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage
from tests.pages import publish
from tests.rows import everything, run
from tests.schedules import SLUG, review_until

TODAY = date(2026, 11, 24)
# Days until the next review, and what that means.
RULE = {-1: "overdue", 0: "due", 30: "due", 31: "current"}


def day(days: int) -> date:
    """The day in so many days, by the clock that both databases have here."""
    return clock.now().date() + timedelta(days=days)


async def told(database: Database) -> list[tuple[str, UUID, int]]:
    """The events that a review is due: topic, condition, revision."""
    found = await everything(database, OutboxMessage, col(OutboxMessage.topic).startswith(review.TOPIC))
    return sorted((row["topic"], row["subject_id"], row["sequence"]) for row in found)


async def tell(database: Database, *, limit: int = 100) -> int:
    """Tell what is due, in one transaction."""
    async with database.write() as session:
        return await review.tell_due(session, limit=limit)


@pytest.mark.parametrize(("days", "status"), RULE.items())
def test_a_review_is_due_within_thirty_days_and_overdue_after_its_day(days: int, status: str) -> None:
    assert review.status_on(TODAY, TODAY + timedelta(days=days)) is ReviewStatus(status)


async def test_the_filter_finds_what_the_page_says(client: httpx.AsyncClient, database: Database) -> None:
    for days in RULE:
        await publish(database, f"synthetic-{days % 100}", review=review_until(day(days)))
    await publish(database, "synthetic-unreviewed")
    shown: dict[str, set[str]] = {}
    for days, status in RULE.items():
        page = (await client.get(f"/conditions/synthetic-{days % 100}")).json()
        assert page["review"] == {**review_until(day(days)), "status": status}
        shown.setdefault(status, set()).add(page["slug"])
    for status, slugs in shown.items():
        found = (await client.get("/conditions", params={"review_status": status})).json()
        assert {card["slug"] for card in found["items"]} == slugs
    assert "review" not in (await client.get("/conditions/synthetic-unreviewed")).json()
    # It goes together with the other filters, and page by page.
    both = {"review_status": "due", "category": "synthetic-category", "limit": "1"}
    first = (await client.get("/conditions", params=both)).json()
    second = (await client.get(first["next"])).json()
    assert {card["slug"] for card in (*first["items"], *second["items"])} == shown["due"]
    assert "next" not in second
    nothing = (await client.get("/conditions", params={"review_status": "due", "category": "nothing"})).json()
    assert nothing["items"] == []
    assert (await client.get("/conditions", params={"review_status": "never"})).status_code == 422


async def test_a_review_that_falls_due_is_told_once_for_each_day_on_which_one_does(database: Database) -> None:
    due = await publish(database, SLUG, review=review_until(day(30)))
    overdue = await publish(database, "synthetic-overdue", review=review_until(day(-1)))
    await publish(database, "synthetic-current", review=review_until(day(31)))
    await publish(database, "synthetic-unreviewed")
    assert await tell(database) == 2
    once = sorted([(review.TOPIC, due.condition_id, 1), (review.TOPIC, overdue.condition_id, 1)])
    assert await told(database) == once
    assert await tell(database) == 0
    # The same day on another revision is no news; another day is.
    await publish(database, SLUG, review=review_until(day(30)), summary="Synthetic second.")
    assert await tell(database) == 0
    await publish(database, SLUG, review=review_until(day(20)))
    assert await tell(database) == 1
    assert await told(database) == sorted([*once, (review.TOPIC, due.condition_id, 3)])


async def test_a_page_that_becomes_due_with_time_is_told_then(database: Database) -> None:
    made = await publish(database, SLUG, review=review_until(day(40)))
    assert await tell(database) == 0
    pages = update(ConditionPage).where(col(ConditionPage.condition_id) == made.condition_id)
    # As after ten days.
    await run(database, pages.values(next_review_on=day(30)))
    assert await tell(database) == 1


async def test_each_language_has_a_review_of_its_own(database: Database) -> None:
    made = await publish(database, SLUG, review=review_until(day(10)))
    await publish(database, SLUG, locale="es", review=review_until(day(10)))
    assert await tell(database) == 2
    assert await told(database) == [
        (review.TOPIC, made.condition_id, 1),
        (f"{review.TOPIC}.es", made.condition_id, 1),
    ]


async def test_many_are_told_batch_by_batch_and_side_by_side_once_each(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {(await publish(database, f"synthetic-{n}", review=review_until(day(n)))).condition_id for n in range(5)}
    monkeypatch.setattr(worker, "_REVIEWS_AT_ONCE", 2)
    tools = worker.Tools(database, load_keyring(settings.keyring_path), settings)
    (job,) = [job for job in worker.JOBS if job.name == "tell_reviews"]
    assert await job.do(tools) == "Reviews that fall due and were told: 5."
    assert {condition for _, condition, _ in await told(database)} == made
    assert await job.do(tools) == "Reviews that fall due and were told: 0."
    pages = await everything(database, ConditionPage, col(ConditionPage.condition_id).in_(made))
    assert [page["review_told_on"] for page in pages] == [page["next_review_on"] for page in pages]


async def test_two_workers_at_once_tell_each_of_them_once(database: Database) -> None:
    for number in range(4):
        await publish(database, f"synthetic-{number}", review=review_until(day(number)))
    counts: list[int] = []
    async with database.write() as session:
        counts.append(await review.tell_due(session, limit=2))
        # Where two can write at once, the other one does not wait for these two.
        if database.writer is None:
            counts.append(await tell(database, limit=4))
    counts.append(await tell(database, limit=4))
    assert sum(counts) == 4
    assert counts[:2] == [2, 2]
    assert len(await told(database)) == 4


async def test_what_is_told_and_that_it_was_told_stand_or_fall_together(database: Database) -> None:
    made = await publish(database, SLUG, review=review_until(day(1)))

    async def tell_and_fail() -> Any:
        async with database.write() as session:
            assert await review.tell_due(session, limit=10) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await tell_and_fail()
    (page,) = await everything(database, ConditionPage, ConditionPage.condition_id == made.condition_id)
    assert (page["review_told_on"], await told(database)) == (None, [])
    assert await tell(database) == 1
