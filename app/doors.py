"""The doors: those of the pages, and all the others.

The others are a third of what a start imports, and no page needs them. A server that starts has the first ones open
when it listens, and opens the others while it answers: see `open_later`.
"""

import asyncio
import gc
from contextlib import suppress
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from app.core import logs
from app.core.settings import Settings
from app.routers import conditions, json_ld

# How long the first requests have the process for themselves, in seconds, as long as nobody asks for another door.
HEAD_START: Final = 0.3
# Looked through in this order, ahead of all others. What one of them takes must be no other's: a test sees to that.
FIRST: Final = (
    # Ahead of the pages, whose slug would be all of `<slug>.jsonld`.
    json_ld.router,
    conditions.router,
)


def others(settings: Settings) -> tuple[APIRouter, ...]:
    """All doors but the first ones, in the order in which they are looked through."""
    from app.routers import (  # noqa: PLC0415 - only those who ask for them pay for them
        absences,
        audit,
        booking_actions,
        calendar_feeds,
        categories,
        category_changes,
        changes,
        clinicians,
        condition_drafts,
        condition_moves,
        condition_revisions,
        consultation_bookings,
        consultation_slots,
        docs,
        draft_review,
        health,
        infobutton,
        locations,
        next_available,
        orders,
        previews,
        privacy,
        problems,
        search,
        sitemap,
        slot_batches,
        slot_calendar,
        slot_lists,
        slot_plans,
        slot_schedules,
        slot_stats,
        treatment_changes,
        treatment_options,
    )

    return (
        slot_lists.router,
        # Ahead of the slots, whose id would be all of `calendar` and `stats`.
        slot_calendar.router,
        slot_stats.router,
        consultation_slots.router,
        categories.router,
        treatment_options.router,
        search.router,
        sitemap.router,
        infobutton.router,
        condition_drafts.router,
        draft_review.router,
        condition_revisions.router,
        condition_moves.router,
        category_changes.router,
        treatment_changes.router,
        orders.router,
        changes.router,
        previews.router,
        next_available.router,
        slot_batches.router,
        slot_plans.router,
        consultation_bookings.router,
        booking_actions.router,
        clinicians.router,
        locations.router,
        slot_schedules.router,
        absences.router,
        calendar_feeds.router,
        calendar_feeds.addresses,
        privacy.router,
        audit.router,
        health.router,
        problems.router,
        docs.description,
        *([docs.docs] if settings.shows_docs else []),
    )


class Doors:
    """The doors of one application."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._closed = _Closed(app.router)
        self._is_ending = False
        # Of the doors that are open. The list stays the same one.
        self.routes: list[APIRoute] = []
        self._include(FIRST)
        app.router.routes.append(self._closed)

    def open(self) -> None:
        """Open all that are closed."""
        self._replace(others(self._settings))

    def open_later(self) -> asyncio.Task[None]:
        """Open all that are closed while the loop goes on; whoever asks for one of them meanwhile waits for the task.

        Where it fails, they are answered with what it failed for.
        """
        self._closed.opening = asyncio.create_task(self._open_later())
        return self._closed.opening

    def leave_closed(self) -> None:
        """Do not begin to open what nobody has asked for yet: the process is to end."""
        self._is_ending = True
        self._closed.wanted.set()

    async def _open_later(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wanted.wait(), HEAD_START)
        if self._is_ending:
            return
        try:
            # In a thread, because it takes half a second; what the loop reads is changed in the loop.
            routers = await asyncio.to_thread(others, self._settings)
        except Exception as error:
            logs.failure("doors_failed", error)
            raise
        self._replace(routers)
        # As after the rest of the start, see `server.py`: what was made until now stays.
        gc.freeze()

    def _replace(self, routers: tuple[APIRouter, ...]) -> None:
        self._app.router.routes.remove(self._closed)
        self._include(routers)

    def _include(self, routers: tuple[APIRouter, ...]) -> None:
        for router in routers:
            self._app.include_router(router)
            self.routes.extend(route for route in router.routes if isinstance(route, APIRoute))
        self._app.state.plain_paths = frozenset(route.path for route in self.routes if "{" not in route.path)


class _Closed(BaseRoute):
    """Stands where the others will: it takes whatever the first ones do not, and passes it on once they are open."""

    opening: asyncio.Task[None]

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        # Somebody waits.
        self.wanted = asyncio.Event()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:  # noqa: ARG002 - it takes them all
        return Match.FULL, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.wanted.set()
        # One who hangs up does not keep the doors closed for others.
        await asyncio.shield(self.opening)
        await self._router(scope, receive, send)
