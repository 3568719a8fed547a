"""Texts of former times, in the names that things have now."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import locales, slugs
from app.content.document import ConditionDocument
from app.content.editorial_tables import Subject
from app.content.tables import Category, CategoryName, Condition
from app.core.shapes import DEFAULT_LOCALE


async def present(session: AsyncSession, content: dict[str, Any]) -> ConditionDocument:
    """A revision's document as it can be published today: renamed categories and treatments by their present names.

    What is published is not written anew when they are renamed, so that a revision stays what it was. A translation is
    in its condition's present category, and so is a text whose category was deleted.
    """
    options = [option["slug"] for option in content["treatment_options"]]
    treatments = await slugs.present(session, Subject.TREATMENT, options) if options else {}
    return in_present_names(content, category=await _category(session, content), treatments=treatments)


def in_present_names(
    content: Mapping[str, Any], *, category: Mapping[str, str], treatments: Mapping[str, str]
) -> ConditionDocument:
    """A revision's document in this category, its treatments by their present slugs, which are known by former ones."""
    options = [one | {"slug": treatments.get(one["slug"], one["slug"])} for one in content["treatment_options"]]
    return ConditionDocument.model_validate({**content, "category": category, "treatment_options": options})


async def _category(session: AsyncSession, content: dict[str, Any]) -> dict[str, str]:
    said, locale = content["category"], content["locale"]
    own = select(Condition.category_id).where(Condition.slug == content["slug"]).scalar_subquery()
    wanted = own if locale != DEFAULT_LOCALE else func.coalesce(slugs.id_of(Subject.CATEGORY, said["slug"]), own)
    name = locales.category_words(CategoryName.name, locales.of_page(locale))
    slug, name = (await session.exec(select(Category.slug, name).where(col(Category.id) == wanted))).one()
    return {"slug": slug, "name": name or slug}
