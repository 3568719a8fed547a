"""The list of conditions as a search finds them."""

from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import conditions, locales
from app.content.conditions import ConditionFilter
from app.content.locales import Languages
from app.content.search import Search
from app.content.search_ranks import Position
from app.content.shapes import ConditionSummary


async def list_found(
    session: AsyncSession,
    search: Search,
    text: str,
    wanted: ConditionFilter,
    *,
    limit: int,
    after: Position | None = None,
    languages: Languages = locales.DEFAULT,
) -> list[tuple[ConditionSummary, Position]]:
    """Cards of the conditions that a text finds and that the filter wants, the best first, each with its place."""
    among = None if wanted == ConditionFilter() else await conditions.list_ids(session, wanted, languages=languages)
    return await search.find_conditions(text, limit=limit, languages=languages, among=among, after=after)
