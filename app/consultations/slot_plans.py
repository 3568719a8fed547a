"""Plans: what closing, moving or cancelling slots would mean, shown first and then done exactly so, or not at all.

A plan is made by looking only. Whoever applies it locks what it touches, looks again by the same words, and refuses if
anything differs. Where bookings are to be emptied out of a slot that is to be cancelled, and one stays (because it was
offered other slots and the patient has not chosen, or because it finds none), the slot is closed instead and told in
`to_cancel`: no booking stands on a cancelled slot, ever.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic import MISSING, TypeAdapter
from sqlalchemy import Row, Uuid, bindparam, insert, update
from sqlalchemy import select as core_select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.consultations import plan_look, plan_orders, plan_queries, plan_writes, steps
from app.consultations.errors import PlanExpired, PlanNotFound, PlanStale
from app.consultations.plan_impact import World, assess, fingerprint, proposed, totals
from app.consultations.plan_orders import Order
from app.consultations.plan_shapes import PlannedSlot, PlanTotals, SlotPlanApplied, SlotPlanPublic
from app.consultations.plan_wishes import BookedFate, SlotPlanCreate
from app.consultations.policies import Policy
from app.consultations.schedule_tables import SlotPlan
from app.consultations.steps import Before
from app.consultations.tables import BookingState
from app.core import clock
from app.core.db import Database, connection_of, rows
from app.core.errors import InvalidInput
from app.core.ids import new_id

KEPT_FOR: Final = timedelta(minutes=15)
_plan: Final = SlotPlan.__table__  # type: ignore[attr-defined]
_READ: Final = core_select(*_plan.columns).where(_plan.c.id == bindparam("plan_id", type_=Uuid()))
_LOCK: Final = _READ.with_for_update(key_share=True)
_APPLIED: Final = (
    update(_plan)
    .where(_plan.c.id == bindparam("plan_id", type_=Uuid()))
    .values(
        applied_at=bindparam("at", type_=_plan.c.applied_at.type), result=bindparam("told", type_=_plan.c.result.type)
    )
)
_SLOTS: Final = TypeAdapter(list[PlannedSlot])


async def make(database: Database, wish: SlotPlanCreate, *, policy: Policy, by: str) -> UUID:
    """Find out what this would mean, and keep it for a quarter of an hour. Raises InvalidInput.

    Nobody's seat waits for it: it is looked up by a reader, and written when it is known.
    """
    async with database.write() as session:
        order = await plan_orders.look_up(session, wish)
    async with database.read() as session:
        now = await clock.now_in(session)
        ids = await plan_look.chosen(session, order)
        slots = await plan_queries.slots(session, ids, lock=False)
        plan_look.refuse_unknown(order, slots)
        bookings = await plan_queries.bookings(session, ids)
        plan_look.refuse_too_many(bookings)
        world = await plan_look.world_of(session, order, slots, bookings, now=now)
        free, versions = await plan_look.find_free(session, world, policy=policy)
    planned = assess(order, world, free, new_id=new_id)
    targets = [(slot_id, versions[slot_id], True) for slot_id in proposed(order, planned)]
    known = _holds(planned)
    plan = {
        "id": new_id(),
        "action": wish.action,
        "wish": wish.model_dump(mode="json", by_alias=True, exclude_none=True),
        "impact": {
            "slots": _SLOTS.dump_python(planned, mode="json"),
            "totals": totals(planned).model_dump(mode="json"),
        },
        "fingerprint": fingerprint(order, world, known, targets),
        "actor": by,
        "created_at": now,
        "expires_at": now + KEPT_FOR,
    }
    async with database.write() as session:
        await (await connection_of(session)).execute(insert(_plan), plan)
        await audit.record(session, by=by, action="slot_plan.created", subject=str(plan["id"]), at=now)
    return UUID(str(plan["id"]))


async def get(session: AsyncSession, plan_id: UUID) -> SlotPlanPublic:
    """A plan, and what was done when it was applied. Raises PlanNotFound."""
    plan = await _found(session, _READ, plan_id)
    return SlotPlanPublic(
        id=plan.id,
        action=plan.action,
        bookings=plan.wish["bookings"],
        created_at=plan.created_at,
        expires_at=plan.expires_at,
        totals=PlanTotals.model_validate(plan.impact["totals"]),
        slots=_SLOTS.validate_python(plan.impact["slots"]),
        applied=MISSING if plan.result is None else SlotPlanApplied.model_validate(plan.result),
    )


async def apply(session: AsyncSession, plan_id: UUID, *, by: str) -> SlotPlanApplied:
    """Do what was planned, all of it; once it is done, say again what was done.

    Raises PlanNotFound, PlanExpired, PlanStale. Three parties race here: others who apply this plan, who wait for its
    row; whoever books, reschedules or changes one of its slots, who waits for the slot's row, as the plan waits for
    them; and whoever confirms or cancels one of its bookings, likewise. The price: bookings of these slots wait until
    it is done.
    """
    plan = await _found(session, _LOCK, plan_id)
    if plan.result is not None:
        return SlotPlanApplied.model_validate(plan.result)
    if plan.expires_at <= await clock.now_in(session):
        raise PlanExpired
    planned = _SLOTS.validate_python(plan.impact["slots"])
    order, world, taken = await _look_again(session, plan, planned)
    await plan_writes.write(session, order, world, planned, taken, plan_id=plan.id, by=by)
    told = SlotPlanApplied(
        plan_id=plan.id,
        applied_at=world.now,
        totals=totals(_without(planned, world)),
        to_cancel=[slot.id for slot in planned if slot.to_cancel],
    )
    done = {"plan_id": plan.id, "at": world.now, "told": told.model_dump(mode="json")}
    await (await connection_of(session)).execute(_APPLIED, done)
    await audit.record(session, by=by, action="slot_plan.applied", subject=str(plan.id), at=world.now)
    return told


async def _look_again(
    session: AsyncSession, plan: Row[Any], planned: Sequence[PlannedSlot]
) -> tuple[Order, World, Mapping[UUID, set[int]]]:
    """Lock what the plan touches, and find it as it was: else PlanStale is raised."""
    try:
        order = await plan_orders.look_up(session, SlotPlanCreate.model_validate(plan.wish))
        ids = await plan_look.chosen(session, order)
    except InvalidInput:
        raise PlanStale from None
    wanted = proposed(order, planned)
    # Offers take no seat: who books those slots does not wait.
    going_to = list(wanted) if order.fate is BookedFate.MOVE else []
    found = {slot.id: slot for slot in await plan_queries.slots(session, {*ids, *going_to}, lock=True)}
    bookings = await plan_queries.lock_bookings(session, ids, going_to)
    now = await clock.now_in(session)
    stale = [Before(b.id, BookingState.HELD, b.version) for b in bookings if plan_look.is_over(b, now)]
    await steps.change(session, stale, BookingState.EXPIRED, at=now, by="expiry")
    chosen = set(ids)
    own = [booking for booking in bookings if booking.slot_id in chosen]
    world = await plan_look.world_of(session, order, [found[i] for i in ids if i in found], own, now=now)
    if not going_to:
        found |= {slot.id: slot for slot in await plan_queries.slots(session, wanted, lock=False)}
    taken = await _seats_taken(session, list(wanted), now)
    targets = [
        (slot_id, found[slot_id].version, plan_look.has_room(found[slot_id], taken[slot_id], number, now=now))
        for slot_id, number in wanted.items()
    ]
    if fingerprint(order, world, _holds(planned), targets) != plan.fingerprint:
        raise PlanStale
    return order, world, {slot_id: taken[slot_id] for slot_id in wanted}


async def _seats_taken(session: AsyncSession, ids: Sequence[UUID], now: datetime) -> Mapping[UUID, set[int]]:
    taken: dict[UUID, set[int]] = defaultdict(set)
    for booking in await plan_queries.bookings(session, ids):
        if not plan_look.is_over(booking, now):
            taken[booking.slot_id].add(booking.seat)
    return taken


def _holds(planned: Sequence[PlannedSlot]) -> set[tuple[UUID, int]]:
    return {(b.id, b.version) for slot in planned for b in slot.bookings if b.state is BookingState.HELD}


def _without(planned: Sequence[PlannedSlot], world: World) -> list[PlannedSlot]:
    """The same without holds that were over, or let go of, before it was applied."""
    live = {booking.id for each in world.bookings.values() for booking in each}
    return [
        slot.model_copy(update={"bookings": [booking for booking in slot.bookings if booking.id in live]})
        for slot in planned
    ]


async def _found(session: AsyncSession, query: Any, plan_id: UUID) -> Row[Any]:
    found = await rows(session, query, {"plan_id": plan_id})
    if not found:
        raise PlanNotFound
    plan: Row[Any] = found[0]
    return plan
