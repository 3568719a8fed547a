"""What happens at its time: texts are published, pages are taken down, once each, and nothing is stuck."""

import asyncio

import httpx
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from app.content import schedule
from app.content.editorial_tables import (
    ContentChange,
)
from app.content.tables import Cause, ConditionPage, ConditionRevision, ContentVersion
from app.core import clock
from app.core.database_errors import is_temporary
from app.core.db import Database
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage
from tests.pages import publish
from tests.rows import everything, run
from tests.schedules import SLUG, drafts_of, end_at, new_draft, public_slugs, scheduled, trail, within

LATER = 3600.0


async def feed(database: Database) -> list[tuple[str, str, int | None]]:
    """What the feed says of the synthetic conditions, oldest first."""
    found = await everything(
        database, ContentChange, col(ContentChange.slug).startswith("synthetic"), ContentChange.subject == "condition"
    )
    return [(row["kind"], row["slug"], row["revision"]) for row in sorted(found, key=lambda row: row["number"])]


async def test_a_draft_is_published_when_its_time_has_come_and_not_before(database: Database) -> None:
    await run(
        database,
        scheduled(within(LATER), "synthetic-later"),
        scheduled(within(-1), "synthetic-now", draft={"approved_by": "another"}),
        new_draft("synthetic-unscheduled"),
    )
    left = await schedule.publish_due(database)
    assert left is not None
    assert LATER - 60 < left < LATER
    assert await public_slugs(database) == {"synthetic-now"}
    assert {row["slug"] for row in await drafts_of(database)} == {"synthetic-later", "synthetic-unscheduled"}
    (revision,) = await everything(database, ConditionRevision, col(ConditionRevision.published_by) == schedule.BY)
    assert (revision["number"], revision["author"], revision["approved_by"]) == (1, "test", "another")
    assert (clock.now() - revision["published_at"]).total_seconds() < 60
    assert await feed(database) == [("published", "synthetic-now", 1)]
    assert await trail(database) == [("condition.published", str(revision["condition_id"]), [])]
    assert len(await everything(database, OutboxMessage, col(OutboxMessage.topic) == "condition.published")) >= 1


async def test_where_nothing_is_scheduled_nothing_is_written(database: Database) -> None:
    await run(database, new_draft())
    writes = database.writes
    assert await schedule.publish_due(database) is None
    await run(database, scheduled(within(LATER), "synthetic-later"))
    assert await schedule.publish_due(database) is not None
    assert database.writes == writes + 1


async def test_a_page_whose_time_is_over_is_taken_down_and_its_condition_stays(
    client: httpx.AsyncClient, database: Database
) -> None:
    ended, lasting = await publish(database, "synthetic-ended"), await publish(database, "synthetic-lasting")
    await end_at(database, within(-1), ended.condition_id)
    await end_at(database, within(LATER), lasting.condition_id)
    causes = await everything(database, Cause)
    await schedule.publish_due(database)
    assert await public_slugs(database) == {"synthetic-lasting"}
    assert len(await everything(database, Cause)) == len(causes) - 1
    assert (await feed(database))[-1] == ("unpublished", "synthetic-ended", 1)
    assert await trail(database) == [("condition.unpublished", str(ended.condition_id), [])]
    (told,) = await everything(database, OutboxMessage, col(OutboxMessage.topic) == "condition.unpublished")
    assert told["subject_id"] == ended.condition_id
    # It is known still: the next revision is the second one.
    assert len(await everything(database, ConditionRevision, ConditionRevision.condition_id == ended.condition_id)) == 1
    assert (await publish(database, "synthetic-ended")).number == 2
    assert (await client.get("/conditions/synthetic-ended")).json()["revision"] == 2


async def test_only_the_language_whose_time_is_over_is_taken_down(database: Database) -> None:
    made = await publish(database, SLUG)
    await publish(database, SLUG, locale="es")
    spanish = update(ConditionPage).where(
        col(ConditionPage.condition_id) == made.condition_id, col(ConditionPage.locale) == "es"
    )
    await run(database, spanish.values(unpublish_at=within(-1)))
    await schedule.publish_due(database)
    pages = await everything(database, ConditionPage, ConditionPage.condition_id == made.condition_id)
    assert [page["locale"] for page in pages] == ["en"]
    (change,) = await everything(database, ContentChange, col(ContentChange.kind) == "unpublished")
    assert (change["locale"], change["revision"]) == ("es", 1)


async def test_a_text_that_takes_over_at_the_moment_the_page_ends_keeps_the_page(database: Database) -> None:
    made, moment = await publish(database, SLUG), within(-1)
    await end_at(database, moment, made.condition_id)
    await run(database, scheduled(moment, SLUG, draft={"condition_id": made.condition_id}, summary="Synthetic second."))
    await schedule.publish_due(database)
    (page,) = await everything(database, ConditionPage, ConditionPage.condition_id == made.condition_id)
    assert (page["summary"], page["revision"], page["unpublish_at"]) == ("Synthetic second.", 2, None)
    assert [kind for kind, _, _ in await feed(database)] == ["published", "updated"]


async def test_a_text_whose_whole_time_nobody_was_there_for_is_never_public(database: Database) -> None:
    seen: list[set[str]] = []
    done = asyncio.Event()

    async def look() -> None:
        while not done.is_set():
            seen.append(await public_slugs(database))

    await run(database, scheduled(within(-20), SLUG, draft={"unpublish_at": within(-10)}))
    looking = asyncio.create_task(look())
    await schedule.publish_due(database)
    done.set()
    await looking
    assert seen
    assert not any(seen)
    # Its history is whole all the same.
    assert await feed(database) == [("published", SLUG, 1), ("unpublished", SLUG, 1)]
    assert len(await everything(database, ConditionRevision, col(ConditionRevision.published_by) == schedule.BY)) == 1


async def publish_as_clocks_do(database: Database) -> None:
    """Publish what is due; who has waited for its turn for too long looks again."""
    while True:
        try:
            await schedule.publish_due(database)
        except DBAPIError as error:
            if not is_temporary(error):
                raise
        else:
            return


async def test_several_that_race_publish_each_text_once(settings: Settings, database: Database) -> None:
    slugs = {f"synthetic-{number}" for number in range(12)}
    await run(database, *(scheduled(within(-1), slug) for slug in slugs))
    for number in range(3):
        ended = await publish(database, f"synthetic-ended-{number}")
        await end_at(database, within(-1), ended.condition_id)
    (before,) = await everything(database, ContentVersion)
    others = [Database(settings) for _ in range(3)]
    try:
        await asyncio.gather(*(publish_as_clocks_do(each) for each in (database, *others)))
    finally:
        await asyncio.gather(*(other.close() for other in others))
    assert await public_slugs(database) == slugs
    assert await drafts_of(database) == []
    (after,) = await everything(database, ContentVersion)
    assert after["number"] - before["number"] == len(slugs) + 3
    assert {number for _, slug, number in await feed(database) if slug in slugs} == {1}
    assert len(await trail(database)) == len(slugs) + 3
