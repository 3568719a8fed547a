"""What a storm has left, held against what its processes were told."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from sqlalchemy import func, select, text
from sqlmodel import col

from app.access.tables import IdempotencyRecord
from app.consultations.tables import BookingEvent, ConsultationBooking, ConsultationSlot
from app.core.db import Database
from app.core.settings import Settings
from app.doctor import broken_ids
from tests.drills import direct, storm_wishes
from tests.drills.direct import REFUSED, Doors
from tests.drills.ledger import Ledger
from tests.drills.storm_wishes import BUSY

_MOST_REPEATED = 1_000
# Of a thousand attempts, how many may be told to try again.
_MOST_BUSY = 1


@dataclass
class Figures:
    """What came of it."""

    seconds: float = 0
    kills: int = 0
    ledger: Ledger = field(default_factory=Ledger)
    repeats: Counter[str] = field(default_factory=Counter)
    # What was promised and is not so.
    broken: list[str] = field(default_factory=list)


async def broken_invariants(settings: Settings) -> list[str]:
    database = Database(settings)
    try:
        return [f"{name}: {', '.join(ids[:3])}" for name, ids in (await broken_ids(database)).items() if ids]
    finally:
        await database.close()


async def examine(settings: Settings, figures: Figures) -> None:
    """Hold what the database says against what its clients were told."""
    told = figures.ledger
    busy = sum(number for (_, code), number in told.told.items() if code.startswith(BUSY))
    if busy * 1_000 > told.attempts * _MOST_BUSY:
        figures.broken.append(f"{busy} attempts were told to try again")
    requests = Counter(key for key, _, _ in told.made)
    figures.broken += [f"a key was good for two requests: {key}" for key, number in requests.items() if number > 1]
    figures.broken += [f"a key has two answers: {key}" for (key, _, _), known in told.made.items() if len(known) > 1]
    async with direct.opened(settings) as doors:
        await _repeat(doors, figures)
        figures.broken += await _missing(doors.database, told)
    figures.broken += await broken_invariants(settings)


async def _repeat(doors: Doors, figures: Figures) -> None:
    """Send requests again: those that were answered, and those whose process was killed before it heard."""
    told, chance = figures.ledger, Random(0)
    answered = chance.sample(sorted(told.made), min(_MOST_REPEATED, len(told.made)))
    for request in (*answered, *sorted(told.unanswered)):
        key, state, slot = request
        wish = storm_wishes.wish_for(UUID(slot), is_hold=state == "held")
        known = told.made.get(request, set()).copy()
        try:
            answers = [await doors.book(wish, key) for _ in range(2)]
        except REFUSED as error:
            code = direct.refusal_code(error)
            figures.repeats[code if not known else "lost"] += 1
            if known or code.startswith("broken"):
                figures.broken.append(f"{code} instead of an answer that was given before: {key}")
            continue
        known |= {storm_wishes.digest(bytes(answer.body)) for answer in answers}
        is_replay = "idempotent-replayed" in answers[0].headers
        figures.repeats["as before" if request in told.made else "done, unheard" if is_replay else "done now"] += 1
        if len(known) > 1:
            figures.broken.append(f"another answer than before: {key}")


async def _missing(database: Database, told: Ledger) -> list[str]:
    steps = select(col(ConsultationBooking.reference), col(BookingEvent.version), col(BookingEvent.to_state)).join(
        BookingEvent, col(BookingEvent.booking_id) == col(ConsultationBooking.id)
    )
    made = (
        ("bookings", select(func.count()).select_from(ConsultationBooking), col(IdempotencyRecord.booking_id)),
        ("slots", select(func.count()).select_from(ConsultationSlot), col(IdempotencyRecord.slot_id)),
    )
    broken = []
    async with database.reading.connect() as connection:
        if connection.dialect.name == "postgresql":
            # A look at every row takes longer than a request may.
            await connection.execute(text("SET LOCAL statement_timeout = 0"))
        there = {(reference, version, str(state)) for reference, version, state in await connection.execute(steps)}
        lost = told.steps - there
        broken += [f"{len(lost)} acknowledged steps are lost, such as {next(iter(lost))}"] if lost else []
        for name, number, pointer in made:
            things = await connection.scalar(number)
            keys = (await connection.execute(select(func.count(pointer), func.count(pointer.distinct())))).one()
            if set(keys) != {things}:
                broken.append(f"{keys[0]} keys made {keys[1]} of {things} {name}")
    return broken
