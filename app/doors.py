"""The doors, in the order in which they are looked through."""

from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.routing import APIRoute

from app.core.settings import Settings
from app.routers import (
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
    conditions,
    consultation_bookings,
    consultation_slots,
    docs,
    draft_review,
    health,
    infobutton,
    json_ld,
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


def routes(settings: Settings) -> Iterator[APIRoute]:
    """All of them, as they were made: for an application's routes.

    `include_router` would make each of them anew for each application, in the event loop, when somebody asks for
    something first. That takes longer than all other parts of an application.
    `dependency_overrides` does not reach them.
    """
    for router in _routers(settings):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            # The operation's id for partners.
            route.unique_id = route.name
            yield route


def _routers(settings: Settings) -> tuple[APIRouter, ...]:
    return (
        # Ahead of the pages, whose slug would be all of `<slug>.jsonld`.
        json_ld.router,
        conditions.router,
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
