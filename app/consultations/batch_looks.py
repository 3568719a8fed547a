"""What stands in the way of a batch: its rows are looked at in the database, some hundreds at a time.

In this order, in one transaction: `look_up`, `match`, `examine_present`, `examine_booked`, `lift`, `examine_places`.
What each finds out is noted on the stage.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations import batch_queries, references, steps
from app.consultations.batch_files import wrong_at
from app.consultations.errors import SlotBooked, SlotOverlaps
from app.consultations.references import Pointers, References
from app.consultations.slot_columns import PLACE, TOLD, changed, columns_of, refuse_change, refuse_past
from app.consultations.slot_stage import AT_ONCE, Stage
from app.consultations.staged_rows import Staged
from app.consultations.steps import Before
from app.consultations.tables import BookingState
from app.core import ahead, clock
from app.core.errors import InvalidInput, Refusal


class SlotRenamed(Exception):
    """What was matched by its name has another one by now: all is to be looked at anew."""


# How a slot without an `external_id` is named in an export.
BY_ID: Final = "slot:"
_BY_ID: Final = re.compile(BY_ID + r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
# The present slugs of conditions or categories, by former ones.
Present = Callable[[AsyncSession, str, Collection[str]], Awaitable[Mapping[str, str]]]


@dataclass(slots=True)
class Look:
    """What one transaction has found out."""

    now: datetime
    known: References


async def look_up(session: AsyncSession, stage: Stage, present: Present) -> References:
    """What the rows point at; conditions and categories by their former slugs too."""
    wanted = stage.named()
    known = await references.look_up(session, wanted)
    former = {}
    for kind, found in (("condition", known.conditions), ("category", known.categories)):
        unknown = {slug for each in wanted if (slug := getattr(each, kind)) is not None and slug not in found}
        former[kind] = await present(session, kind, unknown) if unknown else {}
    if not any(former.values()):
        return known
    renamed = [
        replace(
            each,
            condition=former["condition"].get(each.condition or "", each.condition),
            category=former["category"].get(each.category or "", each.category),
        )
        for each in wanted
    ]
    now_known = await references.look_up(session, renamed)
    return replace(
        now_known,
        conditions=_with_former(now_known.conditions, former["condition"]),
        categories=_with_former(now_known.categories, former["category"]),
    )


def _with_former(known: Mapping[str, UUID], former: Mapping[str, str]) -> dict[str, UUID]:
    return dict(known) | {old: known[new] for old, new in former.items() if new in known}


async def match(session: AsyncSession, stage: Stage) -> None:
    """Find the slots that the rows name."""
    for names in stage.names():
        found = {row.external_id: row.id for row in await batch_queries.by_name(session, names)}
        by_id = {UUID(match[1]): name for name in names if name not in found and (match := _BY_ID.fullmatch(name))}
        if by_id:
            found |= {by_id[row.id]: row.id for row in await batch_queries.nameless(session, by_id)}
        stage.match(found)
        await asyncio.sleep(0)


async def examine_present(session: AsyncSession, stage: Stage, look: Look) -> None:
    """Lock the slots that are there, and see what of them is to be otherwise. Raises SlotRenamed."""
    for page in stage.pages(where="slot_id IS NOT NULL", order="slot_id"):
        found = await batch_queries.lock(session, [row.slot_id for row in page])
        # After their locks were waited for.
        look.now = await clock.now_in(session)
        present = {slot.id: slot for slot in found}
        refused, changes = [], {}
        for row in page:
            try:
                slot = present[row.slot_id]
                columns = columns_for(row, look.known)
                if slot.external_id not in (row.external_id, columns["external_id"]):
                    # Somebody renamed it after we had found it, which is not ours to take back.
                    raise SlotRenamed
                differing = changed(slot, columns)
                refuse_change(slot, columns, differing, now=look.now)
                if differing:
                    changes[row.row] = differing
            except Refusal as why:
                refused.append((row.row, why))
        stage.change(changes)
        stage.refuse(refused)


async def examine_booked(session: AsyncSession, stage: Stage) -> None:
    """Refuse what live bookings do not allow: to be something else than they were told, or fewer seats."""
    for page in stage.pages(where="changes IS NOT NULL", order="slot_id"):
        ids = [row.slot_id for row in page if row.changes & (TOLD | {"capacity"})]
        stale = await batch_queries.stale_holds(session, ids)
        if stale:
            gone = [Before(booking.id, BookingState(booking.state), booking.version) for booking in stale]
            await steps.change(session, gone, BookingState.EXPIRED, at=await clock.now_in(session), by="expiry")
        highest = await batch_queries.seats_taken(session, ids)
        seats = [(row, highest[row.slot_id]) for row in page if row.slot_id in highest]
        stage.refuse((row.row, SlotBooked()) for row, seat in seats if row.changes & TOLD or row.capacity < seat)
        await asyncio.sleep(0)


async def lift(session: AsyncSession, stage: Stage) -> None:
    """Let the slots that move hold no time until they are where they shall be: two may change places."""
    for page in stage.pages(where="changes IS NOT NULL", order="slot_id"):
        moving = [row for row in page if row.changes & PLACE]
        if moving:
            await batch_queries.lift(session, [row.slot_id for row in moving])
            stage.lift((row.row for row in moving), is_lifted=True)


async def examine_places(session: AsyncSession, stage: Stage, look: Look, *, is_atomic: bool) -> None:
    """Refuse new slots that cannot be, and what overlaps with slots that are there and stay where they are."""
    if await _is_clear(session, stage, look):
        return

    async def examine(page: Sequence[tuple[Staged, Pointers | Refusal]]) -> None:
        stage.refuse((row.row, why) for row, why in page if isinstance(why, Refusal))
        for kind, pointer in (("clinician", "clinician_id"), ("room", "room_id")):
            asked = [
                {"row": row.row, "holder": holder, "starts_at": row.starts_at, "ends_at": row.ends_at}
                for row, known in page
                if row.overlap_reason is None and (holder := getattr(known, pointer, None)) is not None
            ]
            found = await batch_queries.in_the_way(session, kind, asked)
            stage.refuse((row, _overlaps_slot(kind, slot_id)) for row, slot_id in found)

    pages = stage.pages(where="(slot_id IS NULL OR is_lifted)")
    await ahead.each(examine, ([(row, _pointers(row, look)) for row in page] for page in pages))
    holders = _holders(look.known)
    # Who is refused stays in its place, and so is in the way of whoever wants that, who is refused in turn.
    while not is_atomic and (dropped := stage.dropped()):
        for some in _some(dropped):
            for slot in await batch_queries.put_back(session, [slot_id for _, slot_id in some]):
                for kind, name in (holders[each] for each in (slot.clinician_id, slot.room_id) if each in holders):
                    wanting = stage.wanting(kind, name, slot.starts_at, slot.ends_at)
                    stage.refuse((row, _overlaps_slot(kind, slot.id)) for row in wanting)
        stage.lift((row for row, _ in dropped), is_lifted=False)


async def _is_clear(session: AsyncSession, stage: Stage, look: Look) -> bool:
    """Whether it is plain without a look at each row that nothing is to be refused.

    What the rows name is known, none begins in the past, and whose time they want holds no other slot in all of those
    days, from the first one's begin to the last one's end. Measured with 10,000 rows: a fifth less for the whole batch.
    """
    first = stage.first_start()
    if first is not None and first <= look.now:
        return False
    try:
        for named in stage.named():
            look.known.pointers(named)
    except InvalidInput:
        return False
    ids = {holder: id_ for id_, holder in _holders(look.known).items()}
    for kind in ("clinician", "room"):
        for days in stage.days(kind):
            asked = [
                {"row": number, "holder": ids[kind, name], "starts_at": starts_at, "ends_at": ends_at}
                for number, (name, starts_at, ends_at) in enumerate(days)
            ]
            if await batch_queries.in_the_way(session, kind, asked):
                return False
    return True


def _pointers(row: Staged, look: Look) -> Pointers | Refusal:
    try:
        if row.slot_id is None:
            refuse_past(row, now=look.now)
        return look.known.pointers(row)
    except InvalidInput as why:
        return why


def _holders(known: References) -> dict[UUID | None, tuple[str, str]]:
    """The clinicians and rooms of the file, as its stage calls them: nobody wants the time of any others."""
    locations = {place.id: slug for slug, place in known.locations.items()}
    rooms = [(id_, locations[at], slug) for (at, slug), id_ in known.rooms.items() if at in locations]
    held: dict[UUID | None, tuple[str, str]] = {id_: ("clinician", slug) for slug, id_ in known.clinicians.items()}
    return held | {id_: ("room", f"{location}/{slug}") for id_, location, slug in rooms}


def columns_for(row: Staged, known: References) -> dict[str, Any]:
    """What the row's slot shall be."""
    columns = columns_of(row, known)
    if row.external_id == f"{BY_ID}{row.slot_id}":
        # It was named by its id because it has no other name.
        columns["external_id"] = None
    return columns


def _overlaps_slot(kind: str, slot_id: UUID) -> Refusal:
    return wrong_at(SlotOverlaps(), f"/{kind}", f"{kind}_busy", f"is busy in this time with the slot {slot_id}")


def _some(things: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (things[place : place + AT_ONCE] for place in range(0, len(things), AT_ONCE))
