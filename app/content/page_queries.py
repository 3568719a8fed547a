"""The statements that a page is read with: put together once, for that takes as long as to run them."""

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from sqlalchemy import CompoundSelect, Select, bindparam, literal, union_all
from sqlalchemy import select as core_select
from sqlmodel import col

from app.content import locales
from app.content.tables import (
    AlternateName,
    Category,
    CategoryName,
    Cause,
    ChecklistItem,
    Condition,
    ConditionCode,
    ConditionPage,
    PageReference,
    RiskFactor,
    Treatment,
    TreatmentOption,
    UrgencySign,
)

_page: Final = ConditionPage.__table__  # type: ignore[attr-defined]
# Lists of short lines, by their names.
LINES: Final = {
    "alternate_name": AlternateName,
    "checklist_item": ChecklistItem,
    "risk_factor": RiskFactor,
    "cause": Cause,
}


@cache
def page(locale: str) -> Select[*tuple[Any, ...]]:
    """The page in this language, of the condition with the bound `slug`."""
    category, name = col(Category.slug), locales.category_words(CategoryName.name, locales.of_page(locale))
    return (
        core_select(*_page.c, col(Condition.slug), category.label("category_slug"), name.label("category_name"))
        .select_from(_page)
        .join(Condition, col(Condition.id) == _page.c.condition_id)
        .join(Category, col(Category.id) == Condition.category_id)
        .where(col(Condition.slug) == bindparam("slug"), _page.c.locale == locale)
    )


@cache
def page_id() -> Select[*tuple[Any, ...]]:
    """The id of the page in the bound `locale`, of the condition with the bound `slug`."""
    query = core_select(_page.c.id).join(Condition, col(Condition.id) == _page.c.condition_id)
    return query.where(col(Condition.slug) == bindparam("slug"), _page.c.locale == bindparam("locale"))


@cache
def languages() -> Select[*tuple[Any, ...]]:
    """The languages that there are pages in, of the condition with the bound `slug`."""
    query = core_select(_page.c.locale).join(Condition, col(Condition.id) == _page.c.condition_id)
    return query.where(col(Condition.slug) == bindparam("slug"))


@cache
def codes() -> Select[*tuple[Any, ...]]:
    """The codes of the condition with the bound id."""
    query = core_select(col(ConditionCode.system), col(ConditionCode.code)).order_by(col(ConditionCode.position))
    return query.where(col(ConditionCode.condition_id) == bindparam("condition_id"))


@cache
def lines() -> CompoundSelect[*tuple[Any, ...]]:
    """All short lines of the page with the bound id: kind, place and text."""
    parts: Iterable[Select[*tuple[Any, ...]]] = (
        core_select(literal(kind).label("kind"), col(table.position).label("position"), col(table.text).label("text"))
        .where(col(table.page_id) == bindparam("page_id"))
        for kind, table in LINES.items()
    )  # fmt: skip
    return union_all(*parts).order_by("kind", "position")


@cache
def treatments() -> Select[*tuple[Any, ...]]:
    """The treatment options of the page with the bound id."""
    return (
        core_select(col(Treatment.slug), col(TreatmentOption.name), col(TreatmentOption.description))
        .join(Treatment, col(Treatment.id) == TreatmentOption.treatment_id)
        .where(col(TreatmentOption.page_id) == bindparam("page_id"))
        .order_by(col(TreatmentOption.position))
    )


@cache
def signs() -> Select[*tuple[Any, ...]]:
    """The signs that ask for action, of the page with the bound id."""
    sign = UrgencySign
    query = core_select(col(sign.sign), col(sign.urgency), col(sign.action))
    return query.where(col(sign.page_id) == bindparam("page_id")).order_by(col(sign.position))


@cache
def references() -> Select[*tuple[Any, ...]]:
    """What the page with the bound id rests on."""
    source = PageReference
    query = core_select(col(source.section), col(source.title), col(source.url), col(source.publisher))
    return query.where(col(source.page_id) == bindparam("page_id")).order_by(col(source.position))


@cache
def others() -> Select[*tuple[Any, ...]]:
    """The pages of the condition with the bound id in languages other than the bound `locale`."""
    query = core_select(_page.c.locale, _page.c.name, _page.c.revision, _page.c.source_revision)
    its_others = _page.c.condition_id == bindparam("condition_id"), _page.c.locale != bindparam("locale")
    return query.where(*its_others).order_by(_page.c.locale)
