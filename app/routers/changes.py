"""The feed of changes."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import MISSING, Field

from app.content import changes
from app.content.editorial_tables import ChangeKind, Subject
from app.core.caching import FreshRoute
from app.core.errors import InvalidInput
from app.core.paging import PageQuery, next_link, small
from app.core.problems import responses
from app.core.shapes import DEFAULT_LOCALE, NOT_IN_EXAMPLE, ResponseShape, Slug
from app.routers.deps import ALWAYS, ReadSession

router = APIRouter(prefix="/changes", tags=["Changes"], route_class=FreshRoute, responses=responses(*ALWAYS))
_ADDRESSES: Final = {
    Subject.CONDITION: "/conditions/",
    Subject.CATEGORY: "/categories/",
    Subject.TREATMENT: "/treatment-options/",
}
_GONE: Final = frozenset({ChangeKind.WITHDRAWN, ChangeKind.UNPUBLISHED, ChangeKind.DELETED})


class ContentChangePublic(ResponseShape):
    """One change of what is public."""

    number: int = Field(description="Its place in the feed: a later change has a higher one.", examples=[42])
    at: datetime = Field(description="When, UTC.", examples=["2026-11-23T09:00:00Z"])
    kind: ChangeKind = Field(
        description="`published`, `updated`: read it. `renamed`: the same thing under another slug. `withdrawn` (a "
        "condition in every language), `unpublished` (a page in one language, or a treatment that no page offers any "
        "more), `deleted`: forget it.",
        examples=["updated"],
    )
    subject: Subject = Field(description="What kind of thing.", examples=["condition"])
    id: UUID = Field(
        description="The thing's id: it stays when the slug changes.", examples=["01993b2e-6a01-7c3e-9d54-0b7f2a8c1e66"]
    )
    slug: Slug = Field(description="Its slug after the change.", examples=["acute-lymphoblastic-leukemia"])
    previous_slug: Slug | MISSING = Field(
        default=MISSING,
        description="Its slug before the change, where that is another.",
        examples=["lymphoblastic-leukemia"],
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    locale: str | MISSING = Field(
        default=MISSING, description="In which language (BCP 47); absent: in every one.", examples=["en"]
    )
    revision: int | MISSING = Field(
        default=MISSING, description="The page's revision after the change; absent where there is none.", examples=[3]
    )
    sections: list[str] = Field(
        description="Names of the fields that differ from the revision before.", examples=[["overview"]]
    )
    url: str | MISSING = Field(
        default=MISSING,
        description="Where it can be read, relative to this API; absent where it is gone, and of a treatment while no "
        "page offers it.",
        examples=["/conditions/acute-lymphoblastic-leukemia"],
    )


class ContentChangeList(ResponseShape):
    """A part of the feed. Unlike other lists it has no end: `next` is always there."""

    items: list[ContentChangePublic] = Field(description="Changes, oldest first; empty when there are no newer ones.")
    next: str = Field(
        description="Address of what follows, relative to this API. Where `items` is empty, keep it and ask later.",
        examples=["/changes?limit=1&cursor=WyI0MiJd"],
    )


@router.get("", responses=responses(InvalidInput))
async def list_changes(
    query: Annotated[PageQuery, Query()], request: Request, response: Response, session: ReadSession
) -> ContentChangeList:
    """List what changed.

    Every change of what is public, oldest first and for ever, so that a copy kept elsewhere can be made and kept in
    step from this list alone. Unlike other lists it has no end: `next` is always there. Follow it while `items` holds
    something; then keep it, and ask it again later (with `If-None-Match`): it answers what is new, and never leaves out
    a change.

    A page also says its category's name and slug, its treatments' slugs and which translations it has: read a
    condition's pages again when one of its languages changes, and a category's or a treatment's when that one does. It
    takes up to a second until every server answers with the new page, and longer in caches on the way: read it a second
    later, and again while its `revision` is lower than the one told here. A `cursor` that is refused belongs to another
    database, or to one that was set back to an older state: begin anew without it.
    """
    after = query.first(small) or 0
    feed = await changes.read(session, after=after, limit=query.limit)
    if not 0 <= after <= feed.newest:
        raise InvalidInput.parameter("cursor", "cursor", "is not a cursor that this list gave out")
    last = feed.entries[-1].number if feed.entries else after
    offered = await changes.offered(session, feed.entries)
    return ContentChangeList(
        items=[_shown(entry, offered) for entry in feed.entries],
        next=next_link(request, response, last, lambda number: (number,)),
    )


def _shown(entry: Any, offered: Collection[UUID]) -> ContentChangePublic:
    is_waiting = entry.subject == Subject.TREATMENT and entry.subject_id not in offered
    return ContentChangePublic(
        number=entry.number,
        at=entry.at,
        kind=entry.kind,
        subject=entry.subject,
        id=entry.subject_id,
        slug=entry.slug,
        previous_slug=_or_missing(entry.previous_slug),
        locale=_or_missing(entry.locale),
        revision=_or_missing(entry.revision),
        sections=entry.sections,
        url=MISSING if is_waiting or entry.kind in _GONE else _url(entry),
    )


def _url(entry: Any) -> str:
    language = f"?locale={entry.locale}" if entry.locale not in (None, DEFAULT_LOCALE) else ""
    return f"{_ADDRESSES[entry.subject]}{entry.slug}{language}"


def _or_missing(value: Any) -> Any:
    return MISSING if value is None else value
