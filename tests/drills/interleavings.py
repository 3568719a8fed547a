"""Two at once, in every order of their statements: `python -m tests.drills.interleavings`.

For every pair of acts on one slot or booking: each order of the statements that touch slots, bookings or remembered
requests. Each must end in a way that the pair allows, must leave what one of the two orders one after the other
leaves, and must break no invariant. It exits with 1 where one does.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import quote
from uuid import UUID

import click
import psycopg
from sqlalchemy import Uuid, bindparam, select
from sqlmodel import col

from app.consultations.tables import ConsultationBooking, ConsultationSlot
from app.core.db import Database, rows
from app.core.settings import Settings
from app.doctor import broken_ids
from tests.drills import acts, databases, direct
from tests.drills.direct import REFUSED, Doors
from tests.drills.pair import Pair
from tests.drills.pairs import all_pairs
from tests.drills.schedule import Node, Order, Stage
from tests.drills.sides import Side
from tests.drills.verdicts import Figures, Result, report

# A side may wait for the other for as long as the drill wants it to.
_PATIENT = "-c lock_timeout=60s -c statement_timeout=60s -c idle_in_transaction_session_timeout=60s"
_SLOTS = select(col(ConsultationSlot.id), col(ConsultationSlot.status)).where(
    col(ConsultationSlot.id).in_(bindparam("ids", expanding=True, type_=Uuid()))
)
_BOOKINGS = select(
    col(ConsultationBooking.id),
    col(ConsultationBooking.reference),
    col(ConsultationBooking.slot_id),
    col(ConsultationBooking.state),
    col(ConsultationBooking.version),
).where(col(ConsultationBooking.slot_id).in_(bindparam("ids", expanding=True, type_=Uuid())))


async def drill(settings: Settings, pairs: Iterable[Pair]) -> Figures:
    """Run these pairs in every order."""
    figures, started = Figures(), time.monotonic()
    async with _opened(settings) as (own, a, b, stage):
        run = [(pair, await _run(pair, own, (a, b), stage)) for pair in pairs]
        for pair, orders in run:
            figures.judge(pair, orders)
        figures.broken += await _broken_invariants(own.database, run)
    figures.seconds = time.monotonic() - started
    return figures


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Doors, Doors, Doors, Stage]]:
    patient = settings
    monitor = None
    async with AsyncExitStack() as stack:
        if settings.sqlite_path is None:
            monitor = await psycopg.AsyncConnection.connect(settings.database_url, autocommit=True)
            await stack.enter_async_context(monitor)
            url = f"{settings.database_url}?options={quote(_PATIENT)}"
            patient = settings.model_copy(update={"database_url": url})
        own, a, b = [await stack.enter_async_context(direct.opened(patient)) for _ in range(3)]
        yield own, a, b, Stage((Side(a.database), Side(b.database)), monitor)


async def _run(pair: Pair, own: Doors, sides: tuple[Doors, Doors], stage: Stage) -> list[Order[Result]]:
    async def run(nodes: list[Node]) -> Result:
        world = await acts.build(own, {"S": pair.seats, "T": pair.seats_of_t, "U": 1}, pair.there, pair.plans)
        ended = await stage.play(nodes, *(act(side, world) for act, side in zip(pair.acts, sides, strict=True)))
        # Whether somebody has already tidied up a hold that is over makes no difference, and shall not make one here.
        if pair.has_stale_hold:
            await own.expire()
        return await _look(own.database, world, ended)

    return await stage.every_order(run)


async def _look(database: Database, world: acts.World, ended: Sequence[Any]) -> Result:
    values = {"ids": list(world.slots.values())}
    async with database.look() as look:
        slots, bookings = await rows(look, _SLOTS, values), await rows(look, _BOOKINGS, values)
    slot_names = {slot_id: name for name, slot_id in world.slots.items()}
    names = {made.reference: name for name, made in world.bookings.items()}
    left = (
        *sorted((slot_names[slot.id], str(slot.status)) for slot in slots),
        *sorted((names.get(b.reference, "new"), slot_names[b.slot_id], str(b.state), b.version) for b in bookings),
    )
    ids = frozenset(world.slots.values()) | {booking.id for booking in bookings}
    a, b = [_called(each) for each in ended]
    return Result((a, b), left, ids)


def _called(ended: Any) -> str:
    if isinstance(ended, REFUSED):
        return direct.refusal_code(ended)
    return repr(ended) if isinstance(ended, BaseException) else str(ended)


async def _broken_invariants(database: Database, run: Iterable[tuple[Pair, Sequence[Order[Result]]]]) -> list[str]:
    broken = []
    for name, found in (await broken_ids(database)).items():
        ids = {UUID(each.split()[-1]) for each in found}
        for pair, orders in run:
            guilty = [order.told for order in orders if order.result.ids & ids]
            broken += [f"{pair.name}: broke '{name}' after {guilty[0]}"] if guilty else []
    return broken


@click.command()
@click.option("--database", type=click.Choice([*databases.KINDS, "both"]), default="both", show_default=True)
@click.option("--pair", "wanted", default="", help="Only pairs whose name contains this.")
def main(database: str, wanted: str) -> None:
    """Run every pair in every order."""
    pairs = [pair for pair in all_pairs() if wanted in pair.name]
    is_sound = True
    for kind in databases.chosen(database):
        with databases.opened(kind) as settings:
            figures = asyncio.run(drill(settings, pairs))
        click.echo(report(kind, figures))
        is_sound = is_sound and not figures.broken
    if not is_sound:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
