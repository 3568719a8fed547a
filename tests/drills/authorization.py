"""Everybody at every door: each operation of the OpenAPI file, each kind of caller, own, foreign and unknown things.

`uv run --group test python -m tests.drills.authorization` asks all of it and prints what was answered otherwise than
the table here says. An operation without a row in the table is a fault.
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx
from sqlalchemy import update
from sqlmodel import col

from app.access.callers import Scope
from app.access.tables import ApiKey
from app.core import clock
from app.core.db import Database
from app.core.ids import digest, new_id, new_secret
from app.core.settings import Settings
from tests.conftest import headers_with
from tests.doors import started
from tests.drills import databases
from tests.rows import run
from tests.wishes import bearer, book, new_key, post_slot

SPEC = Path(__file__).parents[2] / "openapi" / "openapi.json"
UNKNOWN = "00000-00011"


@dataclass(frozen=True)
class Open:
    """Whoever asks; a credential is not looked at."""


@dataclass(frozen=True)
class Anyone:
    """Nobody in particular, or a valid key."""


@dataclass(frozen=True)
class Key:
    """A key with this scope."""

    scope: Scope


@dataclass(frozen=True)
class OneBooking:
    """The booking's holder, unless it is for staff; or a key with this scope."""

    scope: Scope
    staff_only: bool = False


Rule = Open | Anyone | Key | OneBooking
TABLE: dict[str, Rule] = {
    "list_conditions": Open(),
    "read_condition": Open(),
    "list_condition_treatment_options": Open(),
    "list_categories": Open(),
    "read_category": Open(),
    "list_treatment_options": Open(),
    "read_treatment_option": Open(),
    "list_changes": Open(),
    "search_content": Open(),
    "read_condition_json_ld": Open(),
    "read_sitemap": Open(),
    "read_sitemap_part": Open(),
    "ask_infobutton": Open(),
    "read_preview": Open(),
    "preview_condition_draft": Key(Scope.CONTENT_READ),
    "list_clinicians": Open(),
    "read_clinician": Open(),
    "list_locations": Open(),
    "read_location": Open(),
    "list_rooms": Open(),
    "read_consultation_slot": Open(),
    "read_slot_calendar": Open(),
    "read_next_available": Open(),
    "read_slot_stats": Key(Scope.SLOTS_WRITE),
    "read_liveness": Open(),
    "read_readiness": Open(),
    "read_problem": Open(),
    "list_consultation_slots": Anyone(),
    "book_consultation": Anyone(),
    "create_condition": Key(Scope.CONTENT_WRITE),
    "read_condition_draft": Key(Scope.CONTENT_READ),
    "replace_condition_draft": Key(Scope.CONTENT_WRITE),
    "delete_condition_draft": Key(Scope.CONTENT_WRITE),
    "submit_condition_draft": Key(Scope.CONTENT_WRITE),
    "approve_condition_draft": Key(Scope.CONTENT_PUBLISH),
    "return_condition_draft": Key(Scope.CONTENT_PUBLISH),
    "publish_condition_draft": Key(Scope.CONTENT_PUBLISH),
    "list_condition_revisions": Key(Scope.CONTENT_READ),
    "read_condition_revision": Key(Scope.CONTENT_READ),
    "compare_condition_revisions": Key(Scope.CONTENT_READ),
    "restore_condition_revision": Key(Scope.CONTENT_WRITE),
    "rename_condition": Key(Scope.CONTENT_PUBLISH),
    "withdraw_condition": Key(Scope.CONTENT_PUBLISH),
    "create_category": Key(Scope.CONTENT_PUBLISH),
    "read_category_order": Key(Scope.CONTENT_READ),
    "order_categories": Key(Scope.CONTENT_PUBLISH),
    "read_category_names": Key(Scope.CONTENT_READ),
    "name_category": Key(Scope.CONTENT_PUBLISH),
    "rename_category": Key(Scope.CONTENT_PUBLISH),
    "delete_category": Key(Scope.CONTENT_PUBLISH),
    "create_treatment_option": Key(Scope.CONTENT_PUBLISH),
    "read_treatment_option_order": Key(Scope.CONTENT_READ),
    "order_treatment_options": Key(Scope.CONTENT_PUBLISH),
    "read_treatment_option_names": Key(Scope.CONTENT_READ),
    "name_treatment_option": Key(Scope.CONTENT_PUBLISH),
    "rename_treatment_option": Key(Scope.CONTENT_PUBLISH),
    "delete_treatment_option": Key(Scope.CONTENT_PUBLISH),
    "create_clinician": Key(Scope.SLOTS_WRITE),
    "create_location": Key(Scope.SLOTS_WRITE),
    "create_room": Key(Scope.SLOTS_WRITE),
    "change_location": Key(Scope.SLOTS_WRITE),
    "create_slot_schedule": Key(Scope.SLOTS_WRITE),
    "preview_slot_schedule": Key(Scope.SLOTS_WRITE),
    "list_slot_schedules": Key(Scope.SLOTS_WRITE),
    "read_slot_schedule": Key(Scope.SLOTS_WRITE),
    "replace_slot_schedule": Key(Scope.SLOTS_WRITE),
    "end_slot_schedule": Key(Scope.SLOTS_WRITE),
    "list_schedule_occurrences": Key(Scope.SLOTS_WRITE),
    "post_slot_schedule": Key(Scope.SLOTS_WRITE),
    "create_absence": Key(Scope.SLOTS_WRITE),
    "list_absences": Key(Scope.SLOTS_WRITE),
    "read_absence": Key(Scope.SLOTS_WRITE),
    "delete_absence": Key(Scope.SLOTS_WRITE),
    "create_consultation_slot": Key(Scope.SLOTS_WRITE),
    "post_consultation_slot_batch": Key(Scope.SLOTS_WRITE),
    "update_consultation_slot": Key(Scope.SLOTS_WRITE),
    "close_consultation_slot": Key(Scope.SLOTS_WRITE),
    "open_consultation_slot": Key(Scope.SLOTS_WRITE),
    "cancel_consultation_slot": Key(Scope.SLOTS_WRITE),
    "create_slot_plan": Key(Scope.SLOTS_WRITE),
    "read_slot_plan": Key(Scope.SLOTS_WRITE),
    "apply_slot_plan": Key(Scope.SLOTS_WRITE),
    "list_consultation_bookings": Key(Scope.BOOKINGS_READ),
    "create_calendar_feed": Key(Scope.BOOKINGS_READ),
    "list_calendar_feeds": Key(Scope.BOOKINGS_READ),
    "read_calendar_feed": Key(Scope.BOOKINGS_READ),
    "revoke_calendar_feed": Key(Scope.BOOKINGS_READ),
    # Its address is the credential.
    "read_calendar": Open(),
    "export_personal_data": Key(Scope.PRIVACY),
    "erase_personal_data": Key(Scope.PRIVACY),
    "list_audit_entries": Key(Scope.AUDIT_READ),
    "read_consultation_booking": OneBooking(Scope.BOOKINGS_READ),
    "read_booking_calendar": OneBooking(Scope.BOOKINGS_READ),
    "confirm_consultation_booking": OneBooking(Scope.BOOKINGS_WRITE),
    "cancel_consultation_booking": OneBooking(Scope.BOOKINGS_WRITE),
    "reschedule_consultation_booking": OneBooking(Scope.BOOKINGS_WRITE),
    "fulfil_consultation_booking": OneBooking(Scope.BOOKINGS_WRITE, staff_only=True),
    "mark_consultation_booking_no_show": OneBooking(Scope.BOOKINGS_WRITE, staff_only=True),
}
# What says that somebody may not, whoever it is.
DENIALS = (401, 403)


@dataclass(frozen=True)
class Operation:
    """One operation of the file."""

    name: str
    method: str
    path: str
    body: Any

    @property
    def rule(self) -> Rule | None:
        """Who may."""
        return TABLE.get(self.name)


@dataclass(frozen=True)
class Cast:
    """Everybody who comes, with their headers; and the things that they come to."""

    keys: dict[Scope, dict[str, str]]
    strangers: dict[str, dict[str, str]]
    own: dict[str, Any]
    foreign: dict[str, Any]
    slot_id: str


def operations() -> list[Operation]:
    """Every operation of the file, with the body of its example."""
    found = []
    for path, item in json.loads(SPEC.read_text())["paths"].items():
        for method, operation in item.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
            found.append(Operation(operation["operationId"], method.upper(), path, body))
    return found


async def faults(settings: Settings) -> tuple[int, list[str]]:
    """How many requests were sent, and which of them were answered otherwise than the table says."""
    found = [f"{operation.name} has no row in the table" for operation in operations() if operation.rule is None]
    asked = 0
    database = Database(settings)
    try:
        async with started(settings) as client:
            cast = await gather_cast(client, database)
            for operation in operations():
                async for fault in _ask(client, operation, cast):
                    asked += 1
                    found += [fault] if fault else []
    finally:
        await database.close()
    return asked, found


async def gather_cast(client: httpx.AsyncClient, database: Database) -> Cast:
    """A key for each scope, keys and tokens that open nothing, two bookings, a slot."""
    keys = {scope: await headers_with(database, scope) for scope in Scope}
    revoked = await headers_with(database, *Scope)
    hashed = digest(revoked["Authorization"].removeprefix("Bearer "))
    await run(database, update(ApiKey).where(col(ApiKey.secret_hash) == hashed).values(revoked_at=clock.now()))
    slot = await post_slot(client, keys[Scope.SLOTS_WRITE], capacity=50)
    strangers = {
        "garbage": {"Authorization": "Bearer garbage"},
        "an unknown key": {"Authorization": f"Bearer {new_secret('cp_live_')}"},
        "a revoked key": revoked,
        "an unknown booking's token": {"Authorization": f"Bearer {new_secret('cp_booking_')}"},
    }
    return Cast(keys, strangers, await book(client, slot["id"]), await book(client, slot["id"]), slot["id"])


async def _ask(client: httpx.AsyncClient, operation: Operation, cast: Cast) -> Any:
    """Ask in everybody's name; yields a fault, or nothing, for each request."""
    rule = operation.rule
    if isinstance(rule, OneBooking):
        async for fault in _ask_of_bookings(client, operation, rule, cast):
            yield fault
        return
    for who, headers, is_key_of in _callers(cast):
        answer = await _send(client, operation, headers, cast, reference=None)
        if rule is None or isinstance(rule, Open):
            expected = "let in"
        elif isinstance(rule, Anyone):
            expected = "let in" if not headers or is_key_of else "401"
        else:
            expected = "let in" if is_key_of is rule.scope else "403" if is_key_of else "401"
        yield _fault(operation, who, "", answer, expected)


async def _ask_of_bookings(client: httpx.AsyncClient, operation: Operation, rule: OneBooking, cast: Cast) -> Any:
    unknown = await _send(client, operation, cast.keys[rule.scope], cast, reference=UNKNOWN)
    things = {"own": cast.own["reference"], "foreign": cast.foreign["reference"], "unknown": UNKNOWN, "malformed": "x"}
    for thing, reference in things.items():
        for who, headers, is_key_of in _callers(cast):
            is_holder = who == "the holder"
            answer = await _send(client, operation, headers, cast, reference=reference)
            expected = "404"
            if not headers:
                expected = "401"
            elif thing in ("own", "foreign") and is_key_of is rule.scope:
                expected = "let in"
            elif thing == "own" and is_holder:
                expected = "403" if rule.staff_only else "let in"
            if expected == "404" and seen(answer) != seen(unknown):
                yield f"{operation.name}: {who}, {thing}: not the answer for an unknown one, {answer.status_code}"
            yield _fault(operation, who, thing, answer, expected)


def _callers(cast: Cast) -> Iterator[tuple[str, dict[str, str], Scope | None]]:
    yield "nobody", {}, None
    yield from ((who, headers, None) for who, headers in cast.strangers.items())
    yield "the holder", bearer(cast.own), None
    yield from ((f"a key with {scope}", headers, scope) for scope, headers in cast.keys.items())


async def _send(
    client: httpx.AsyncClient, operation: Operation, headers: dict[str, str], cast: Cast, *, reference: str | None
) -> httpx.Response:
    path = operation.path.replace("{reference}", reference or "").replace("{slot_id}", cast.slot_id)
    path = path.replace("{slug}", "nothing").replace("{code}", "not-found")
    # Whatever else has an id is asked for by one that it does not have.
    path = re.sub(r"{\w+_id}", cast.slot_id, path)
    sent = headers | new_key() | {"If-Match": '"1"'}
    body = operation.body
    if isinstance(body, dict):
        body = body | ({"slot_id": cast.slot_id} if "slot_id" in body else {})
        body |= {"slug": f"made-{new_id()}"} if "slug" in body else {}
        # Nobody's: what is erased here must not be what the next one asks for.
        body |= {"email": "nobody@example.com"} if "email" in body else {}
    return await client.request(operation.method, path, headers=sent, json=body)


def seen(answer: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The whole answer, without what names the request."""
    body, headers = dict(answer.json()), dict(answer.headers)
    body.pop("request_id", None)
    headers.pop("x-request-id", None)
    return answer.status_code, body, headers


def _fault(operation: Operation, who: str, thing: str, answer: httpx.Response, expected: str) -> str | None:
    status = answer.status_code
    is_right = str(status) == expected
    if expected == "let in":
        is_right = status not in DENIALS and status < 500 and not (thing and status == 404)
    return None if is_right else f"{operation.name}: {who} {thing}: {status} instead of {expected}"


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql", "both"]), default="both", show_default=True)
def main(database: str) -> None:
    """Ask everything in everybody's name."""
    is_sound = True
    for kind in databases.chosen(database):
        with databases.opened(kind) as settings:
            asked, found = asyncio.run(faults(settings))
        click.echo(f"- {kind}: {asked} requests, {len(TABLE)} operations, {len(found)} faults")
        click.echo("\n".join(f"  - {fault}" for fault in found), nl=bool(found))
        is_sound = is_sound and not found
    if not is_sound:
        sys.exit(1)


if __name__ == "__main__":
    main()
