"""Pages for electronic records: HL7 Infobutton's request by URL, and the answer that MedlinePlus Connect gives to it.

The request's parameters are those of the HL7 Context-Aware Knowledge Retrieval (Infobutton) URL-Based Implementation
Guide. The answer is an Atom feed (RFC 4287), as its Service-Oriented Architecture guide has it, or the same as JSON in
MedlinePlus Connect's spelling: a text is `_value`, an attribute goes by its name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5
from xml.sax.saxutils import escape, quoteattr

from app.content import locales
from app.content.coded_pages import CodedPage
from app.content.tables import CodeSystem
from app.core.shapes import DEFAULT_LOCALE
from app.interop.frontend import condition_url

# The names that an Atom feed may go by; where a client does not mind, MedlinePlus Connect's.
ATOM: Final = ("text/xml", "application/xml", "application/atom+xml")

_ICD_10, _ICD_10_CM, _MESH = "2.16.840.1.113883.6.3", "2.16.840.1.113883.6.90", "2.16.840.1.113883.6.177"
# By object identifier and by name without its punctuation. ICD-10-CM was made from ICD-10 and divides it further: a
# page with an ICD-10 code is found under both, so the hospital codes its pages with what means the same in both.
_SYSTEMS: Final[Mapping[str, tuple[CodeSystem, str]]] = {
    _ICD_10: (CodeSystem.ICD_10, "ICD10"),
    _ICD_10_CM: (CodeSystem.ICD_10, "ICD10CM"),
    _MESH: (CodeSystem.MESH, "MESH"),
    "ICD10": (CodeSystem.ICD_10, "ICD10"),
    "ICD10CM": (CodeSystem.ICD_10, "ICD10CM"),
    "MESH": (CodeSystem.MESH, "MESH"),
    "MSH": (CodeSystem.MESH, "MESH"),
}
_ICD_CODE: Final = re.compile(r"([A-Z]\d[0-9A-Z])\.?([0-9A-Z]{0,4})")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_CHARACTERS_OF_NO_XML: Final = dict.fromkeys([*range(0x9), 0xB, 0xC, *range(0xE, 0x20), 0xFFFE, 0xFFFF])


@dataclass(frozen=True, slots=True)
class Question:
    """What a record asks for: a code, and the codes above it, from the closest."""

    system: CodeSystem
    # The system's name as MedlinePlus Connect repeats it.
    system_name: str
    codes: tuple[str, ...]


def question(code_system: str, code: str) -> Question | None:
    """What a record asks for; None for a system that no page has codes of, and for what is no code.

    ICD-10-CM divides further than the pages do: C91.00 (not in remission) is found under C91.0.
    """
    name = code_system.strip().upper().removeprefix("URN:OID:")
    known = _SYSTEMS.get(name) or _SYSTEMS.get(re.sub(r"[ _-]", "", name))
    if known is None:
        return None
    system, system_name = known
    code = code.strip().upper()
    if system is not CodeSystem.ICD_10:
        return Question(system, system_name, (code,)) if code else None
    match = _ICD_CODE.fullmatch(code)
    if match is None:
        return None
    category, rest = match.groups()
    above = (f"{category}.{rest[:length]}" for length in range(len(rest), 0, -1))
    return Question(system, system_name, (*above, category))


def closest(asked: Question, found: Sequence[CodedPage]) -> list[CodedPage]:
    """Of pages with the code or one above it: those with the closest code."""
    codes = {page.code for page in found}
    best = next((code for code in asked.codes if code in codes), None)
    return [page for page in found if page.code == best]


def in_language(pages: Iterable[CodedPage], asked: str | None) -> list[CodedPage]:
    """Of each condition the page in the language that was asked for, or in what it falls back to."""
    by_condition: dict[UUID, dict[str, CodedPage]] = {}
    for page in pages:
        by_condition.setdefault(page.condition_id, {})[page.locale] = page
    wishes = [] if asked is None else [asked]
    return [there[locales.best(locales.choose(wishes, there), there)] for there in by_condition.values()]


def feed(pages: Sequence[CodedPage], asked: Question | None, *, frontend_url: str | None) -> dict[str, Any]:
    """The answer as JSON: an entry a page, none where no page was found."""
    terms = () if asked is None else (("c", asked.codes[0]), ("cs", asked.system_name))
    subtitle = "Carepath" if asked is None else f"Carepath pages for {asked.system_name} {asked.codes[0]}"
    return {
        "lang": pages[0].locale if pages else DEFAULT_LOCALE,
        "title": _text("Carepath"),
        "subtitle": _text(subtitle),
        # The same for the same question: an answer has an ETag.
        "id": {"_value": uuid5(NAMESPACE_OID, subtitle).urn},
        "updated": {"_value": _moment(max((page.updated_at for page in pages), default=_EPOCH))},
        "author": {"name": {"_value": "Carepath"}},
        "category": [{"scheme": f"mainSearchCriteria.v.{name}", "term": term} for name, term in terms],
        "entry": [_entry(page, frontend_url or "") for page in pages],
    }


def atom(said: Mapping[str, Any]) -> bytes:
    """The same feed as Atom."""
    parts = [
        _elements(said, ("title", "subtitle", "id", "updated")),
        f"<author><name>{_escaped(said['author']['name']['_value'])}</name></author>",
        *(f"<category{_attributes(category)}/>" for category in said["category"]),
        *(
            f"<entry>{_elements(entry, ('title', 'id', 'updated', 'summary'))}"
            f"{''.join(f'<link{_attributes(link)}/>' for link in entry['link'])}</entry>"
            for entry in said["entry"]
        ),
    ]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang={quoteattr(said["lang"])}>{"".join(parts)}</feed>\n'
    ).encode()


def _entry(page: CodedPage, frontend_url: str) -> dict[str, Any]:
    address = condition_url(frontend_url, page.slug, page.locale)
    return {
        "title": _text(page.name),
        "link": [{"href": address, "rel": "alternate", "hreflang": page.locale}],
        # The condition's, whatever its slug will be.
        "id": {"_value": page.condition_id.urn},
        "updated": {"_value": _moment(page.updated_at)},
        "summary": _text(page.summary),
    }


def _text(value: str) -> dict[str, str]:
    return {"type": "text", "_value": value}


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _elements(said: Mapping[str, Any], names: Iterable[str]) -> str:
    return "".join(
        f"<{name}{_attributes({k: v for k, v in said[name].items() if k != '_value'})}>"
        f"{_escaped(said[name]['_value'])}</{name}>"
        for name in names
    )


def _attributes(values: Mapping[str, str]) -> str:
    return "".join(f" {name}={quoteattr(value)}" for name, value in values.items())


def _escaped(text: str) -> str:
    return escape(text.translate(_CHARACTERS_OF_NO_XML))
