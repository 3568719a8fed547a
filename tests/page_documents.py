"""Condition documents for property tests: every field, and texts that a file format could take for something else."""

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from app.content.document import ConditionDocument, Section
from app.content.tables import Urgency
from app.core.shapes import DEFAULT_LOCALE
from tests.pages import page_content

# Words that YAML, or one of its readers, takes for a truth, a number, a date, an alias, a comment ...
_TRAPS = [
    *("no", "On", "YES", "y", "null", "~", "true", ".nan", "1", "0x1f", "1e5", "1_000", "012", "+1", "2027-01-01"),
    *("12:30", "a:", "---", "...", "&a", "*a", "- a", "a: b", "a #b", "!!int 1", "{a: 1}", "\\n", "'no'", '"no"'),
    *"<=-?:#&*!|>%@`{}[],'\"\\é🦥",
]
_SPACES = [" ", "  ", "\u00a0", "\u3000", "\u2028", "\u2029", "\ufeff", "\u200b", "\u200d", "\u202f", "\uffff"]
_BREAKS = ["\n", "\n\n", "\r\n", "\r", "\t", "\n ", " \n", "\n\t"]
_LONG = ["Synthetic " * 15, "x" * 130, "Synthetic words. " * 12 + "end"]
_ANY = st.characters(exclude_categories=["Cs", "Cc"])


def _is_seen(text: str) -> bool:
    return any(character.isalnum() for character in text)


_LINES = st.lists(st.sampled_from([*_TRAPS, *_SPACES, *_LONG[:1], "a"]), min_size=1, max_size=6).map("".join)
_TEXTS = st.lists(st.sampled_from([*_TRAPS, *_SPACES, *_BREAKS, *_LONG, "a"]), min_size=1, max_size=12).map("".join)
LINE = (st.sampled_from([trap for trap in _TRAPS if _is_seen(trap)]) | _LINES | st.text(_ANY, max_size=40)).filter(
    lambda line: _is_seen(line) and len(line) <= 200
)
PROSE = (_TEXTS | st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\r\n"))).filter(_is_seen)
SLUG = st.sampled_from(["no", "on", "1", "007", "1e5", "null", "0x1f", "2027-01-01", "y", "a-b"])
_DAY = st.dates(date(2020, 1, 1), date(2030, 1, 1))


def _several(things: st.SearchStrategy[Any], by: Any = None) -> st.SearchStrategy[list[Any]]:
    return st.lists(things, max_size=3, unique_by=by)


def contents() -> st.SearchStrategy[dict[str, Any]]:
    """What documents say, but for their slug, language and category."""
    option = st.fixed_dictionaries({"slug": SLUG, "name": LINE, "description": PROSE})
    sign = st.fixed_dictionaries({"sign": LINE, "urgency": st.sampled_from(Urgency), "action": LINE})
    review = st.builds(
        lambda day, name: {"last_reviewed_on": day, "next_review_on": day + timedelta(days=1), "reviewed_by": name},
        _DAY,
        LINE,
    )
    source = st.fixed_dictionaries(
        {
            "section": st.sampled_from(Section),
            "title": LINE,
            "url": st.just("https://example.org/?a=1#b:c"),
        },
        optional={"publisher": LINE},
    )
    code = st.fixed_dictionaries({"system": st.just("mesh"), "code": st.sampled_from(["D1", "E10", "NO1"])})
    return st.fixed_dictionaries(
        {
            "name": LINE,
            "alternate_names": _several(LINE),
            "summary": PROSE,
            "overview": PROSE,
            "when_to_consult": PROSE,
            "what_to_bring": st.fixed_dictionaries({"text": PROSE, "items": _several(LINE)}),
            "risk_factors": _several(LINE),
            "causes": _several(LINE),
            "treatment_options": _several(option, lambda each: each["slug"]),
            "consultation": st.fixed_dictionaries({"heading": LINE, "text": PROSE}),
            "codes": _several(code, lambda each: each["code"]),
            "urgency_signs": _several(sign),
            "review": st.none() | review,
            "references": _several(source),
            "source_revision": st.none() | st.integers(1, 2**31 - 1),
        }
    )


def document(slug: str, locale: str = DEFAULT_LOCALE, **content: Any) -> ConditionDocument:
    """A document of this page."""
    return ConditionDocument.model_validate(page_content(slug, locale=locale, **content))


def folders() -> st.SearchStrategy[list[ConditionDocument]]:
    """The documents of a few conditions, some of them in several languages; a category has one name."""
    page = st.tuples(contents(), _several(st.sampled_from(["es", "pt-BR"]), lambda locale: locale), contents())
    category = st.fixed_dictionaries({"slug": SLUG, "name": LINE})

    def build(pages: dict[str, Any], category: dict[str, str]) -> list[ConditionDocument]:
        return [
            document(slug, locale, **(content if locale == DEFAULT_LOCALE else translated), category=category)
            for slug, (content, others, translated) in pages.items()
            for locale in (DEFAULT_LOCALE, *others)
        ]

    return st.builds(build, st.dictionaries(SLUG, page, min_size=1, max_size=3), category)
