"""`kill -9` of serving processes under load: `python -m tests.drills.kill`.

Clients book, confirm and cancel at several processes on one database. One process after another is killed and started
anew; whoever got no answer asks another one, with the same key. Whatever was acknowledged has to be there, and each key
has to have made one booking.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import click
import httpx

from app.consultations.tables import ConsultationBooking
from app.core.db import Database
from app.core.settings import Settings
from app.doctor import broken_ids
from tests.drills import careless, databases
from tests.drills.clients import Promises, make_slots, visit_until
from tests.drills.herd import Herd
from tests.processes import SCRIPT
from tests.rows import everything

PROCESSES, CLIENTS = 3, 16
SECONDS_BETWEEN_KILLS = (0.2, 1.0)
PATIENCE_SECONDS = 60.0
REPLAYS = 50


@dataclass
class Figures:
    """What happened. The last three are to be nothing."""

    kills: int = 0
    retries: int = 0
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    # Bookings that nobody was told of, though every key has its answer: a key made two.
    doubled: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing was lost, doubled or broken."""
        return not (self.lost or self.doubled or self.broken)

    def row(self, title: str) -> str:
        """The row of a table."""
        figures = (self.kills, self.acknowledged, self.retries, len(self.lost), self.doubled)
        return f"| {title} | {' | '.join(map(str, figures))} | {'; '.join(self.broken) or 'none'} |"


HEADING = """| database | kills | acknowledged bookings | retries | lost | doubled | broken invariants |
| --- | --- | --- | --- | --- | --- | --- |"""


class Caller:
    """Asks whichever process lives until there is an answer that means something."""

    def __init__(self, herd: Herd, client: httpx.AsyncClient, figures: Figures, chance: Random) -> None:
        self.herd, self.client, self.figures, self.chance = herd, client, figures, chance

    async def ask(self, path: str, wish: Mapping[str, Any], headers: Mapping[str, str]) -> httpx.Response:
        """Ask, and ask again."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if self.herd.alive:
                address = self.chance.choice(self.herd.alive).address
                try:
                    answer = await self.client.post(f"{address}{path}", json=wish, headers=headers)
                except httpx.TransportError:
                    pass
                else:
                    if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and not _is_running(answer):
                        return answer
            self.figures.retries += 1
            await asyncio.sleep(0.02)
        raise TimeoutError


def _is_running(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.CONFLICT and answer.json()["code"] == "request-in-progress"


async def drill(
    settings: Settings,
    slots: list[UUID],
    folder: Path,
    *,
    seconds: float,
    seed: int,
    processes: int = PROCESSES,
    sabotage: str = "",
) -> Figures:
    """Kill for so long, and look at what is left."""
    figures, promises, chance = Figures(), Promises(), Random(seed)
    herd = Herd(settings, folder, careless.command(sabotage) if sabotage else (SCRIPT,))
    limits = httpx.Limits(max_connections=CLIENTS)
    try:
        await asyncio.gather(*(herd.start() for _ in range(processes)))
        async with httpx.AsyncClient(trust_env=False, limits=limits, timeout=30) as client:
            caller, until = Caller(herd, client, figures, chance), time.monotonic() + seconds
            visits = asyncio.create_task(visit_until(until, CLIENTS, caller.ask, slots, promises, chance))
            while time.monotonic() < until and not visits.done():
                await asyncio.sleep(chance.uniform(*SECONDS_BETWEEN_KILLS))
                # Most of the time somebody is left to ask. Before the first answer nobody has anything to lose, and the
                # next kill waits for a new start.
                if promises.states and len(herd.alive) >= min(2, processes):
                    herd.kill(chance)
                    figures.kills += 1
            await visits
            await _examine(settings, promises, figures)
            if wrong := await _wrong_replays(caller, promises):
                figures.broken.append(f"{wrong} of {REPLAYS} keys are not answered as they were")
    finally:
        await herd.end()
    return figures


async def _wrong_replays(caller: Caller, promises: Promises) -> int:
    """How many keys are not answered as they were."""

    async def is_wrong(key: str) -> bool:
        wish, body = promises.answers[key]
        answer = await caller.ask("/consultation-bookings", wish, {"Idempotency-Key": key})
        return answer.content != body or answer.headers.get("Idempotent-Replayed") != "true"

    keys = caller.chance.sample(sorted(promises.answers), min(REPLAYS, len(promises.answers)))
    return sum(await asyncio.gather(*map(is_wrong, keys)))


async def _examine(settings: Settings, promises: Promises, figures: Figures) -> None:
    database = Database(settings)
    try:
        found = {row["reference"]: row["state"] for row in await everything(database, ConsultationBooking)}
        figures.broken += [name for name, ids in (await broken_ids(database)).items() if ids]
    finally:
        await database.close()
    figures.acknowledged = len(promises.states)
    figures.lost = promises.missing(found)
    figures.doubled = len(found.keys() - promises.states.keys())


@click.command()
@click.option("--database", type=click.Choice([*databases.KINDS, "both"]), default="both", show_default=True)
@click.option("--seconds", type=click.FloatRange(min=1), default=60.0, show_default=True, help="Length of each run.")
@click.option("--seed", type=int, default=1, show_default=True, help="What chance begins with.")
@click.option(
    "--sabotage", type=click.Choice(["ahead", "forgetful"]), help="Serve without a promise: it has to be seen."
)
def main(database: str, seconds: float, seed: int, sabotage: str | None) -> None:
    """Kill serving processes, again and again."""
    is_sound = True
    click.echo(f"{PROCESSES} processes, {CLIENTS} clients, {seconds:g} s each, seed {seed}.\n\n{HEADING}")
    for kind in databases.chosen(database):
        with databases.opened(kind) as settings:
            slots, folder = asyncio.run(make_slots(settings, 1000)), settings.keyring_path.parent
            figures = asyncio.run(drill(settings, slots, folder, seconds=seconds, seed=seed, sabotage=sabotage or ""))
        click.echo(figures.row(kind))
        is_sound = is_sound and figures.is_sound is (sabotage is None)
    if not is_sound:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
