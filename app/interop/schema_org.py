"""A condition page as a search engine reads it: JSON-LD in the words of schema.org 30.0 (`health-lifesci`)."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from app.content.shapes import ConditionPublic
from app.content.tables import CodeSystem
from app.core.shapes import DEFAULT_LOCALE
from app.interop.frontend import category_url, condition_url

MEDIA_TYPE: Final = "application/ld+json"
CONTEXT: Final = "https://schema.org"

_CODING_SYSTEMS: Final[Mapping[CodeSystem, str]] = {CodeSystem.ICD_10: "ICD-10", CodeSystem.MESH: "MeSH"}
_SPECIALTIES: Final = """
Anesthesia Audiology Cardiovascular CommunityHealth Dentistry Dermatologic Dermatology DietNutrition Emergency
Endocrine Gastroenterologic Genetic Geriatric Gynecologic Hematologic Infectious LaboratoryScience Midwifery
Musculoskeletal Neurologic Nursing Obstetric Oncologic Ophthalmology Optometric Otolaryngologic Pathology Pediatric
PharmacySpecialty Physiotherapy PlasticSurgery Podiatric PrimaryCare Psychiatric PublicHealth Pulmonary Radiography
Renal RespiratoryTherapy Rheumatologic SpeechPathology Surgical Toxicologic Urologic
"""
# By the category's slug: schema.org's own words, written as slugs are, and the one category that the hospital has. Of
# whatever else a category is called nothing is claimed.
SPECIALTIES: Final[Mapping[str, tuple[str, ...]]] = {
    **{re.sub(r"(?<!^)(?=[A-Z])", "-", word).lower(): (word,) for word in re.findall(r"\w+", _SPECIALTIES)},
    "hematologic-malignancies": ("Hematologic", "Oncologic"),
}


def medical_web_page(page: ConditionPublic, *, frontend_url: str | None) -> dict[str, Any]:
    """The page as a `MedicalWebPage`. What needs an address is left out where the frontend's is not known."""
    said = page.model_dump(mode="json")
    address = None if frontend_url is None else condition_url(frontend_url, page.slug, page.locale)
    review = said.get("review", {})
    return _filled(
        {
            "@context": CONTEXT,
            "@type": "MedicalWebPage",
            "@id": address,
            "url": address,
            "name": page.name,
            "description": page.summary,
            "inLanguage": page.locale,
            "datePublished": said["published_at"],
            "dateModified": said["updated_at"],
            "version": page.revision,
            "lastReviewed": review.get("last_reviewed_on"),
            # Its words: whether a person or a body of them reviewed the page is not known.
            "reviewedBy": review.get("reviewed_by"),
            "breadcrumb": _breadcrumb(page, frontend_url),
            "about": _condition(page, address),
            "hasPart": _sections(page),
            "citation": [_source(source) for source in said["references"]],
            "potentialAction": _invitation(page, address),
            **_translations(page, frontend_url),
        }
    )


def medical_web_page_bytes(page: ConditionPublic, *, frontend_url: str | None) -> bytes:
    """The same as JSON that can be put between `<script>` tags as it is: nothing in it ends them."""
    said = json.dumps(medical_web_page(page, frontend_url=frontend_url), ensure_ascii=False, separators=(",", ":"))
    return said.replace("<", "\\u003c").encode()


def _condition(page: ConditionPublic, address: str | None) -> dict[str, Any]:
    return _filled(
        {
            "@type": "MedicalCondition",
            "@id": address and f"{address}#condition",
            "name": page.name,
            "alternateName": page.alternate_names,
            "description": page.overview,
            "code": [
                {"@type": "MedicalCode", "codeValue": code.code, "codingSystem": _CODING_SYSTEMS[code.system]}
                for code in page.codes
            ],
            "relevantSpecialty": [f"{CONTEXT}/{word}" for word in SPECIALTIES.get(page.category.slug, ())],
            "riskFactor": [{"@type": "MedicalRiskFactor", "name": text} for text in page.risk_factors],
            "cause": [{"@type": "MedicalCause", "name": text} for text in page.causes],
            "possibleTreatment": [
                {"@type": "MedicalTherapy", "name": option.name, "description": option.description}
                for option in page.treatment_options
            ],
        }
    )


def _sections(page: ConditionPublic) -> list[dict[str, Any]]:
    """The page's sections in its order; `identifier` is the name of the API's field."""
    options = "\n\n".join(f"{option.name}\n{option.description}" for option in page.treatment_options)
    signs = [
        {
            "@type": "HealthTopicContent",
            "hasHealthAspect": f"{CONTEXT}/SeeDoctorHealthAspect",
            "headline": sign.sign,
            "text": sign.action,
            "keywords": sign.urgency.value,
        }
        for sign in page.urgency_signs
    ]
    checklist = {"@type": "ItemList", "itemListElement": page.what_to_bring.items}
    sections = (
        _section("overview", "Overview", page.overview),
        # schema.org's definition of this aspect covers when to see somebody and the first consultation.
        _section("when_to_consult", "SeeDoctor", page.when_to_consult),
        _section(
            "what_to_bring",
            "SeeDoctor",
            page.what_to_bring.text,
            mainEntity=checklist if page.what_to_bring.items else None,
        ),
        _section("urgency_signs", "SeeDoctor", "", hasPart=signs),
        _section("risk_factors", "RisksOrComplications", "\n".join(page.risk_factors)),
        _section("causes", "Causes", "\n".join(page.causes)),
        _section("treatment_options", "Treatments", options),
    )
    return [section for section in sections if "text" in section or "hasPart" in section]


def _section(field: str, aspect: str, text: str, **more: Any) -> dict[str, Any]:
    return _filled(
        {
            "@type": "HealthTopicContent",
            "identifier": field,
            "hasHealthAspect": f"{CONTEXT}/{aspect}HealthAspect",
            "text": text,
            **more,
        }
    )


def _breadcrumb(page: ConditionPublic, frontend_url: str | None) -> dict[str, Any]:
    category, condition = (
        {"@type": "ListItem", "position": place, "name": name}
        for place, name in enumerate((page.category.name, page.name), 1)
    )
    if frontend_url is not None:
        category["item"] = category_url(frontend_url, page.category.slug, page.locale)
        condition["item"] = condition_url(frontend_url, page.slug, page.locale)
    return {"@type": "BreadcrumbList", "itemListElement": [category, condition]}


def _invitation(page: ConditionPublic, address: str | None) -> dict[str, Any]:
    """The call to action. `ScheduleAction`, because `ReserveAction` is for things such as tables and rooms."""
    return _filled(
        {
            "@type": "ScheduleAction",
            "name": page.consultation.heading,
            "description": page.consultation.text,
            "target": address and {"@type": "EntryPoint", "urlTemplate": address},
        }
    )


def _source(source: Mapping[str, str]) -> dict[str, Any]:
    publisher = source.get("publisher")
    return _filled(
        {
            "@type": "CreativeWork",
            "name": source["title"],
            "url": source["url"],
            "publisher": publisher and {"@type": "Organization", "name": publisher},
        }
    )


def _translations(page: ConditionPublic, frontend_url: str | None) -> dict[str, Any]:
    """What translates the page, or what it translates: every page in another language is one of the default's."""
    others = {
        other.locale: _filled(
            {
                "@type": "MedicalWebPage",
                "@id": frontend_url and condition_url(frontend_url, page.slug, other.locale),
                "name": other.name,
                "inLanguage": other.locale,
            }
        )
        for other in page.translations
    }
    if page.locale == DEFAULT_LOCALE:
        return {"workTranslation": list(others.values())}
    return {"translationOfWork": others.get(DEFAULT_LOCALE)}


def _filled(said: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is empty."""
    return {name: value for name, value in said.items() if value not in (None, "", [])}
