"""A full disk under a serving process on SQLite: `python -m tests.drills.disk_full`.

Bookings are refused as problems that say when to come back, reads go on, nothing is half written, and once there is
room again the same process books again, the refused requests included.
"""

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import click
import httpx

from app.core.settings import Settings
from tests.drills import careless, databases
from tests.drills.clients import Promises, make_slots, step, visit, visit_until
from tests.drills.cuts import examine
from tests.drills.small_disk import NoSmallDisk, fill, small_disk
from tests.processes import SCRIPT, serving

CLIENTS = 4
REFUSALS = 20
CANCELS = 5
PATIENCE_SECONDS = 20.0
READS = ("/conditions/acute-lymphoblastic-leukemia", "/conditions", "/consultation-slots", "/health/live")


@dataclass
class Figures:
    """What happened. `faults` are to be none."""

    told: Counter[str] = field(default_factory=Counter)
    seconds_to_recover: float = 0.0
    faults: list[str] = field(default_factory=list)


def drill(settings: Settings, slots: list[UUID], folder: Path, *, seconds: float = 0, sabotage: str = "") -> Figures:
    """Fill a copy of this database's disk, for at least so long, and make room again; raises NoSmallDisk."""
    assert settings.sqlite_path is not None
    figures, promises = Figures(), Promises()
    with small_disk(folder) as place:
        copy = place / "drill.db"
        shutil.copy(settings.sqlite_path, copy)
        small = settings.model_copy(update={"database_url": f"sqlite:///{copy}", "audit_head_file": place / "head"})
        command = careless.command(sabotage) if sabotage else (SCRIPT,)
        with serving(small, folder, command=command) as served:
            asyncio.run(_live(served.address, slots, place / "ballast", figures, promises, seconds=seconds))
            if served.process.poll() is not None:
                figures.faults.append("the process ended")
        found, broken = examine(copy)
    figures.faults += [f"broken: {name}" for name in broken]
    figures.faults += [f"lost: {reference}" for reference in promises.missing(found)]
    figures.faults += [f"there, though refused: {reference}" for reference in found.keys() - promises.states.keys()]
    return figures


class _Crowd:
    """Clients of one process, while its disk is full and while it is not."""

    def __init__(self, client: httpx.AsyncClient, slots: list[UUID], figures: Figures, promises: Promises) -> None:
        self.client, self.slots, self.figures, self.promises = client, slots, figures, promises
        self.chance, self.when = Random(1), "room"
        # What was asked, and with which key.
        self.refused: list[tuple[Mapping[str, Any], Mapping[str, str]]] = []

    async def ask(self, path: str, wish: Mapping[str, Any], headers: Mapping[str, str]) -> httpx.Response:
        """Ask once."""
        answer = await self.client.post(path, json=wish, headers=headers)
        _judge(answer, self.figures, self.when)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "Idempotency-Key" in headers:
            self.refused.append((wish, headers))
        return answer

    async def visit_for_a_while(self) -> None:
        """Book as ever."""
        until = time.monotonic() + 0.5
        await visit_until(until, CLIENTS, self.ask, self.slots, self.promises, self.chance)

    async def visit_while_full(self, seconds: float) -> None:
        """Try to book for at least so long, and until enough was refused; then look around, and cancel."""
        began, faults = time.monotonic(), self.figures.faults
        while time.monotonic() < began + seconds or len(self.refused) < REFUSALS:
            await asyncio.gather(*(visit(self.ask, self.slots, self.promises, self.chance) for _ in range(CLIENTS)))
            await asyncio.sleep(0.05)
            if len(faults) >= REFUSALS or time.monotonic() > began + seconds + PATIENCE_SECONDS:
                faults.append("the disk was not full, or was not said to be")
                break
        for path in READS:
            _judge(await self.client.get(path), self.figures, self.when)
        for booking in [json.loads(body) for _, body in self.promises.answers.values()][:CANCELS]:
            await step(self.ask, booking, "cancel", {}, "cancelled", self.promises)

    async def book_what_was_refused(self) -> None:
        """Ask again with the same keys, as the refusals say."""
        began = time.monotonic()
        while self.refused:
            wish, key = self.refused.pop()
            answer = await self.ask("/consultation-bookings", wish, key)
            if answer.status_code == httpx.codes.CREATED:
                self.promises.note(key, wish, answer)
                self.figures.seconds_to_recover = self.figures.seconds_to_recover or time.monotonic() - began
            elif time.monotonic() > began + PATIENCE_SECONDS:
                self.figures.faults.append("what was refused is refused for ever")
                return


async def _live(
    address: str, slots: list[UUID], ballast: Path, figures: Figures, promises: Promises, *, seconds: float
) -> None:
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as client:
        crowd = _Crowd(client, slots, figures, promises)
        await crowd.visit_for_a_while()
        crowd.when = "full"
        await asyncio.to_thread(fill, ballast)
        await crowd.visit_while_full(seconds)
        crowd.when = "room"
        await asyncio.to_thread(ballast.unlink)
        await crowd.book_what_was_refused()
        await crowd.visit_for_a_while()


def _judge(answer: httpx.Response, figures: Figures, when: str) -> None:
    """A write may be refused as long as the disk is full, a read never; a refusal says when to come back."""
    asked = f"{answer.request.method} {answer.request.url.path}"
    kind = asked if answer.request.method == "GET" else f"POST .../{answer.request.url.path.rsplit('/', 1)[1]}"
    figures.told[f"{when}: {kind} {answer.status_code}"] += 1
    if answer.is_success:
        return
    is_problem = answer.headers.get("content-type") == "application/problem+json" and "retry-after" in answer.headers
    may_refuse = when == "full" and answer.request.method == "POST"
    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or not is_problem or not may_refuse:
        figures.faults.append(f"{when}: {asked} was answered {answer.status_code}")


@click.command()
@click.option("--seconds", type=click.FloatRange(min=0), default=12.0, show_default=True, help="How long it is full.")
@click.option("--sabotage", is_flag=True, help="Serve with a full disk unknown to the application: it has to be seen.")
def main(seconds: float, *, sabotage: bool) -> None:
    """Fill the disk under a serving process."""
    with databases.opened(databases.SQLITE) as settings:
        slots, folder = asyncio.run(make_slots(settings, 100)), settings.keyring_path.parent
        try:
            figures = drill(settings, slots, folder, seconds=seconds, sabotage="speechless" if sabotage else "")
        except NoSmallDisk:
            click.echo("Skipped: a small file system can be mounted here by root only.")
            return
    for told, number in sorted(figures.told.items()):
        click.echo(f"- {told}: {number}")
    click.echo(
        f"- the first booking that had been refused was made {figures.seconds_to_recover:.2f} s after there was room"
    )
    click.echo(f"- faults: {len(figures.faults)}")
    for fault in figures.faults[:5]:
        click.echo(f"  - {fault}")
    if bool(figures.faults) is not sabotage:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
