"""Bookings against a plain model of them, with a clock that can be set: `python -m tests.drills.model`.

Hypothesis makes up what patients and staff do, and shortens what goes wrong to the fewest steps that show it; then the
drill exits with 1.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import click
import httpx
import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import run_state_machine_as_test

from app.access import callers
from app.access.callers import Scope
from app.core.brief import BriefMemory
from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from tests.drills import databases
from tests.drills.model_machine import Machine
from tests.drills.model_rules import HOLD_MINUTES
from tests.drills.model_talk import Stage


@dataclass(frozen=True)
class Options:
    """How much is tried."""

    examples: int
    steps: int
    # None: the same in every run, and what goes wrong is not shortened, which takes minutes.
    seed: int | None = None


def drill(settings: Settings, options: Options) -> Stage:
    """Try so much; the stage that is returned has counted. Raises what was found wrong, in the fewest steps."""
    settings = settings.model_copy(update={"hold_seconds": HOLD_MINUTES * 60})
    how = hypothesis.settings(
        max_examples=options.examples,
        stateful_step_count=options.steps,
        derandomize=options.seed is None,
        phases=(Phase.generate,) if options.seed is None else (Phase.generate, Phase.shrink),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with asyncio.Runner() as runner:
        opened = _opened(settings, runner)
        stage = runner.run(opened.__aenter__())
        try:

            def machine() -> Machine:
                return Machine(stage)

            if options.seed is not None:
                hypothesis.seed(options.seed)(machine)
            run_state_machine_as_test(machine, settings=how)  # type: ignore[arg-type] # takes a function as well
        finally:
            runner.run(opened.__aexit__(None, None, None))
    return stage


@asynccontextmanager
async def _opened(settings: Settings, runner: asyncio.Runner) -> AsyncIterator[Stage]:
    # Its seconds are not the model's: nothing may be remembered while the model's clock moves.
    app, database = create_app(settings.model_copy(update={"pages_memory_mb": 0})), Database(settings)
    async with database.write() as session:
        key = await callers.create_key(session, name=secrets.token_hex(8), scopes=list(Scope), is_live=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://carepath.test") as client,
    ):
        app.state.brief = BriefMemory(app.state.database, seconds=0)
        yield Stage(runner, client, database, settings, {"Authorization": f"Bearer {key}"})
    await database.close()


@click.command()
@click.option("--database", type=click.Choice([*databases.KINDS, "both"]), default="both", show_default=True)
@click.option("--examples", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--steps", type=click.IntRange(min=1), default=50, show_default=True, help="Of an example, at most.")
@click.option("--seed", type=int, default=None, help="Drawn by lot unless given.")
def main(database: str, examples: int, steps: int, seed: int | None) -> None:
    """Try what patients and staff may do, and hold each answer against the model's."""
    options = Options(examples, steps, secrets.randbelow(10**9) if seed is None else seed)
    is_sound = True
    for kind in databases.chosen(database):
        started = time.monotonic()
        click.echo(f"## Model on {kind}\n\nSeed {options.seed}.")
        with databases.opened(kind) as settings:
            try:
                stage = drill(settings, options)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what the drill found
                is_sound = False
                notes = "\n".join(getattr(error, "__notes__", ()))
                click.echo(f"Broken: {type(error).__name__}: {error}\n\n```\n{notes}\n```\n")
                continue
        took = time.monotonic() - started
        counts, answers = stage.counts, ", ".join(f"{number:,} {told}" for told, number in stage.answers.most_common())
        click.echo(f"{counts['examples']} examples, {counts['steps']:,} steps, {took:.0f} s. Answers: {answers}.")
        click.echo("Broken: nothing\n")
    if not is_sound:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
