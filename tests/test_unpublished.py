"""No public address shows a word of what is not public: not yet, not any more, or not in these words."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.content.document import ConditionDocument
from app.core import clock
from app.core.db import Database
from app.core.settings import Settings
from app.main import create_app
from tests.clinics import make_schedule
from tests.editing import chief, done, draft_of, editor, put, step
from tests.pages import page_content, publish
from tests.slot_plans import make as make_plan
from tests.walks import DRAFTS, GONE, KINDS, PLANTED, Known, content, walk
from tests.wishes import bearer, book, post_slot

LATER = {"publish_at": "2090-01-01T00:00:00Z"}
PUBLIC = "synthetic-edited"
SEEN = {"read_condition", "list_conditions", "list_condition_treatment_options", "read_treatment_option"}


def of_a_page(kind: str) -> dict[str, Any]:
    """Planted words for a page that is, or was, public: its slug, its category and its treatments are known."""
    words = content(kind)
    words["treatment_options"][0]["slug"] = "synthetic-treatment"
    return words | {"slug": f"synthetic-{kind}", "category": page_content()["category"]}


async def put_text(client: httpx.AsyncClient, who: dict[str, str], text: dict[str, Any]) -> None:
    """Make this the draft of its page."""
    answer = await client.put(draft_of(text["slug"]), json=text, headers=who | {"If-Match": "*"})
    assert answer.status_code == 200, answer.text


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The application, with all that it can show."""
    return create_app(settings.model_copy(update={"frontend_url": "https://www.example.org"}))


@pytest.fixture
async def known(client: httpx.AsyncClient, database: Database, admin: dict[str, str]) -> Known:
    """Texts in every state, and what to ask for them with. What will be gone is public still."""
    author, approver = await editor(database), await chief(database)
    # A treatment keeps the name that the first page gave it.
    await publish(database, PUBLIC)
    for kind, steps in DRAFTS.items():
        wish = content(kind)
        assert (await client.post("/conditions", json=wish, headers=author)).status_code == 201
        for what in steps:
            await done(client, author if what == "submit" else approver, what, slug=wish["slug"])
        if kind == "scheduled":
            assert (await step(client, approver, "publish", wish["slug"], wish=LATER)).status_code == 200
    for kind in GONE:
        await publish(database, **of_a_page(kind))
    await publish(database, "synthetic-rescheduled")
    for kind in ("edited", "rescheduled"):
        await put_text(client, author, of_a_page(kind))
    assert (await step(client, admin, "publish", "synthetic-rescheduled", wish=LATER)).status_code == 200
    spanish = of_a_page("translated") | {"slug": PUBLIC, "locale": "es"}
    assert (await client.post("/conditions", json=spanish, headers=author)).status_code == 201
    for place, wish in (("clinicians", {}), ("locations", {"time_zone": "Europe/Berlin"})):
        named = {"slug": "synthetic", "name": "Synthetic"} | wish
        assert (await client.post(f"/{place}", json=named, headers=admin)).status_code == 201
    slots = [
        await post_slot(client, admin, days=days, condition=slug, capacity=2)
        for days, slug in enumerate((PUBLIC, "synthetic-withdrawn"), 30)
    ]
    booking = await book(client, slots[0]["id"])
    feed = await client.post("/calendar-feeds", json={"clinician": "synthetic"}, headers=admin)
    schedule = await make_schedule(client, admin, condition=PUBLIC)
    away = {"clinician": "synthetic", "starts_at": "2031-01-01T00:00:00Z", "ends_at": "2031-01-02T00:00:00Z"}
    absence = await client.post("/absences", json=away, headers=admin)
    plan = await make_plan(client, admin, "close", slots, "keep")
    texts = [content(kind) for kind in KINDS]
    fresh = [content(kind) for kind in DRAFTS]
    slugs = [
        "synthetic-rescheduled",
        PUBLIC,
        *(f"synthetic-{kind}" for kind in GONE),
        *(text["slug"] for text in fresh),
    ]
    categories = ["synthetic-category", *(text["category"]["slug"] for text in fresh)]
    options = ["synthetic-treatment", *(text["treatment_options"][0]["slug"] for text in fresh)]
    codes = [code["code"] for text in texts for code in text["codes"]]
    words = ["zq", "synthetic", *(f"zq{kind}" for kind in KINDS), *(text["alternate_names"][0] for text in texts)]
    return Known(
        paths={
            ("/conditions/", "slug"): slugs,
            ("/conditions/", "number"): ["1"],
            ("/conditions/", "other"): ["1"],
            ("/categories/", "slug"): categories,
            ("/treatment-options/", "slug"): options,
            ("/clinicians/", "slug"): ["synthetic"],
            ("/locations/", "slug"): ["synthetic"],
            ("/consultation-slots/", "slot_id"): [slot["id"] for slot in slots],
            ("/consultation-bookings/", "reference"): [booking["reference"]],
            ("/problems/", "code"): ["not-found", "draft-not-found"],
            ("/previews/", "token"): ["A" * 76],
            ("/calendars/", "secret"): [feed.json()["url"].removeprefix("/calendars/").removesuffix(".ics")],
            ("/sitemap-", "number"): ["1"],
            ("/slot-schedules/", "schedule_id"): [schedule["id"]],
            ("/absences/", "absence_id"): [absence.json()["id"]],
            ("/slot-plans/", "plan_id"): [plan["id"]],
            ("/calendar-feeds/", "feed_id"): [feed.json()["id"]],
        },
        queries={
            "limit": ["1", "100"],
            "cursor": ["x"],
            "locale": ["es"],
            "category": categories,
            "letter": ["z", "s"],
            "treatment": options,
            "code": [f"{system}|{code}" for system in ("icd-10", "mesh") for code in codes],
            "review_status": ["current", "due", "overdue"],
            "modified_since": ["2026-01-01T00:00:00Z"],
            "q": words,
            "type": ["condition", "category", "treatment"],
            "mainSearchCriteria.v.cs": ["2.16.840.1.113883.6.90", "2.16.840.1.113883.6.3"],
            "mainSearchCriteria.v.c": codes,
            "informationRecipient.languageCode.c": ["es"],
            "knowledgeResponseType": ["text/xml"],
            "condition": slugs,
            "from": ["2026-01-01T00:00:00Z"],
            "to": ["2100-01-01T00:00:00Z"],
            "mode": ["video"],
            "room": ["synthetic"],
            "weekday": ["monday"],
            "time_from": ["08:00"],
            "time_to": ["24:00"],
            "first_available": ["clinician", "location", "mode"],
            "archived": ["true"],
            "month": ["2031-01"],
            "time_zone": ["Europe/Berlin"],
            "by": ["clinician", "category", "week"],
            "clinician": ["synthetic"],
            "location": ["synthetic"],
            "status": ["all"],
            "slot_id": [slots[0]["id"]],
            "state": ["booked"],
            "actor": ["anonymous"],
            "action": ["condition.published"],
            "subject": [booking["reference"]],
        },
        headers=({}, {"Accept-Language": "es"}, {"Accept": "application/ld+json"}, bearer(booking)),
    )


async def test_no_public_route_says_a_word_of_what_is_not_public(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], known: Known
) -> None:
    # Whoever remembers answers has remembered what is public only now.
    before = await walk(app, client, known)
    assert before.unknown == set()
    heard = set().union(*before.said.values())
    assert {kind for kind in KINDS if any(word.startswith(f"zq{kind}") for word in heard)} == set(GONE)
    assert {operation for operation, words in before.said.items() if words} >= SEEN

    withdrawn = await client.post("/conditions/synthetic-withdrawn/withdraw", headers=admin)
    assert withdrawn.status_code == 200, withdrawn.text
    await put_text(client, admin, page_content("synthetic-replaced"))
    await done(client, admin, "publish", slug="synthetic-replaced")
    soon = clock.now() + timedelta(seconds=0.5)
    await put(client, admin, "synthetic-ended")
    ended = await step(client, admin, "publish", "synthetic-ended", wish={"unpublish_at": soon.isoformat()})
    assert ended.status_code == 200
    async with asyncio.timeout(10):
        while (await client.get("/conditions/synthetic-ended")).is_success:  # noqa: ASYNC110 - told by nothing
            await asyncio.sleep(0.05)

    after = await walk(app, client, known)
    assert {operation: words for operation, words in after.said.items() if words} == {}
    assert after.asked > 1_000
    assert after.answered >= SEEN | {"read_consultation_booking", "read_booking_calendar", "not described"}
    # The drafts that nobody read are there.
    seen = await client.get(draft_of(PUBLIC), headers=admin)
    assert PLANTED.search(seen.text.casefold())


def test_a_word_is_planted_in_every_field() -> None:
    # The other two are no words.
    assert set(content("draft")) | {"locale", "source_revision"} == set(ConditionDocument.model_fields)


async def test_the_walk_fails_where_a_route_takes_what_it_does_not_know(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    found = await walk(app, client, Known(paths={}, queries={}, headers=()))
    assert {"/conditions/{slug}: slug", "/conditions?category=", "/consultation-slots?status="} <= found.unknown
