"""Several serving processes and a real clock: what is scheduled is public from its moment on, in each of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import sleep

import httpx
import pytest
from sqlmodel import col

from app.content import schedule
from app.content.editorial_tables import ContentChange
from app.content.tables import ConditionRevision
from app.core import clock
from app.core.db import Database
from app.core.settings import Settings
from tests.pages import publish
from tests.processes import serving
from tests.rows import everything, run
from tests.schedules import SLUG, drafts_of, end_at, scheduled, within

PROCESSES = 3
# In seconds: how far ahead the moment lies, and how late anybody may be.
AHEAD, LATE = 2.0, 1.0


@dataclass
class Seen:
    """What one process answered, and when it was asked and had answered."""

    answers: list[tuple[datetime, datetime, int, str | None]] = field(default_factory=list)

    def first(self, status: int, summary: str | None) -> tuple[datetime, datetime]:
        """When it was asked for the first answer of this kind, and had given it."""
        return next((asked, had) for asked, had, *answer in self.answers if answer == [status, summary])

    def late(self, status: int, summary: str | None, moment: datetime) -> float:
        """How long after this moment it was asked for the last answer of this kind, in seconds.

        Less what the slowest answer took: so long this machine may keep anybody waiting who has something to do.
        """
        last = max((asked for asked, _, *answer in self.answers if answer == [status, summary]), default=moment)
        slowest = max(had - asked for asked, had, *_ in self.answers)
        return (last - moment - slowest).total_seconds()


@pytest.fixture
def addresses(settings: Settings, tmp_path: Path) -> Iterator[list[str]]:
    """Where several processes serve one database."""
    with ExitStack() as stack, ThreadPoolExecutor(PROCESSES) as pool:
        servers = [serving(settings, tmp_path) for _ in range(PROCESSES)]
        yield [served.address for served in pool.map(stack.enter_context, servers)]


def watch(address: str, slug: str, until: datetime) -> Seen:
    """Ask one process for a page again and again."""
    seen = Seen()
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
        while clock.now() < until:
            asked = clock.now()
            answer = client.get(f"/conditions/{slug}")
            seen.answers.append((asked, clock.now(), answer.status_code, answer.json().get("summary")))
            sleep(0.02)
    return seen


def watch_all(addresses: list[str], slug: str, until: datetime) -> list[Seen]:
    """Ask every process at once."""
    with ThreadPoolExecutor(len(addresses)) as pool:
        return list(pool.map(lambda address: watch(address, slug, until), addresses))


async def test_a_text_is_public_in_every_process_from_its_moment_on_and_not_before(
    addresses: list[str], database: Database
) -> None:
    made = await publish(database, SLUG, summary="Synthetic first.")
    moment = within(AHEAD)
    await run(database, scheduled(moment, SLUG, draft={"condition_id": made.condition_id}, summary="Synthetic second."))
    for seen in watch_all(addresses, SLUG, within(AHEAD + LATE + 1)):
        _, had = seen.first(200, "Synthetic second.")
        assert had >= moment
        assert seen.late(200, "Synthetic first.", moment) < LATE
        assert {(status, said) for _, _, status, said in seen.answers} == {
            (200, "Synthetic first."),
            (200, "Synthetic second."),
        }
    # All of them woke at the same moment, and one published.
    by_schedule = col(ConditionRevision.published_by) == schedule.BY
    (revision,) = await everything(database, ConditionRevision, by_schedule)
    assert 0 <= (revision["published_at"] - moment).total_seconds() < LATE
    assert await drafts_of(database) == []


async def test_a_page_is_gone_from_every_process_once_its_time_is_over(
    addresses: list[str], database: Database
) -> None:
    made = await publish(database, SLUG)
    moment = within(AHEAD)
    await end_at(database, moment, made.condition_id)
    for seen in watch_all(addresses, SLUG, within(AHEAD + LATE + 1)):
        _, had = seen.first(404, None)
        assert had >= moment
        assert seen.late(200, "Synthetic summary.", moment) < LATE
        # It does not come back.
        assert [answer for _, _, *answer in seen.answers[-5:]] == [[404, None]] * 5
    changes = await everything(database, ContentChange, col(ContentChange.slug) == SLUG)
    assert sorted(change["kind"] for change in changes) == ["published", "unpublished"]


async def test_what_is_scheduled_for_the_next_moment_is_not_late_either(
    addresses: list[str], database: Database
) -> None:
    # Nobody knows of it before it is nearly due: each process finds it by looking.
    moment = within(0.1)
    await run(database, scheduled(moment, SLUG))
    for seen in watch_all(addresses, SLUG, within(LATE + 1)):
        assert seen.late(404, None, moment) < LATE
        assert seen.first(200, "Synthetic summary.")


async def test_a_process_that_starts_later_serves_what_fell_due_while_nobody_ran(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    ended = await publish(database, "synthetic-ended")
    await end_at(database, within(-60), ended.condition_id)
    await run(database, scheduled(within(-60), SLUG))
    with serving(settings, tmp_path) as served:
        async with httpx.AsyncClient(base_url=served.address, trust_env=False, timeout=30) as client:
            # The very first answers.
            assert (await client.get(f"/conditions/{SLUG}")).status_code == 200
            assert (await client.get("/conditions/synthetic-ended")).status_code == 404
