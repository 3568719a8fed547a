"""What slots are offered for, as ranges of indexes: each is read in its own order, and only as far as it is needed."""

from typing import Any, Final, TypeAlias

from sqlalchemy import JSON, ColumnElement, Integer, Select, Text, Uuid, bindparam, cast, column, func, union_all
from sqlalchemy import select as core_select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import col

from app.consultations.neighbours import categories, conditions
from app.consultations.tables import ConsultationSlot

_Slots: TypeAlias = Select[*tuple[Any, ...]]
_Rule: TypeAlias = ColumnElement[bool]
_start: Final = col(ConsultationSlot.starts_at)
_id: Final = col(ConsultationSlot.id)
_condition_id: Final = col(ConsultationSlot.condition_id)
_category_id: Final = col(ConsultationSlot.category_id)
_LIMIT: Final = bindparam("limit", type_=Integer())
# In the words of the index.
FOR_ANYTHING: Final = func.coalesce(_condition_id, _category_id).is_(None)


class list_of(FunctionElement[Any]):  # noqa: N801 - written like a function of SQL
    """All values of a column, as one list in JSON."""

    type = JSON()
    inherit_cache = True


class elements_of(FunctionElement[Any]):  # noqa: N801 - written like a function of SQL
    """What stands in a list in JSON, as a table of one column: `value`."""

    inherit_cache = True


def soonest(slots: _Slots) -> _Slots:
    """The soonest of these slots, as many as the bound `limit`."""
    return slots.order_by(_start, _id).limit(_LIMIT)


def soonest_of(slots: _Slots, *ranges: _Rule, dialect: str) -> _Slots:
    """The soonest of these slots that lie in one of the ranges; no slot may lie in two.

    They are merged as they come: nothing is sorted, and what it costs does not grow with how many slots there are.
    """
    parts = [slots.where(each) for each in ranges]
    if dialect == "postgresql":
        # It merges what is in order by itself. SQLite merges what it can read in order, and would sort these.
        parts = [core_select(soonest(part).subquery(f"range_{number}")) for number, part in enumerate(parts)]
    merged = union_all(*parts)
    found = merged.selected_columns
    return core_select(merged.order_by(found.starts_at, found.id).limit(_LIMIT).subquery("soonest"))


def offered_for(topic: str, *where: _Rule) -> tuple[_Rule, ...]:
    """The ranges of what is offered for the bound `condition`, its category or anything, or for the bound `category`...

    ... its conditions or anything. An unknown slug finds nothing, not even what is for anything. All of them are to
    be asked for nothing but slots of which `where` holds.
    """
    groups = conditions if topic == "condition" else categories
    is_asked = groups.c.slug == bindparam(topic)
    asked = core_select(groups.c.id).where(is_asked).scalar_subquery()
    for_anything = FOR_ANYTHING & asked.is_not(None)
    if topic == "condition":
        category = core_select(groups.c.category_id).where(is_asked).scalar_subquery()
        return _condition_id == asked, _category_id == category, for_anything
    return _category_id == asked, _id.in_(_of_conditions(asked, *where)), for_anything


def _of_conditions(category: Any, *where: _Rule) -> Any:
    """The soonest slots of each of its conditions: none but these can be among the soonest of all."""
    one: Any = core_select(_id.label("id")).where(_condition_id == conditions.c.id, *where).order_by(_start, _id)
    ids = core_select(list_of(one.limit(_LIMIT).correlate(conditions).subquery("one").c.id)).scalar_subquery()
    each = elements_of(ids).table_valued(column("value", Text()), name="each", joins_implicitly=True)
    return core_select(cast(each.c.value, Uuid())).select_from(conditions).where(conditions.c.category_id == category)


@compiles(list_of, "postgresql")
def _list_on_postgresql(element: list_of, compiler: Any, **how: Any) -> str:
    return f"json_agg({compiler.process(element.clauses, **how)})"


@compiles(list_of, "sqlite")
def _list_on_sqlite(element: list_of, compiler: Any, **how: Any) -> str:
    return f"json_group_array({compiler.process(element.clauses, **how)})"


@compiles(elements_of, "postgresql")
def _elements_on_postgresql(element: elements_of, compiler: Any, **how: Any) -> str:
    return f"json_array_elements_text({compiler.process(element.clauses, **how)})"


@compiles(elements_of, "sqlite")
def _elements_on_sqlite(element: elements_of, compiler: Any, **how: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **how)})"
