"""The audit trail."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.access import audit
from app.access.errors import CredentialInvalid, ScopeMissing
from app.core import clock
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput
from app.core.paging import PageQuery, next_link, page_of
from app.core.problems import responses
from app.core.shapes import Instant, Line, ListShape, ResponseShape
from app.routers.deps import ALWAYS, AuditReader, HouseInUse, with_api_key

router = APIRouter(prefix="/audit", tags=["Audit"], route_class=FreshRoute, responses=responses(*ALWAYS))
_SUBJECT = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"


class AuditQuery(PageQuery):
    """Which entries to list."""

    actor: Annotated[str, Line(200)] | None = Field(
        default=None, description="Done by this actor.", examples=["booking_holder"]
    )
    action: Annotated[str, Line(200)] | None = Field(
        default=None, description="Of this kind.", examples=["patient.read"]
    )
    subject: Annotated[str, Line(200)] | None = Field(
        default=None, description="Done to this thing.", examples=[_SUBJECT]
    )
    since: Instant | None = Field(
        default=None, alias="from", description="Done at this moment or later.", examples=["2026-11-01T00:00:00Z"]
    )
    before: Instant | None = Field(
        default=None, alias="to", description="Done before this moment.", examples=["2026-12-01T00:00:00Z"]
    )


class AuditEntryPublic(ResponseShape):
    """One thing that somebody did. It names what was changed or read, never a value."""

    id: UUID = Field(description="Its id.", examples=["01993b2e-6a01-7c3e-9d54-0b7f2a8c1e66"])
    at: datetime = Field(description="When, UTC.", examples=["2026-11-23T09:00:00Z"])
    actor: str = Field(
        description="Who: `api_key:<id>`, `booking_holder` (with the booking's token), `anonymous` (without a "
        "credential), `command_line` (on the server), or the name of what the service does by itself.",
        examples=["booking_holder"],
    )
    action: str = Field(description="What kind of thing.", examples=["patient.read"])
    subject: str = Field(description="To which thing: its id.", examples=[_SUBJECT])
    outcome: str = Field(description="How it ended; what was refused leaves no entry.", examples=["done"])
    fields: list[str] = Field(description="Names of what was changed or read.", examples=[["name", "email"]])
    sealed: bool = Field(
        description="Whether a seal covers it: from then on, no change of it goes unseen. That takes a few seconds.",
        examples=[True],
    )


class AuditEntryList(ListShape):
    """One page of the audit trail."""

    items: list[AuditEntryPublic] = Field(description="Entries, newest first.")


@router.get("", responses=responses(InvalidInput, CredentialInvalid, ScopeMissing), dependencies=[with_api_key])
async def list_audit_entries(
    query: Annotated[AuditQuery, Query()],
    request: Request,
    response: Response,
    caller: AuditReader,
    house: HouseInUse,
) -> AuditEntryList:
    """List what was done.

    Newest first. This look becomes an entry too. Needs the scope `audit:read`.
    """
    # A long look stops no writer.
    async with house.database.read() as session:
        found = await audit.find(
            session,
            actor=query.actor,
            action=query.action,
            subject=query.subject,
            since=query.since,
            before=query.before,
            limit=query.limit + 1,
            after=query.first(UUID),
        )
    page, last = page_of(list(found), query.limit)
    asked = sorted(query.model_dump(by_alias=True, exclude_unset=True, exclude={"limit", "cursor"}))
    async with house.database.write() as session:
        now = await clock.now_in(session)
        await audit.record(session, by=caller.actor, action="audit.read", subject="audit_entries", at=now, fields=asked)
    items = [
        AuditEntryPublic(
            id=entry.id,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            outcome=entry.outcome,
            fields=entry.fields,
            sealed=entry.seal is not None,
        )
        for entry in page
    ]
    return AuditEntryList(items=items, next=next_link(request, response, last, lambda entry: (entry.id,)))
