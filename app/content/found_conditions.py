"""The list of conditions as a search finds them."""

from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import conditions, locales, search_rows
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
    # The index must not know less than this session: the answer may be remembered until something else is published.
    version = await search_rows.version(session)
    among = None if wanted == ConditionFilter() else await conditions.list_ids(session, wanted, languages=languages)
    found = await search.rank_conditions(
        text, limit=limit, languages=languages, among=among, version=version, after=after
    )
    cards = await conditions.list_chosen(session, [condition_id for condition_id, _ in found], languages=languages)
    # What was withdrawn after the session began is in the session still, and the other way round.
    return [(cards[condition_id], position) for condition_id, position in found if condition_id in cards]
