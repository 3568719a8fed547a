"""What editors do, through the doors."""

from collections.abc import Mapping
from typing import Any

import httpx
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import AuditEntry
from app.core.db import Database
from app.delivery.tables import OutboxMessage
from tests.conftest import headers_with
from tests.pages import page_content
from tests.rows import everything

SLUG = "synthetic-condition"


def draft_of(slug: str = SLUG) -> str:
    """The address of a draft."""
    return f"/conditions/{slug}/draft"


async def editor(database: Database) -> dict[str, str]:
    """The headers of somebody who writes pages, and publishes none."""
    return await headers_with(database, Scope.CONTENT_READ, Scope.CONTENT_WRITE)


async def chief(database: Database) -> dict[str, str]:
    """The headers of somebody who approves and publishes, and writes nothing."""
    return await headers_with(database, Scope.CONTENT_READ, Scope.CONTENT_PUBLISH)


async def begin(client: httpx.AsyncClient, who: Mapping[str, str], slug: str = SLUG, **changes: Any) -> dict[str, Any]:
    """Begin the draft of a new page; returns it."""
    answer = await client.post("/conditions", json=page_content(slug, **changes), headers=who)
    assert answer.status_code == 201, answer.text
    draft: dict[str, Any] = answer.json()
    return draft


async def look(
    client: httpx.AsyncClient, who: Mapping[str, str], slug: str = SLUG, locale: str = "en"
) -> tuple[dict[str, Any], dict[str, str]]:
    """The draft as it stands, and the header that says so."""
    answer = await client.get(draft_of(slug), params={"locale": locale}, headers=who)
    assert answer.status_code == 200, answer.text
    return answer.json(), {"If-Match": answer.headers["ETag"]}


async def put(
    client: httpx.AsyncClient, who: Mapping[str, str], slug: str = SLUG, locale: str = "en", **changes: Any
) -> dict[str, Any]:
    """Read a draft, change it, and put it; returns it."""
    seen, match = await look(client, who, slug, locale)
    wish = seen["document"] | changes
    answer = await client.put(draft_of(slug), params={"locale": locale}, json=wish, headers={**who, **match})
    assert answer.status_code == 200, answer.text
    draft: dict[str, Any] = answer.json()
    return draft


async def step(
    client: httpx.AsyncClient,
    who: Mapping[str, str],
    what: str,
    slug: str = SLUG,
    locale: str = "en",
    wish: dict[str, Any] | None = None,
) -> httpx.Response:
    """Submit, approve, return or publish a draft; what is approved is what was read."""
    address, params = draft_of(slug), {"locale": locale}
    if what == "approve" and "If-Match" not in who:
        # Where there is nothing to read, whatever it is.
        tag = (await client.get(address, params=params, headers=who)).headers.get("ETag", "*")
        who = {**who, "If-Match": tag}
    return await client.post(f"{address}/{what}", params=params, json=wish, headers=who)


async def done(client: httpx.AsyncClient, who: Mapping[str, str], *steps: str, slug: str = SLUG) -> dict[str, Any]:
    """Take these steps with a draft, one after the other; returns the last answer."""
    last: dict[str, Any] = {}
    for what in steps:
        answer = await step(client, who, what, slug)
        assert answer.status_code == 200, (what, answer.text)
        last = answer.json()
    return last


async def told(database: Database) -> list[tuple[str, int]]:
    """What the trail says was done with drafts, in order, each with its version as messages tell it."""
    actions = [entry for entry in await everything(database, AuditEntry) if entry["action"].startswith("condition_d")]
    messages = await everything(database, OutboxMessage, col(OutboxMessage.topic).startswith("condition_draft."))
    trail = [(entry["action"], entry["subject"]) for entry in sorted(actions, key=lambda entry: str(entry["id"]))]
    sent = sorted(messages, key=lambda message: str(message["id"]))
    assert [(message["topic"], str(message["subject_id"])) for message in sent] == trail
    return [(message["topic"].removeprefix("condition_draft."), message["sequence"]) for message in sent]
