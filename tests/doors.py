"""Every door of the application, found from its routes, and what opens each of those that are read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import Message, Receive, Scope, Send

from app.core.settings import Settings
from app.main import create_app
from tests.clinics import schedule_wish
from tests.pages import page_content
from tests.wishes import bearer, book, post_slot


@dataclass(frozen=True)
class Read:
    """A GET that answers 200."""

    route: str
    address: str
    headers: dict[str, str]


def doors(app: FastAPI) -> dict[str, set[str]]:
    """The methods of every route."""
    found: dict[str, set[str]] = {}
    for route in iter_route_contexts(app.routes):
        found.setdefault(str(route.path), set()).update(route.methods or ())
    return found


async def every_read(app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str]) -> list[Read]:
    """A GET that answers 200 for every route that has one; what it takes is made."""
    for place, wish in (("clinicians", {}), ("locations", {"time_zone": "Europe/Berlin"})):
        made = await client.post(f"/{place}", json={"slug": "synthetic", "name": "Synthetic"} | wish, headers=admin)
        assert made.status_code == 201
    slot = await post_slot(client, admin, clinician="synthetic", location="synthetic", capacity=2)
    booking = await book(client, slot["id"])
    draft = await client.post("/conditions", json=page_content("synthetic-draft"), headers=admin)
    preview = await client.post(f"{draft.headers['Location']}/preview", headers=admin)
    feed = await client.post("/calendar-feeds", json={"clinician": "synthetic"}, headers=admin)
    schedule = await client.post("/slot-schedules", json=schedule_wish(), headers=admin)
    away = {"clinician": "synthetic", "starts_at": "2031-01-01T00:00:00Z", "ends_at": "2031-01-02T00:00:00Z"}
    absence = await client.post("/absences", json=away, headers=admin)
    closing = {"action": "close", "bookings": "keep", "slots": {"ids": [slot["id"]]}}
    plan = await client.post("/slot-plans", json=closing, headers=admin)
    names = {
        "/slot-schedules/{schedule_id}": schedule.json()["id"],
        "/slot-schedules/{schedule_id}/occurrences": schedule.json()["id"],
        "/absences/{absence_id}": absence.json()["id"],
        "/slot-plans/{plan_id}": plan.json()["id"],
        "/locations/{slug}/rooms": "synthetic",
        "/conditions/{slug}/next-available": "acute-lymphoblastic-leukemia",
        "/calendars/{secret}.ics": feed.json()["url"].removeprefix("/calendars/").removesuffix(".ics"),
        "/calendar-feeds/{feed_id}": feed.json()["id"],
        "/conditions/{slug}": "acute-lymphoblastic-leukemia",
        "/conditions/{slug}/treatment-options": "acute-lymphoblastic-leukemia",
        "/conditions/{slug}.jsonld": "acute-lymphoblastic-leukemia",
        "/conditions/{slug}/draft": "synthetic-draft",
        "/conditions/{slug}/revisions": "acute-lymphoblastic-leukemia",
        "/conditions/{slug}/revisions/{number}": "acute-lymphoblastic-leukemia",
        "/conditions/{slug}/revisions/{number}/compare/{other}": "acute-lymphoblastic-leukemia",
        "/sitemap-{number}.xml": "1",
        "/categories/{slug}": "hematologic-malignancies",
        "/treatment-options/{slug}": "car-t-cell-therapy",
        "/categories/{slug}/names": "hematologic-malignancies",
        "/treatment-options/{slug}/names": "car-t-cell-therapy",
        "/consultation-slots/{slot_id}": slot["id"],
        "/consultation-bookings/{reference}": booking["reference"],
        "/consultation-bookings/{reference}/calendar.ics": booking["reference"],
        "/clinicians/{slug}": "synthetic",
        "/locations/{slug}": "synthetic",
        "/previews/{token}": preview.json()["url"].removeprefix("/previews/"),
        "/problems/{code}": "not-found",
        "/docs/{name}": "swagger-ui.css",
    }
    credentials = {
        "/audit": admin,
        "/slot-schedules": admin,
        "/slot-schedules/{schedule_id}": admin,
        "/slot-schedules/{schedule_id}/occurrences": admin,
        "/absences": admin,
        "/absences/{absence_id}": admin,
        "/slot-plans/{plan_id}": admin,
        "/consultation-slots/stats": admin,
        "/calendar-feeds": admin,
        "/calendar-feeds/{feed_id}": admin,
        "/conditions/{slug}/draft": admin,
        "/conditions/{slug}/revisions": admin,
        "/conditions/{slug}/revisions/{number}": admin,
        "/conditions/{slug}/revisions/{number}/compare/{other}": admin,
        "/categories/{slug}/names": admin,
        "/category-order": admin,
        "/treatment-option-order": admin,
        "/treatment-options/{slug}/names": admin,
        "/consultation-bookings": admin,
        "/consultation-bookings/{reference}": bearer(booking),
        "/consultation-bookings/{reference}/calendar.ics": bearer(booking),
    }
    # A look at the whole trail is one more entry of it.
    queries = {
        "/search": "?q=leukemia",
        "/consultation-slots/calendar": "?month=2031-01",
        "/consultation-slots/stats": "?from=2031-01-01&to=2031-02-01&by=week",
        "/audit": "?action=slot.created",
        "/infobutton": "?mainSearchCriteria.v.cs=ICD-10&mainSearchCriteria.v.c=C91.0",
    }
    routes = [route for route, methods in doors(app).items() if "GET" in methods]
    assert len(routes) >= 20
    return [
        Read(
            route,
            route[: route.index("{")] + names[route] + route[route.index("}") + 1 :].format(number=1, other=1)
            if "{" in route
            else route + queries.get(route, ""),
            credentials.get(route, {}),
        )
        for route in routes
    ]


@asynccontextmanager
async def started(settings: Settings, *, address: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    """A client, at this network address, of an application that was started with these settings."""
    app = create_app(settings)
    async with app.router.lifespan_context(app), client_of(app, address=address) as client:
        yield client


@asynccontextmanager
async def without_its_body(app: FastAPI, path: str) -> AsyncIterator[None]:
    """While somebody asks for this address, and sends nothing of the body that was announced."""

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(_: Message) -> None:
        raise AssertionError

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-length", b"10")],
        "client": ("127.0.0.1", 1),
        "server": ("carepath.test", 80),
    }
    asking = asyncio.create_task(_call(app, scope, receive, send))
    await asyncio.sleep(0.05)
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.wait({asking})


async def _call(app: FastAPI, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


def client_of(app: FastAPI, *, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """Another client of an application, at this network address."""
    transport = httpx.ASGITransport(app, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://carepath.test")
