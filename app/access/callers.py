"""Who is asking."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.access.errors import CredentialInvalid, ScopeMissing
from app.access.tables import ApiKey
from app.core import clock
from app.core.ids import digest, new_id, new_secret

KEY_PREFIXES: Final = ("cp_live_", "cp_test_")
BOOKING_PREFIX: Final = "cp_booking_"


class Scope(StrEnum):
    """What an API key may do."""

    SLOTS_WRITE = "slots:write"
    BOOKINGS_READ = "bookings:read"
    BOOKINGS_WRITE = "bookings:write"
    BOOKINGS_OVERRIDE = "bookings:override"
    CONTENT_READ = "content:read"
    CONTENT_WRITE = "content:write"
    CONTENT_PUBLISH = "content:publish"
    PRIVACY = "privacy"
    AUDIT_READ = "audit:read"


class KeyNameTaken(Exception):
    """There is a key of this name already."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody, with what they may do."""

    # How logs of what was done name the caller: `anonymous`, `api_key:<id>`, `command_line`, `booking_holder`.
    actor: str
    scopes: frozenset[str] = frozenset()

    def may(self, scope: Scope) -> bool:
        """Whether the caller has this scope."""
        return scope in self.scopes

    def must(self, scope: Scope) -> None:
        """Raise CredentialInvalid for an anonymous caller, ScopeMissing for one without the scope."""
        if scope not in self.scopes:
            raise CredentialInvalid if self is ANONYMOUS else ScopeMissing


ANONYMOUS: Final = Caller("anonymous")
BOOKING_HOLDER: Final = Caller("booking_holder")
COMMAND_LINE: Final = Caller("command_line", frozenset(Scope))


async def identify(session: AsyncSession, token: str) -> Caller:
    """The caller that an API key belongs to; raises CredentialInvalid."""
    query = select(ApiKey.id, ApiKey.scopes).where(
        ApiKey.secret_hash == digest(token), col(ApiKey.revoked_at).is_(None)
    )
    found = (await session.exec(query)).first()
    if found is None or not token.startswith(KEY_PREFIXES):
        raise CredentialInvalid
    key_id, scopes = found
    return Caller(f"api_key:{key_id}", frozenset(scopes))


async def create_key(session: AsyncSession, *, name: str, scopes: list[Scope], is_live: bool) -> str:
    """Make an API key and return it; only its hash is kept. Raises KeyNameTaken."""
    at = await clock.now_in(session)
    token = new_secret(KEY_PREFIXES[0] if is_live else KEY_PREFIXES[1])
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    made = await session.exec(
        insert(ApiKey)
        .values(id=new_id(), name=name, secret_hash=digest(token), scopes=sorted(set(scopes)), created_at=at)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(col(ApiKey.id))
    )
    key_id = made.first()
    if key_id is None:
        raise KeyNameTaken
    await audit.record(session, by=COMMAND_LINE.actor, action="api_key.created", subject=str(key_id[0]), at=at)
    return token
