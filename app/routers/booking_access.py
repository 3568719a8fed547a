"""What the doors of one booking have in common: who may pass, and what the booking is about."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Path
from sqlalchemy import Row
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import callers
from app.access.callers import BOOKING_HOLDER, KEY_PREFIXES, Scope
from app.access.errors import CredentialInvalid, ScopeMissing
from app.consultations import bookings
from app.consultations.bookings import Booking, Topic
from app.consultations.errors import BookingNotFound
from app.content import slugs
from app.content.editorial_tables import Subject
from app.content.errors import ConditionNotFound
from app.content.published import PublishedPages
from app.core.db import Database
from app.core.errors import InvalidInput

Reference = Annotated[
    str, Path(description="The booking's reference, as a person would say it.", examples=["7K3M9-QRT2N"])
]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who came to one booking and was let in, with the booking as it was then."""

    actor: str
    is_staff: bool
    scopes: frozenset[str]
    seen: Booking

    @property
    def may_read(self) -> bool:
        """Whether the visitor may know what the patient told."""
        return not self.is_staff or Scope.BOOKINGS_READ in self.scopes

    @property
    def may_act(self) -> bool:
        """Whether the visitor may do more than look."""
        return not self.is_staff or Scope.BOOKINGS_WRITE in self.scopes

    def must(self, scope: Scope) -> None:
        """Raise ScopeMissing without this scope."""
        if scope not in self.scopes:
            raise ScopeMissing


async def let_in(database: Database, reference: str, token: str | None, scope: Scope) -> Visitor:
    """Who comes with this token: the booking's holder, or staff with this scope.

    Raises BookingNotFound, the same for whatever is wrong. Asked of a reader, so that a stranger makes no writer wait.
    """
    if token is None:
        raise CredentialInvalid
    async with database.read() as session:
        if not token.startswith(KEY_PREFIXES):
            seen = await bookings.get(session, reference, token=token)
            return Visitor(BOOKING_HOLDER.actor, is_staff=False, scopes=frozenset(), seen=seen)
        try:
            staff = await callers.identify(session, token)
        except CredentialInvalid:
            raise BookingNotFound from None
        if not staff.may(scope):
            raise BookingNotFound
        return Visitor(staff.actor, is_staff=True, scopes=staff.scopes, seen=await bookings.get(session, reference))


async def find_topic(session: AsyncSession, published: PublishedPages, slug: str | None) -> Topic | None:
    """The condition that was asked for, by its slug or a former one; raises InvalidInput unless it is published."""
    if slug is None:
        return None
    with suppress(ConditionNotFound):
        return await _topic(published, slug)
    renamed = await slugs.find(session, Subject.CONDITION, slug)
    with suppress(ConditionNotFound):
        if renamed is not None:
            return await _topic(published, renamed.slug)
    raise InvalidInput.at("/condition", "unknown_reference", "names nothing that is published here")


async def topic_of_slot(published: PublishedPages, slot: Row[Any]) -> Topic | None:
    """The condition that a slot is offered for; while its page is not published, nobody says what to bring."""
    if slot.condition_slug is None:
        return None
    try:
        return await _topic(published, slot.condition_slug)
    except ConditionNotFound:
        name = slot.condition_name or slot.condition_slug
        return Topic(slot.condition_id, None, slot.condition_slug, name, what_to_bring=None, page_revision=None)


async def _topic(published: PublishedPages, slug: str) -> Topic:
    about = await published.reference(slug)
    bring = about.what_to_bring
    return Topic(about.id, about.category_id, about.slug, about.name, bring.model_dump(), about.revision)
