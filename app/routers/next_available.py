"""When a condition's next consultation is to be had."""

from fastapi import APIRouter

from app.consultations import availability
from app.consultations.availability import NextAvailable
from app.content.errors import ConditionNotFound
from app.core.conditional import REVALIDATE
from app.core.problems import responses
from app.routers.deps import ALWAYS, ConditionSlug, HouseInUse
from app.routers.former_slugs import SlugRoute, moved


class FreshSlugRoute(SlugRoute):
    """A route of what has a slug, whose answers change any moment."""

    cache_control = REVALIDATE
    is_packed = False


router = APIRouter(
    prefix="/conditions",
    tags=["Consultation slots"],
    route_class=FreshSlugRoute,
    responses=responses(*ALWAYS),
)


@router.get("/{slug}/next-available", responses={**responses(ConditionNotFound), **moved(can_be_gone=True)})
async def read_next_available(slug: ConditionSlug, house: HouseInUse) -> NextAvailable:
    """Read when a condition's next free slot begins.

    The first slot of `GET /consultation-slots?condition=`, in short: to be asked as often as once a second, with
    `If-None-Match`. It may be a second old. Without a `slot`, none is free.
    """

    async def ask() -> NextAvailable | None:
        async with house.database.look() as look:
            return await availability.next_for(look, slug, policy=house.policy)

    found = await house.brief.get(("next available", slug), ask)
    if found is None:
        raise ConditionNotFound
    return found
