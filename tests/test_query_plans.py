"""However many slots there are, what is asked often is found by an index, in its order: no scans and no sorts."""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.consultations import archive, first_available, slot_queries, slots
from app.consultations.first_available import FirstAvailable
from app.consultations.policies import Policy
from app.consultations.slot_answers import LISTED
from app.consultations.slot_filters import SlotFilter
from app.consultations.tables import SlotMode, SlotStatus
from app.core import clock
from app.core.db import Database, rows
from app.core.gathered import statement_of
from app.core.ids import new_id
from app.core.prepared import numbered
from app.core.settings import Settings
from tests.bench import many_slots
from tests.plans import explain

CONDITION, CATEGORY = many_slots.condition_slug(3), many_slots.category_slug(3)
CLINICIAN, LOCATION = "bench-clinicians-3", "bench-locations-3"
EVERYTHING = tuple(SlotStatus)
# What somebody asks for, and how often a few rows may be sorted for it.
LISTINGS: dict[str, tuple[SlotFilter, int]] = {
    "anything": (SlotFilter(), 0),
    "condition": (SlotFilter(condition=CONDITION), 0),
    "condition, from a day on": (
        SlotFilter(condition=CONDITION, starts_from=clock.now(), starts_before=clock.now() + timedelta(days=9)),
        0,
    ),
    "condition, by the clock": (
        SlotFilter(condition=CONDITION, mode=SlotMode.VIDEO, weekdays=(1, 2), minute_from=480, minute_before=720),
        0,
    ),
    # The soonest of each of the category's conditions, brought into one order.
    "category": (SlotFilter(category=CATEGORY), 1),
    "clinician": (SlotFilter(clinician=CLINICIAN), 0),
    "location": (SlotFilter(location=LOCATION), 0),
    "mode": (SlotFilter(mode=SlotMode.VIDEO), 0),
    "condition and location": (SlotFilter(condition=CONDITION, location=LOCATION), 0),
    "all": (SlotFilter(statuses=EVERYTHING), 0),
    "all, the archive too": (SlotFilter(statuses=EVERYTHING, archived=True), 0),
    "all of a clinician": (SlotFilter(statuses=EVERYTHING, clinician=CLINICIAN), 0),
    "closed, for a condition": (SlotFilter(statuses=(SlotStatus.CLOSED,), condition=CONDITION), 0),
}


@dataclass(frozen=True)
class Question:
    """A statement and what is bound in it."""

    name: str
    query: Any
    values: dict[str, Any]
    sorts: int = 0


def questions(dialect: str) -> Iterator[Question]:
    """All that is asked often."""
    place = {"after_start": clock.now() + timedelta(days=1), "after_id": new_id()}
    common = {"min_notice": 0, "limit": 21}
    for name, (wanted, sorts) in LISTINGS.items():
        values = wanted.values() | common
        asked = frozenset(wanted.values())
        yield Question(name, statement_of(slot_queries.listing(asked, dialect), LISTED), values, sorts)
        on = statement_of(slot_queries.listing(asked | {"after"}, dialect), LISTED)
        yield Question(f"{name}, on", on, values | place, sorts)
    # A few clinicians, locations or modes, each with its soonest: these are sorted.
    for of in FirstAvailable:
        yield Question(f"first of each {of}", statement_of(first_available.listing(of, frozenset()), LISTED), common, 2)
    other = {"condition_id": new_id(), "category_id": None, "refused_ids": [new_id()]}
    yield Question("alternatives", slot_queries.alternatives(dialect), other | common)
    yield Question("one", slot_queries.by_id(), {"ids": [new_id()]})
    yield Question("one, to be changed", slot_queries.locked(), {"id": new_id()})
    yield Question("to be archived", archive.OLD, place | {"before": clock.now(), "limit": 2_000})
    yield Question("archived now", archive.LOCKED, {"ids": [new_id(), new_id()]})


async def plan_of(connection: AsyncConnection, question: Question) -> list[str]:
    """The steps, with these values."""
    return [str(row[-1]) for row in await rows(connection, explain(question.query), question.values)]


async def steady_plan_of(connection: AsyncConnection, question: Question) -> list[str]:
    """The steps on PostgreSQL once the statement is prepared, whatever is bound in it."""
    compiled = question.query.compile(dialect=connection.dialect).construct_expanded_state(question.values)
    sql, names = numbered(compiled.statement)
    await connection.exec_driver_sql(f"PREPARE steady AS {sql}")
    nothing = ", ".join(["NULL"] * len(names))
    found = await connection.exec_driver_sql(f"EXPLAIN EXECUTE steady{f'({nothing})' if names else ''}")
    steps = [str(row[0]) for row in found]
    await connection.exec_driver_sql("DEALLOCATE steady")
    return steps


def faults(steps: list[str]) -> list[str]:
    """Steps that read all of what grows, or that sort."""
    grows = r"consultation_(slots|bookings)\b"
    scans = (rf"Seq Scan on {grows}", rf"SCAN {grows}(?!.* USING (COVERING )?INDEX )")
    sorts = (r"(-> +|^)(Incremental )?Sort\b", r"USE TEMP B-TREE")
    found = [step for step in steps if any(re.search(scan, step) for scan in scans)]
    return found + [step for step in steps if any(re.search(sort, step) for sort in sorts)]


async def judged(database: Database, question: Question) -> dict[str, list[str]]:
    """What is wrong with the plans of a question: nothing, if it may sort no more than it does."""
    async with database.looking.connect() as connection:
        plans = [await plan_of(connection, question)]
        if database.writer is None:
            plans.append(await steady_plan_of(connection, question))
    for plan in plans:
        found = faults(plan)
        if len(found) > question.sorts or any("scan" in step.lower() for step in found):
            return {question.name: plan}
    return {}


@pytest.fixture
def filled(settings: Settings) -> Settings:
    """Thousands of slots and bookings, whose number the planner knows."""
    many_slots.fill(settings, many_slots.Clinic(slots=20_000, conditions=20, categories=5, locations=5))
    return settings


async def test_nothing_is_scanned_or_sorted(filled: Settings, database: Database) -> None:  # noqa: ARG001
    wrong: dict[str, list[str]] = {}
    for question in questions(database.looking.dialect.name):
        wrong |= await judged(database, question)
    told = "\n".join(f"{name}\n  " + "\n  ".join(steps) for name, steps in wrong.items())
    assert not wrong, told


async def test_missing_indexes_are_seen(filled: Settings, database: Database) -> None:  # noqa: ARG001
    async with database.write() as session:
        connection = await session.connection()
        for name in ("starts_at", "kept", "for_anything", "category_id"):
            await connection.execute(text(f"DROP INDEX ix_consultation_slots_{name}"))
    wrong: dict[str, list[str]] = {}
    for question in questions(database.looking.dialect.name):
        wrong |= await judged(database, question)
    assert {"anything", "condition", "category", "all", "alternatives", "to be archived"} <= set(wrong)
    assert {"one", "clinician", "location, on"}.isdisjoint(wrong)


def test_what_a_plan_must_not_do_is_told() -> None:
    bad = (
        "  ->  Seq Scan on consultation_slots",
        "Seq Scan on consultation_bookings b",
        "   ->  Sort  (cost=1..2)",
        "Sort  (cost=1..2)",
        "  ->  Incremental Sort  (cost=1..2)",
        "SCAN consultation_slots",
        "USE TEMP B-TREE FOR ORDER BY",
        "USE TEMP B-TREE FOR LAST TERM OF ORDER BY",
    )
    assert [faults([step]) for step in bad] == [[step] for step in bad]
    good = (
        "  Sort Key: starts_at",
        "->  Seq Scan on locations",
        "SCAN consultation_slots USING INDEX ix_consultation_slots_kept",
        "SCAN consultation_slots USING COVERING INDEX ix_consultation_slots_kept",
        "SEARCH consultation_slots USING INDEX ix_consultation_slots_kept (starts_at>?)",
    )
    assert faults(list(good)) == []


async def test_sqlite_prepares_no_statement_again_for_other_values(settings: Settings) -> None:
    if settings.sqlite_path is None:
        pytest.skip("PostgreSQL's statements are prepared once: see core/postgres.py")
    prepared = 0

    def note(*_: Any) -> int:
        nonlocal prepared
        prepared += 1
        return sqlite3.SQLITE_OK

    connection = sqlite3.connect(settings.sqlite_path)
    connection.set_authorizer(note)
    database = Database(settings)
    again = []
    for question in questions("sqlite"):
        compiled = question.query.compile(dialect=database.looking.dialect)
        state = compiled.construct_expanded_state(question.values)
        for limit in (20, 21):
            known = state.parameters | {"limit": limit}
            values = [value if isinstance(value := known[name], int) else None for name in state.positiontup]
            prepared = 0
            connection.execute(state.statement, values).fetchall()
        if prepared:
            again.append(question.name)
    connection.close()
    await database.close()
    assert not again


async def work_of(connection: AsyncConnection, statement: Any, values: dict[str, Any]) -> int:
    """How much the database does for this: pages on PostgreSQL, steps of its machine on SQLite."""
    if connection.dialect.name == "postgresql":
        # Once more, when all that is asked for has been there before.
        for _ in range(2):
            plan = (await rows(connection, explain(statement, "(ANALYZE, BUFFERS, FORMAT JSON)"), values))[0][0]
        return int(plan[0]["Plan"]["Shared Hit Blocks"])
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    steps = 0

    def note() -> int:
        nonlocal steps
        steps += 1
        return 0

    await driver.set_progress_handler(note, 10)
    await rows(connection, statement, values)
    await driver.set_progress_handler(None, 10)
    return steps


async def test_what_lies_before_the_begin_of_a_list_is_not_read(filled: Settings, database: Database) -> None:
    policy = Policy.of_hospital(filled)
    async with database.looking.connect() as connection:
        wanted = SlotFilter(condition=CONDITION)
        everything = await slots.find(connection, wanted, policy=policy, limit=2_000)
        # So that all of these lists end for having found enough.
        late = everything[-100]["starts_at"]
        work = {}
        for name, begin, after in (
            ("soon", None, None),
            ("late", late, None),
            ("page", None, (late, new_id())),
            ("page from soon", clock.now(), (late, new_id())),
            ("page from long ago", late - timedelta(days=900), (late, new_id())),
            ("late page from long before it", late, (everything[0]["starts_at"], new_id())),
        ):
            asked: list[Any] = []

            async def note(_: Any, query: Any, values: Any, asked: list[Any] = asked, **more: Any) -> list[Any]:
                asked.append((statement_of(query, more["columns"]), values))
                return [{"id": None, "starts_at": None}]

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(slots, "gathered", note)
                await slots.find(connection, replace(wanted, starts_from=begin), policy=policy, limit=21, after=after)
            ((statement, values),) = asked
            work[name] = await work_of(connection, statement, values)
    assert max(work.values()) < 1.6 * work["soon"], work
