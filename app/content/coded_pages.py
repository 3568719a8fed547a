"""Published pages by the condition's code in an outside system."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, bindparam
from sqlalchemy import select as core_select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content.tables import CodeSystem, Condition, ConditionCode, ConditionPage
from app.core.db import rows

_ICD_WITHOUT_POINT: Final = re.compile(r"[A-Z]\d[0-9A-Z]{2,5}")
_FOUND: Final[Select[*tuple[Any, ...]]] = (
    core_select(
        col(ConditionCode.code),
        col(Condition.id),
        col(Condition.slug),
        col(ConditionPage.locale),
        col(ConditionPage.name),
        col(ConditionPage.summary),
        col(ConditionPage.updated_at),
    )
    .join(Condition, col(Condition.id) == ConditionCode.condition_id)
    .join(ConditionPage, col(ConditionPage.condition_id) == Condition.id)
    .where(
        col(ConditionCode.system) == bindparam("system"),
        col(ConditionCode.code).in_(bindparam("codes", expanding=True)),
    )
    .order_by(col(ConditionPage.sort_key), col(Condition.id), col(ConditionPage.locale))
)


@dataclass(frozen=True, slots=True)
class CodedPage:
    """A published page in one language, and the code that it was found by."""

    code: str
    condition_id: UUID
    slug: str
    locale: str
    name: str
    summary: str
    updated_at: datetime


def canonical_code(system: CodeSystem, code: str) -> str:
    """A code as it is looked for: one of ICD-10 with its point, C91.0 for C910."""
    if system is CodeSystem.ICD_10 and _ICD_WITHOUT_POINT.fullmatch(code):
        return f"{code[:3]}.{code[3:]}"
    return code


async def list_pages(session: AsyncSession, system: CodeSystem, codes: Sequence[str]) -> list[CodedPage]:
    """The pages, in every language, of conditions that have one of these codes, by name."""
    return [CodedPage(*row) for row in await rows(session, _FOUND, {"system": system, "codes": list(codes)})]
