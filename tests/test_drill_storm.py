"""The storm, short; and what it says of applications that break their promises."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
from sqlalchemy import text

from app.core.db import Database
from app.core.settings import Settings
from tests.drills import sabotage, storm
from tests.drills.storm_check import Figures
from tests.drills.storm_crew import Options
from tests.rows import run

Sabotage = Callable[[], AbstractContextManager[None]]

# The server that the storm's processes are forked from listens on a Unix socket, which the suite's rule would forbid.
pytestmark = pytest.mark.enable_socket


def test_a_storm_over_few_seats_with_killed_processes_breaks_nothing(settings: Settings) -> None:
    figures = storm.drill(settings, Options(attempts=400, processes=2, seed=1, kill_every=80))
    assert figures.broken == []
    assert figures.ledger.attempts >= 400
    assert figures.kills
    assert figures.repeats["as before"]


def test_the_storm_sees_that_the_index_is_gone(settings: Settings) -> None:
    asyncio.run(_execute(settings, "DROP INDEX uq_consultation_bookings_seat_live"))
    assert "broken: " in " ".join(blown(settings).broken)


def test_the_storm_sees_that_a_refusal_is_swallowed(settings: Settings) -> None:
    # The deferred key refuses the COMMIT: nothing is lost, but somebody is told of an error that nobody expects.
    assert "broken: IntegrityError" in " ".join(blown(settings, sabotage.refusals_swallowed).broken)


def test_the_storm_sees_bookings_that_were_promised_and_never_made(settings: Settings) -> None:
    if settings.sqlite_path is None:
        asyncio.run(_execute(settings, "ALTER TABLE idempotency_keys DROP CONSTRAINT fk_idempotency_keys_booking_id"))
    broken = " ".join(blown(settings, sabotage.refusals_swallowed_without_keys).broken)
    assert "acknowledged steps are lost" in broken
    assert "a remembered request has what it made" in broken


def blown(settings: Settings, wrong: Sabotage = nullcontext) -> Figures:
    """A storm of some seconds over an application of which this is wrong."""
    return storm.drill(settings, Options(attempts=150, processes=2, seed=1, kill_every=10_000, sabotage=wrong))


async def _execute(settings: Settings, statement: str) -> None:
    database = Database(settings)
    await run(database, text(statement))
    await database.close()
