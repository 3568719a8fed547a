"""The OpenAPI file against the running application: whatever it says can be sent is sent, and answered as it says."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck
from hypothesis import settings as limits
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection
from sqlalchemy import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from app import databases
from app.access import callers
from app.access.callers import Scope
from app.consultations import patients
from app.consultations.booking_shapes import ConfirmationCreate
from app.consultations.tables import Clinician, Location
from app.core import crypto
from app.core.ids import new_id, parse_reference
from app.core.settings import Settings
from app.main import create_app
from tests.rows import new_booking, new_slot
from tests.wishes import confirmation

SLOT_ID, REFERENCE = UUID("01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"), "7K3M9-QRT2N"
BOOKING_ID = new_id()
EXAMPLES = 20

CONFIG = {
    "seed": 20261123,
    "checks": {
        # Replaced by `accepts_what_the_schema_allows`: see there.
        "positive_data_acceptance": {"enabled": False},
        # 428 is for a missing `If-Match` (RFC 6585).
        "missing_required_header": {"expected-statuses": [400, 401, 422, 428]},
    },
}
# Lines of JSON are sent as the text that they are.
schemathesis.serializer.alias("application/x-ndjson", "text/plain")
api = schemathesis.openapi.from_dict(
    create_app(Settings.model_construct()).openapi(), config=schemathesis.Config.from_dict(CONFIG)
)

# Rules for what is sent that a JSON schema cannot state: what exists, what time it is, how two fields go together.
UNSAID = frozenset(
    {
        "blank",
        "contact_missing",
        "cursor",
        "date_range",
        "email",
        "end_before_start",
        "filter_empty",
        "in_the_past",
        "instant",
        "locale_differs",
        "location_missing",
        "longer_than_session",
        "json_invalid",  # what a line of a batch is, to a schema a text
        "csv_invalid",
        "cells",
        "no_slots",
        "unknown_column",
        "repeated_column",
        "missing",  # a time zone, where no location gives one
        "not_for_this_action",
        "nothing_to_move",
        "null",
        "one_of_two",
        "one_slot",
        "one_topic",
        "own_replacement",
        "rdate_outside",
        "repeated",
        "review_order",
        "rrule_combination",
        "rrule_day",
        "rrule_number",
        "rrule_part",
        "rrule_until",
        "slug_differs",
        "time_zone",
        "time_zone_differs",
        "too_far",
        "too_many_occurrences",
        "two_ends",
        "unknown_holidays",
        "unknown_reference",
        "valid_until",
    }
)


# Headers that HTTP or the file's introduction tells of.
OF_EVERY_ANSWER = frozenset({"content-encoding", "content-length", "content-type", "x-content-type-options"})

# Checks that do not hold at addresses with these parts.
EXCUSED: dict[str, schemathesis.CheckFunction] = {
    # Whoever may not see one booking is told what an unknown one is told, 404: not whether it is there.
    "{reference}": ignored_auth,
    # A batch may be answered with 200 where some of its rows, or all of them, are refused: each says so.
    "/batch": negative_data_rejection,
}


@pytest.fixture
def token(settings: Settings) -> str:
    """A key with every scope, to a database where the things are that the file's examples name."""

    async def furnish(session: AsyncSession) -> str:
        for statement in (
            insert(Clinician).values(id=new_id(), slug="dr-rivera", name="Dr. Rivera"),
            insert(Location).values(id=new_id(), slug="main-building", name="Main Building", time_zone="Europe/Berlin"),
            new_slot(id=SLOT_ID, capacity=50),
            new_booking(SLOT_ID, id=BOOKING_ID, reference=REFERENCE),
        ):
            await session.exec(statement)
        keyring, told = crypto.load_keyring(settings.keyring_path), ConfirmationCreate.model_validate(confirmation())
        patients.seal(session, BOOKING_ID, told, keyring=keyring, by="contract")
        return await callers.create_key(session, name="contract", scopes=list(Scope), is_live=False)

    return asyncio.run(databases.write(settings, furnish))


@pytest.fixture
def running(app: FastAPI) -> Iterator[FastAPI]:
    """The application, started by whoever asks it first."""
    yield app
    asgi.shutdown_lifespans()


def accepts_what_the_schema_allows(
    _context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """In the place of `positive_data_acceptance`: a 422 for what the schema allows names a rule that none can state."""
    if case.meta is not None and case.meta.generation.mode.is_positive and response.status_code == 422:
        said = {fault["code"] for fault in json.loads(response.content).get("errors", [])} - UNSAID
        assert not said, f"refused by rules that the schema could state: {sorted(said)}"


def says_its_headers(
    _context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Whatever an answer says of itself is described: a client is made from the description."""
    answers = case.operation.definition.raw["responses"]
    if str(response.status_code) not in answers:
        return  # another check says so
    described = {name.lower() for name in answers[str(response.status_code)].get("headers", {})}
    unsaid = set(response.headers) - described - OF_EVERY_ANSWER
    assert not unsaid, f"headers that the file does not describe: {sorted(unsaid)}"


@api.parametrize()
@limits(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_application_keeps_its_contract(case: schemathesis.Case[Any], token: str, running: FastAPI) -> None:
    case.operation.schema.app = running  # where the checks that ask again ask
    case.call_and_validate(
        app=running,
        headers={"Authorization": f"Bearer {token}"},
        additional_checks=[accepts_what_the_schema_allows, says_its_headers],
        excluded_checks=[check for part, check in EXCUSED.items() if part in case.operation.path],
    )


def test_the_references_in_the_examples_are_such_as_are_given_out() -> None:
    named = set(re.findall(r'"([0-9A-Z]{5}-[0-9A-Z]{5})"', json.dumps(api.raw_schema)))
    assert named
    assert {reference: parse_reference(reference) for reference in named} == {name: name for name in named}
