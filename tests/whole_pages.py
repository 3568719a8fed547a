"""A condition page with all that a page can have, and its translation: words that nobody can take for medicine."""

from datetime import UTC, datetime

from app.content.shapes import ConditionPublic, TranslationPublic
from tests.pages import page_content, treatment

SITE = "https://www.example.org"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)

EVERYTHING = ConditionPublic.model_validate(
    page_content()
    | {
        "name": "Synthetic </script> <b>Condition</b>",
        "alternate_names": ["Synthetic name", "SC"],
        "category": {"slug": "pediatric", "name": "Synthetic Category"},
        "treatment_options": [treatment("synthetic-a"), treatment("synthetic-b", name="Synthetic B")],
        "consultation": {"heading": "Synthetic heading", "text": "Synthetic call.", "slots_url": "/consultation-slots"},
        "codes": [{"system": "icd-10", "code": "Z99.8"}, {"system": "mesh", "code": "D000001"}],
        "urgency_signs": [
            {"sign": "Synthetic sign.", "urgency": "emergency", "action": "Synthetic action."},
            {"sign": "Another sign.", "urgency": "routine", "action": "Another action."},
        ],
        "references": [
            {"section": "overview", "title": "Synthetic source", "url": f"{SITE}/a", "publisher": "Synthetic society"},
            {"section": "causes", "title": "Another source", "url": f"{SITE}/b"},
        ],
        "review": {
            "last_reviewed_on": "2026-11-01",
            "next_review_on": "2028-11-01",
            "reviewed_by": "Synthetic board",
            "status": "current",
        },
        "translations": [{"locale": "es", "name": "Condición sintética", "revisions_behind": 1}],
        "locale": "en",
        "revision": 3,
        "published_at": NOW,
        "updated_at": NOW,
    }
)
TRANSLATED = EVERYTHING.model_copy(
    update={
        "locale": "es",
        "translations": [
            TranslationPublic(locale=tag, name=f"Synthetic {tag}", revisions_behind=0) for tag in ("en", "fr")
        ],
    }
)
