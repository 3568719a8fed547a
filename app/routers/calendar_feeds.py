"""Calendar feeds: consultations in the calendar programs of those who hold them."""

import asyncio
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import Field

from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import calendar_feeds
from app.consultations.calendar_feed_shapes import CalendarFeedCreate, CalendarFeedCreated, CalendarFeedPublic
from app.consultations.errors import CalendarFeedNotFound
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput
from app.core.paging import PageQuery, next_link, page_of
from app.core.problems import responses
from app.core.shapes import ListShape
from app.routers.deps import ALWAYS, BODY, BookingsReader, HouseInUse, ReadSession, WriteSession, with_api_key


class SecretRoute(FreshRoute):
    """What only those may keep who have its address."""

    cache_control = "private, no-cache"


router = APIRouter(
    prefix="/calendar-feeds",
    tags=["Calendar feeds"],
    route_class=FreshRoute,
    responses=responses(*ALWAYS, InvalidInput, CredentialInvalid, ScopeMissing),
    dependencies=[with_api_key],
)
addresses = APIRouter(
    prefix="/calendars", tags=["Calendar feeds"], route_class=SecretRoute, responses=responses(*ALWAYS)
)
FeedId = Annotated[UUID, Path(description="The feed's id.", examples=["01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"])]
_HEADERS: Final = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex"}
_CALENDAR: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A calendar.",
        "content": {"text/calendar": {"schema": {"type": "string"}, "example": "BEGIN:VCALENDAR\r\n..."}},
        "headers": {
            "Referrer-Policy": {"description": "`no-referrer`.", "schema": {"type": "string", "enum": ["no-referrer"]}},
            "X-Robots-Tag": {"description": "`noindex`.", "schema": {"type": "string", "enum": ["noindex"]}},
        },
    }
}


class CalendarFeedList(ListShape):
    """One page of a list of calendar feeds."""

    items: list[CalendarFeedPublic] = Field(description="Feeds, newest first.")


@addresses.get("/{secret}.ics", response_class=Response, responses=responses(CalendarFeedNotFound) | _CALENDAR)
async def read_calendar(
    secret: Annotated[
        str,
        Path(
            description="What the calendar's address holds.",
            examples=["cp_feed_Zm9yLWlsbHVzdHJhdGlvbi1vbmx5LW5vdC1yZWFsISE"],
        ),
    ],
    house: HouseInUse,
) -> Response:
    """Read a calendar (RFC 5545).

    The consultations of a clinician or a location, from 30 days ago to a year from now, 5,000 bookings at most: an
    entry for each slot that is booked, with references, mode and place, and nothing of any patient. A booking of a
    slot with one seat keeps its UID when it is rescheduled. What is cancelled is there no more. The address is all that
    is needed; an unknown one and a revoked one are answered alike.
    """
    # Its library takes a sixth of a second to load: whoever asks first waits, not every start.
    from app.interop.calendar_feed import MEDIA_TYPE, calendar_feed  # noqa: PLC0415

    async with house.database.read() as session:
        whose = await calendar_feeds.subscribed(session, secret)
        found = await calendar_feeds.consultations(session, whose)
    # Thousands of entries take a tenth of a second, in which others are answered too.
    content = await asyncio.to_thread(
        calendar_feed, f"Consultations: {whose.name}", found, says_clinician=whose.column == "location_id"
    )
    return Response(content, headers=_HEADERS, media_type=MEDIA_TYPE)


@router.post("", status_code=status.HTTP_201_CREATED, responses=responses(*BODY))
async def create_calendar_feed(
    wish: CalendarFeedCreate, response: Response, caller: BookingsReader, session: WriteSession
) -> CalendarFeedCreated:
    """Open a calendar feed.

    The answer's `url` shows times, places and references of a clinician's or a location's consultations to whoever has
    it, without a credential, until the feed is revoked: it outlives the key that made it. It is told once; make a feed
    for each who needs one. Needs the scope `bookings:read`, because it shows references.
    """
    made, secret = await calendar_feeds.add(session, wish, by=caller.actor)
    response.headers["location"] = f"/calendar-feeds/{made.id}"
    said = {name: getattr(made, name) for name in CalendarFeedPublic.model_fields}
    return CalendarFeedCreated(**said, url=f"/calendars/{secret}.ics")


@router.get("")
async def list_calendar_feeds(
    query: Annotated[PageQuery, Query()],
    request: Request,
    response: Response,
    _caller: BookingsReader,
    session: ReadSession,
) -> CalendarFeedList:
    """List calendar feeds.

    Newest first, without their addresses, and without those that were revoked. Needs the scope `bookings:read`.
    """
    found = await calendar_feeds.find(session, limit=query.limit + 1, after=query.first(UUID))
    page, last = page_of(found, query.limit)
    return CalendarFeedList(items=page, next=next_link(request, response, last, lambda feed: (feed.id,)))


@router.get("/{feed_id}", responses=responses(CalendarFeedNotFound))
async def read_calendar_feed(feed_id: FeedId, _caller: BookingsReader, session: ReadSession) -> CalendarFeedPublic:
    """Read a calendar feed.

    Without its address. Needs the scope `bookings:read`.
    """
    return await calendar_feeds.get(session, feed_id)


@router.delete("/{feed_id}", responses=responses(CalendarFeedNotFound))
async def revoke_calendar_feed(feed_id: FeedId, caller: BookingsReader, session: WriteSession) -> CalendarFeedPublic:
    """Revoke a calendar feed.

    Its address opens nothing from now on, for good. Answers what it was. Needs the scope `bookings:read`.
    """
    return await calendar_feeds.revoke(session, feed_id, by=caller.actor)
