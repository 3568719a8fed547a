"""Every published page by its address: what a sitemap lists."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Integer, Select, bindparam, func
from sqlalchemy import select as core_select
from sqlalchemy.orm import aliased
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.tables import Condition, ConditionPage
from app.core.db import rows

_translation = aliased(ConditionPage)
_condition_id, _locale, _updated_at = (
    col(ConditionPage.condition_id),
    col(ConditionPage.locale),
    col(ConditionPage.updated_at),
)
# The order of an index, and of the first publication: a new page goes to the end, and pages before it stay in place.
_ORDER: Final = (_condition_id, _locale)
_ADDRESSES: Final[Select[*tuple[Any, ...]]] = (
    core_select(
        col(Condition.slug),
        _locale,
        _updated_at,
        core_select(func.aggregate_strings(col(_translation.locale), ","))
        .where(col(_translation.condition_id) == _condition_id)
        .scalar_subquery()
        .label("locales"),
    )
    .join(Condition, col(Condition.id) == _condition_id)
    .order_by(*_ORDER)
    .offset(bindparam("skip", type_=Integer))
    .limit(bindparam("limit", type_=Integer))
)
_numbered: Final = core_select(
    _updated_at, ((func.row_number().over(order_by=_ORDER) - 1) // bindparam("size", type_=Integer)).label("part")
).subquery()
_PARTS: Final = (
    core_select(func.max(_numbered.c.updated_at).label("updated_at"))
    .group_by(_numbered.c.part)
    .order_by(_numbered.c.part)
)


@dataclass(frozen=True, slots=True)
class PageAddress:
    """A published page in one language, and the languages that there are of it, its own among them."""

    slug: str
    locale: str
    locales: list[str]
    updated_at: datetime


async def list_addresses(session: AsyncSession, *, skip: int, limit: int) -> list[PageAddress]:
    """These pages of all that are published, in every language."""
    return [
        PageAddress(row.slug, row.locale, sorted(row.locales.split(",")), row.updated_at)
        for row in await rows(session, _ADDRESSES, {"skip": skip, "limit": limit})
    ]


async def list_parts(session: AsyncSession, *, size: int) -> list[datetime]:
    """Of each lot of so many pages, in the same order: when one of them last changed."""
    return [row.updated_at for row in await rows(session, _PARTS, {"size": size})]
