"""Texts of former times, in the names that things have now."""

from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import slugs
from app.content.document import ConditionDocument
from app.content.editorial_tables import SlugRedirect, Subject
from app.content.tables import CategoryName, Treatment


async def present(session: AsyncSession, content: dict[str, Any]) -> ConditionDocument:
    """A revision's document as it can be published today: renamed categories and treatments by their present names.

    What is published is not written anew when they are renamed, so that a revision stays what it was.
    """
    return ConditionDocument.model_validate(
        content
        | {
            "category": await _category(session, content["category"], content["locale"]),
            "treatment_options": await _options(session, content["treatment_options"]),
        }
    )


async def _category(session: AsyncSession, said: dict[str, Any], locale: str) -> dict[str, Any]:
    thing = await slugs.find(session, Subject.CATEGORY, said["slug"])
    if thing is None:
        return said
    query = select(CategoryName.name).where(CategoryName.category_id == thing.id, CategoryName.locale == locale)
    return {"slug": thing.slug, "name": (await session.exec(query)).first() or said["name"]}


async def _options(session: AsyncSession, said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    query = (
        select(SlugRedirect.slug, Treatment.slug)
        .join(Treatment, col(Treatment.id) == SlugRedirect.treatment_id)
        .where(SlugRedirect.kind == Subject.TREATMENT, col(SlugRedirect.slug).in_([one["slug"] for one in said]))
    )
    renamed = dict((await session.exec(query)).all()) if said else {}
    return [one | {"slug": renamed.get(one["slug"], one["slug"])} for one in said]
