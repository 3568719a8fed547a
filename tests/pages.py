"""Condition pages for tests: words that nobody can take for medicine."""

from typing import Any

from app.content import publishing
from app.content.document import ConditionDocument
from app.content.publishing import PublishedRevision
from app.content.tables import RevisionSource
from app.core.db import Database


def page_content(slug: str = "synthetic-condition", **changes: Any) -> dict[str, Any]:
    """What a seed file or an editor says of a synthetic condition."""
    content = {
        "slug": slug,
        "name": f"Synthetic {slug}",
        "summary": "Synthetic summary.",
        "category": {"slug": "synthetic-category", "name": "Synthetic Category"},
        "overview": "Synthetic overview.",
        "when_to_consult": "Synthetic time.",
        "what_to_bring": {"text": "Synthetic thing.", "items": ["Synthetic thing"]},
        "risk_factors": ["Synthetic factor"],
        "causes": ["Synthetic cause"],
        "treatment_options": [treatment("synthetic-treatment")],
        "consultation": {"heading": "Synthetic heading", "text": "Synthetic call."},
    }
    return content | changes


def treatment(slug: str, name: str = "Synthetic Treatment", description: str = "Synthetic words.") -> dict[str, str]:
    """A treatment option of a page."""
    return {"slug": slug, "name": name, "description": description}


async def publish(database: Database, slug: str = "synthetic-condition", **changes: Any) -> PublishedRevision:
    """Publish a synthetic page as an editor does, in a transaction of its own."""
    document = ConditionDocument.model_validate(page_content(slug, **changes))
    async with database.write() as session:
        return await publishing.publish(session, document, source=RevisionSource.EDITOR, by="test")
