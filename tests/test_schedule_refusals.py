"""What cannot be published at its time: it goes back to the editors or waits, and holds nobody up."""

import json
import logging
from typing import Any

import pytest
from sqlalchemy import insert, text, update
from sqlmodel import col

from app.content import drafts, schedule
from app.content.document import ConditionDocument
from app.content.editorial_tables import ConditionDraft, DraftState, SlugRedirect, Subject
from app.content.schedule import Aside
from app.core import clock
from app.core.db import Database, DatabaseBusy
from app.core.logs import JsonLines
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage
from tests.doors import started
from tests.edit_races import until_state
from tests.editing import look
from tests.pages import page_content, publish
from tests.rows import everything, run
from tests.schedules import SLUG, drafts_of, public_slugs, scheduled, trail, within


@pytest.mark.parametrize("fault", ["category-named-differently", "slug-retired"])
async def test_a_text_that_is_refused_goes_back_to_the_editors_and_holds_nobody_up(
    database: Database, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    caplog.set_level(logging.INFO, "carepath")
    made = await publish(database, "synthetic-published")
    page: dict[str, Any] = {}
    if fault == "category-named-differently":
        page = {"category": {"slug": "synthetic-category", "name": "Synthetic Other"}}
    await run(database, scheduled(within(-60), "synthetic-bad", **page), scheduled(within(-1), "synthetic-good"))
    if fault == "slug-retired":
        retired = {"kind": Subject.CONDITION, "slug": "synthetic-bad", "condition_id": made.condition_id}
        await run(database, insert(SlugRedirect).values(retired | {"renamed_at": clock.now()}))
    assert await schedule.publish_due(database) is None
    assert await public_slugs(database) == {"synthetic-published", "synthetic-good"}
    (draft,) = await drafts_of(database)
    # Nobody has approved it.
    assert (draft["state"], draft["publish_at"], draft["version"]) == (DraftState.DRAFT, None, 2)
    assert ("condition_draft.refused", str(draft["id"]), [fault]) in await trail(database)
    (message,) = await everything(database, OutboxMessage, col(OutboxMessage.topic) == "condition_draft.refused")
    assert (message["subject_id"], message["sequence"]) == (draft["id"], 2)
    lines = [JsonLines().format(record) for record in caplog.records]
    told = [json.loads(line) for line in lines if "schedule_" in line]
    assert [(line["event"], line["draft"], line["code"]) for line in told] == [
        ("schedule_refused", str(draft["id"]), fault)
    ]
    assert "ynthetic" not in "".join(lines)


async def test_a_text_that_somebody_has_approved_stays_approved(database: Database) -> None:
    await publish(database, "synthetic-published")
    other = {"slug": "synthetic-category", "name": "Synthetic Other"}
    row = {"approved_by": "another", "unpublish_at": within(60)}
    await run(database, scheduled(within(-1), draft=row, category=other))
    assert await schedule.publish_due(database) is None
    (draft,) = await drafts_of(database)
    assert (draft["state"], draft["approved_by"]) == (DraftState.APPROVED, "another")
    assert (draft["publish_at"], draft["unpublish_at"]) == (None, None)


async def test_what_was_scheduled_while_nobody_had_to_approve_is_stopped_where_somebody_has_to(
    settings: Settings, database: Database, admin: dict[str, str]
) -> None:
    await run(
        database,
        scheduled(within(-1), "synthetic-unapproved"),
        scheduled(within(-1), "synthetic-approved", draft={"approved_by": "another"}),
    )
    async with started(settings.model_copy(update={"content_approval": True})) as client:
        # Both were due when it started.
        assert await public_slugs(database) == {"synthetic-approved"}
        seen, _ = await look(client, admin, "synthetic-unapproved")
        await run(database, scheduled(within(0.2), "synthetic-later"))
        await until_state(client, admin, "draft", "synthetic-later")
    assert (seen["state"], seen["version"], "publish_at" in seen) == ("draft", 2, False)
    assert await public_slugs(database) == {"synthetic-approved"}
    refused = [fields for action, _, fields in await trail(database) if action == "condition_draft.refused"]
    assert refused == [["draft-not-approved"]] * 2


async def test_a_text_that_fails_for_a_reason_that_is_not_in_it_waits_and_the_others_do_not(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await run(database, scheduled(within(-60), "synthetic-bad"), scheduled(within(-1), "synthetic-good"))
    await run(database, *_break("synthetic-bad", database))
    aside = Aside()
    assert await schedule.publish_due(database, aside) is None
    assert await public_slugs(database) == {"synthetic-good"}
    (draft,) = await drafts_of(database)
    assert (draft["state"], draft["version"]) == (DraftState.SCHEDULED, 1)
    (line,) = [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == "carepath"]
    assert (line["event"], line["draft"]) == ("schedule_failed", str(draft["id"]))
    # Nobody takes it up again before a minute has passed, in this process.
    writes = database.writes
    assert await schedule.publish_due(database, aside) is None
    assert database.writes == writes
    await run(database, *_mend(database))
    aside.until = 0
    assert await schedule.publish_due(database, aside) is None
    assert await public_slugs(database) == {"synthetic-bad", "synthetic-good"}


async def test_a_text_that_was_changed_while_it_was_refused_stays_scheduled(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(database, "synthetic-published")
    wrong = {"category": {"slug": "synthetic-category", "name": "Synthetic Other"}}
    await run(database, scheduled(within(-60), SLUG, **wrong))
    give_back = schedule._give_back  # noqa: SLF001 - there is no other way in between its two transactions

    async def be_overtaken(*taken: Any) -> None:
        mended = ConditionDocument.model_validate(page_content(SLUG)).content()
        await run(database, update(ConditionDraft).values(document=mended, version=ConditionDraft.version + 1))
        await give_back(*taken)

    monkeypatch.setattr(schedule, "_give_back", be_overtaken)
    assert await schedule.publish_due(database) is None
    assert await public_slugs(database) == {"synthetic-published", SLUG}
    assert [action for action, _, _ in await trail(database)] == ["condition.published"]


async def test_trouble_of_the_database_is_no_fault_of_the_text(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find_it_busy(*_: Any, **__: Any) -> None:
        raise DatabaseBusy

    await run(database, scheduled(within(-60)))
    aside = Aside()
    with monkeypatch.context() as broken:
        broken.setattr(drafts, "publish_draft", find_it_busy)
        with pytest.raises(DatabaseBusy):
            await schedule.publish_due(database, aside)
    assert await trail(database) == []
    assert await schedule.publish_due(database, aside) is None
    assert await public_slugs(database) == {SLUG}


async def test_words_that_are_no_document_any_more_wait_and_the_others_do_not(database: Database) -> None:
    await run(database, scheduled(within(-60), "synthetic-bad"), scheduled(within(-1), "synthetic-good"))
    bad = update(ConditionDraft).where(col(ConditionDraft.slug) == "synthetic-bad")
    await run(database, bad.values(document={"name": "Synthetic name"}))
    assert await schedule.publish_due(database) is None
    assert await public_slugs(database) == {"synthetic-good"}


def _break(slug: str, database: Database) -> list[Any]:
    """What makes every page of this slug's condition fail, by a fault of the database."""
    if database.writer is not None:
        return [
            text(
                "CREATE TRIGGER carepath_test BEFORE INSERT ON conditions WHEN NEW.slug = '" + slug + "' "
                "BEGIN SELECT RAISE(ABORT, 'carepath_test'); END"
            )
        ]
    return [
        text(
            "CREATE FUNCTION carepath_test() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'carepath_test'; END $$"
        ),
        text(
            "CREATE TRIGGER carepath_test BEFORE INSERT ON conditions FOR EACH ROW "
            f"WHEN (NEW.slug = '{slug}') EXECUTE FUNCTION carepath_test()"
        ),
    ]


def _mend(database: Database) -> list[Any]:
    drop = "DROP TRIGGER carepath_test" + ("" if database.writer is not None else " ON conditions")
    return [text(drop)]
