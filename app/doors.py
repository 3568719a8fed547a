"""The doors: those of the pages, and all the others.

The others are a third of what a start imports, and no page needs them. A server that starts has the first ones open
when it listens, and opens the others while it answers: see `open_later`.
"""

import asyncio
from copy import copy
from typing import Final, TypeAlias

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from app.core.errors import Unavailable
from app.core.settings import Settings
from app.routers import conditions, json_ld

Routers: TypeAlias = tuple[APIRouter, ...]
# Looked through in this order, ahead of all others. What one of them takes must be no other's: a test sees to that.
FIRST: Final = (
    # Ahead of the pages, whose slug would be all of `<slug>.jsonld`.
    json_ld.router,
    conditions.router,
)


def others(settings: Settings) -> Routers:
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
        # Somebody waits for one that is closed.
        self.wanted = asyncio.Event()
        # None opens any more: all are open, or the process is about to end.
        self.settled = asyncio.Event()
        # Of the doors that are open. The list stays the same one.
        self.routes: list[APIRoute] = []
        self._put(FIRST, self._included(FIRST))
        app.router.routes.append(_Closed(app.router, self))

    def open(self) -> None:
        """Open all that are closed."""
        routers = others(self._settings)
        self._put(routers, self._included(routers))
        self.settled.set()

    async def open_later(self) -> None:
        """Open all that are closed while the loop goes on."""
        # In a thread, because it takes half a second. The thread changes nothing that the loop reads.
        self._put(*await asyncio.to_thread(self._ready))
        self.settled.set()

    def _ready(self) -> tuple[Routers, list[BaseRoute]]:
        routers = others(self._settings)
        included = self._included(routers)
        for route in included:
            # What the framework would work out in the loop, at the first request that looks through all of them.
            route.matches({"type": "http", "method": "GET", "path": "/", "root_path": "", "app": self._app})
        return routers, included

    def _included(self, routers: Routers) -> list[BaseRoute]:
        """As routes of the application's router, which does not know them yet."""
        router = copy(self._app.router)
        router.routes = []
        for each in routers:
            router.include_router(each)
        return router.routes

    def _put(self, routers: Routers, included: list[BaseRoute]) -> None:
        """Let these routes be in the place of the closed ones."""
        self._app.router.routes[-1:] = included
        for router in routers:
            self.routes.extend(route for route in router.routes if isinstance(route, APIRoute))
        self._app.state.plain_paths = frozenset(route.path for route in self.routes if "{" not in route.path)


class _Closed(BaseRoute):
    """Stands where the others will: it takes whatever the first ones do not, and passes it on once they are open."""

    def __init__(self, router: APIRouter, doors: Doors) -> None:
        self._router = router
        self._doors = doors

    def matches(self, scope: Scope) -> tuple[Match, Scope]:  # noqa: ARG002 - it takes them all
        return Match.FULL, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._doors.wanted.set()
        await self._doors.settled.wait()
        if self in self._router.routes:
            raise Unavailable
        await self._router(scope, receive, send)
