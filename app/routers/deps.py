"""What a door may ask for."""

import re
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Request
from fastapi.security import HTTPBearer
from pydantic import AfterValidator, WithJsonSchema
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import callers, idempotency
from app.access.callers import ANONYMOUS, Caller, Scope
from app.access.errors import CredentialInvalid
from app.consultations.policies import Policy
from app.content.published import PublishedPages
from app.content.search import Search
from app.core.brief import BriefMemory
from app.core.crypto import Keyring
from app.core.db import Database
from app.core.errors import (
    BodyTooLarge,
    InternalError,
    InvalidInput,
    Unavailable,
    VersionNeeded,
)
from app.core.etags import versions_of
from app.core.settings import Settings
from app.core.shapes import MAX_SLUG, SLUG_PATTERN

# Refusals that every door with a body, and every door at all, can meet.
BODY = (InvalidInput,)
ALWAYS = (BodyTooLarge, InternalError, Unavailable)


# All of them are coroutines, also where nothing is awaited: FastAPI runs plain functions in a thread, for 100 us each.


async def _read_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with _database(request).read() as session:
        yield session


async def _write_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with _database(request).write() as session:
        yield session


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


@dataclass(frozen=True, slots=True)
class House:
    """What one process has for its doors, beside sessions."""

    # For a door that opens the transaction itself, because something is to be done once it is over.
    database: Database
    keyring: Keyring
    published: PublishedPages
    search: Search
    brief: BriefMemory
    policy: Policy
    settings: Settings


async def _house(request: Request) -> House:
    state = request.app.state
    # The ring as it is now, for all of this request: whatever is sealed and looked up goes by one key.
    keyring = state.keyring.steady()
    return House(state.database, keyring, state.published, state.search, state.brief, state.policy, state.settings)


def token_of(request: Request) -> str | None:
    """The bearer token; None without an `Authorization` header. Raises CredentialInvalid for any other scheme."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise CredentialInvalid
    return token.strip()


async def _token(request: Request) -> str | None:
    return token_of(request)


async def caller_of(request: Request) -> Caller:
    """Who asks; looked up once for each request. Raises CredentialInvalid."""
    token = token_of(request)
    if token is None:
        return ANONYMOUS
    # The rate limit has asked before the door does.
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        async with _database(request).read() as session:
            known = request.state.caller = await callers.identify(session, token)
    return known


def _must(scope: Scope) -> Callable[..., Coroutine[Any, Any, Caller]]:
    async def with_scope(caller: Annotated[Caller, Depends(caller_of)]) -> Caller:
        caller.must(scope)
        return caller

    return with_scope


async def _idempotency_key(
    idempotency_key: Annotated[
        Annotated[str, WithJsonSchema({"type": "string", "pattern": idempotency.KEY_PATTERN})] | None,
        Header(
            alias="Idempotency-Key",
            description="Names this attempt: send it again after a time-out and nothing happens twice. 16 to 255 "
            "visible ASCII characters, kept for 72 hours. A repeat answers the same bytes and says "
            "`Idempotent-Replayed: true`. Make it at random, such as a UUID version 4, and keep it to yourself: it "
            "opens the answer, with the booking's token, to whoever sends the same request.",
            examples=["f3b9d7a2-6c1e-4f0a-9b57-2d8c5e1a7b40"],
            # Without it the answer is 400, as the draft wants, not the framework's 422.
            json_schema_extra={"x-required": True},
        ),
    ] = None,
) -> str:
    return idempotency.parse_key(idempotency_key)


async def _optional_idempotency_key(
    idempotency_key: Annotated[
        Annotated[str, WithJsonSchema({"type": "string", "pattern": idempotency.KEY_PATTERN})] | None,
        Header(
            alias="Idempotency-Key",
            description="Names this attempt, if you send one: see booking.",
            examples=["0d5f2b7c-93a4-4f6e-8c1b-7e2a9d4b6f13"],
        ),
    ] = None,
) -> str | None:
    return None if idempotency_key is None else idempotency.parse_key(idempotency_key)


async def _if_match(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="The `ETag` that you have read; its version is compared. `*` for whatever it is now.",
            examples=['"1-6c1e4f0a9b572d8c5e1a"'],
            # Without it the answer is 428 (RFC 6585), not the framework's 422.
            json_schema_extra={"x-required": True},
        ),
    ] = None,
) -> frozenset[int] | None:
    if if_match is None:
        raise VersionNeeded
    return versions_of(if_match)


async def _optional_if_match(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="The `ETag` that you have read, if its version shall be compared.",
            examples=['"2-0d5f2b7c93a44f6e8c1b"'],
        ),
    ] = None,
) -> frozenset[int] | None:
    return None if if_match is None else versions_of(if_match)


def _slug(value: str) -> str:
    # What cannot be a slug names nothing: it is a 404 like every unknown one. (PostgreSQL refuses to look for NUL.)
    return value if re.fullmatch(SLUG_PATTERN, value) and len(value) <= MAX_SLUG else "-"


# The scope "function" ends a session before the answer is sent: a COMMIT that fails must not follow a 201.
ReadSession = Annotated[AsyncSession, Depends(_read_session, scope="function")]
WriteSession = Annotated[AsyncSession, Depends(_write_session, scope="function")]
# One dependency for all of it: each costs every request 40 us.
HouseInUse = Annotated[House, Depends(_house)]

_api_key = HTTPBearer(scheme_name="ApiKey", auto_error=False, description="An API key, `cp_live_...` or `cp_test_...`.")
_booking_token = HTTPBearer(
    scheme_name="BookingToken", auto_error=False, description="The token of one booking, `cp_booking_...`."
)
AnyCaller = Annotated[Caller, Depends(caller_of)]
SlotsWriter = Annotated[Caller, Depends(_must(Scope.SLOTS_WRITE))]
BookingsReader = Annotated[Caller, Depends(_must(Scope.BOOKINGS_READ))]
PrivacyOfficer = Annotated[Caller, Depends(_must(Scope.PRIVACY))]
ContentReader = Annotated[Caller, Depends(_must(Scope.CONTENT_READ))]
ContentWriter = Annotated[Caller, Depends(_must(Scope.CONTENT_WRITE))]
ContentPublisher = Annotated[Caller, Depends(_must(Scope.CONTENT_PUBLISH))]
AuditReader = Annotated[Caller, Depends(_must(Scope.AUDIT_READ))]
Token = Annotated[str | None, Depends(_token)]

with_api_key = Depends(_api_key)
with_booking_token = Depends(_booking_token)

IdempotencyKey = Annotated[str, Depends(_idempotency_key)]
OptionalIdempotencyKey = Annotated[str | None, Depends(_optional_idempotency_key)]

# The versions of which one must be the present one; None for whatever it is.
IfMatch = Annotated[frozenset[int] | None, Depends(_if_match)]
OptionalIfMatch = Annotated[frozenset[int] | None, Depends(_optional_if_match)]

PathSlug = Annotated[str, AfterValidator(_slug)]
ConditionSlug = Annotated[
    PathSlug, Path(description="The condition's slug.", examples=["acute-lymphoblastic-leukemia"])
]
CategorySlug = Annotated[PathSlug, Path(description="The category's slug.", examples=["hematologic-malignancies"])]
TreatmentSlug = Annotated[PathSlug, Path(description="The therapy's slug.", examples=["car-t-cell-therapy"])]
ClinicianSlug = Annotated[PathSlug, Path(description="The clinician's slug.", examples=["dr-rivera"])]
LocationSlug = Annotated[PathSlug, Path(description="The location's slug.", examples=["main-building"])]
