"""Plans: what closing, moving or cancelling slots would mean, and doing exactly that."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response, status

from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import slot_plans
from app.consultations.errors import PlanExpired, PlanNotFound, PlanStale, SlotOverlaps
from app.consultations.plan_shapes import SlotPlanApplied, SlotPlanPublic
from app.consultations.plan_wishes import SlotPlanCreate
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput
from app.core.problems import responses
from app.routers.deps import ALWAYS, BODY, HouseInUse, ReadSession, SlotsWriter, WriteSession, with_api_key
from app.routers.present_slugs import with_present_slugs

router = APIRouter(
    prefix="/slot-plans",
    tags=["Consultation slots"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS, InvalidInput, CredentialInvalid, ScopeMissing),
    dependencies=[with_api_key],
)
PlanId = Annotated[UUID, Path(description="The plan's id.", examples=["01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"])]


@router.post("", status_code=status.HTTP_201_CREATED, responses=responses(*BODY))
async def create_slot_plan(
    wish: SlotPlanCreate, response: Response, caller: SlotsWriter, house: HouseInUse
) -> SlotPlanPublic:
    """Plan to close, move or cancel slots.

    Nothing is done yet. The answer names every slot and every live booking that is touched, where each could go, and
    what cannot be done; nothing of a patient. Up to 2,000 slots with 5,000 bookings. It can be applied for 15 minutes.
    Needs the scope `slots:write`.
    """
    wanted = wish.slots.filter
    if wanted is not None:
        async with house.database.read() as session:
            present = await with_present_slugs(session, wanted)
        wish = wish.model_copy(update={"slots": wish.slots.model_copy(update={"filter": present})})
    plan_id = await slot_plans.make(house.database, wish, policy=house.policy, by=caller.actor)
    response.headers["location"] = f"/slot-plans/{plan_id}"
    async with house.database.read() as session:
        return await slot_plans.get(session, plan_id)


@router.get("/{plan_id}", responses=responses(PlanNotFound))
async def read_slot_plan(plan_id: PlanId, _caller: SlotsWriter, session: ReadSession) -> SlotPlanPublic:
    """Read a plan.

    As it was made, with what was done once it was applied. Needs the scope `slots:write`.
    """
    return await slot_plans.get(session, plan_id)


@router.post("/{plan_id}/apply", responses=responses(PlanNotFound, PlanStale, PlanExpired, SlotOverlaps))
async def apply_slot_plan(plan_id: PlanId, caller: SlotsWriter, session: WriteSession) -> SlotPlanApplied:
    """Do what a plan says.

    All of it in one transaction, or nothing: it is refused if one of its slots, their bookings, or a seat that it
    proposes has changed since. A booking that is moved or offered other slots keeps its reference and its token, and
    the policy's deadlines do not hold it back. Where a booking stays in a slot that is to be cancelled or moved, the
    slot is closed, and told in `to_cancel`: plan again once it is empty. Applying it again answers the same. Needs the
    scope `slots:write`.
    """
    return await slot_plans.apply(session, plan_id, by=caller.actor)
