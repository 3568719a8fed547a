"""The document of a condition page: what the seed holds, what an editor publishes, what a revision keeps."""

import hashlib
import json
import re
from collections.abc import Hashable, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from app.content.tables import CodeSystem, Urgency
from app.core.shapes import DEFAULT_LOCALE, NOT_IN_EXAMPLE, Line, Locale, RequestShape, Slug, Text

_Name = Annotated[str, Line(200)]
_Item = Annotated[str, Line(1_000)]
_Prose = Annotated[str, Text(20_000)]


class DocumentCategory(RequestShape):
    """The group that the condition belongs to. A category that is new is made; the name of an old one must agree."""

    slug: Slug = Field(description="The category's stable name in URLs.", examples=["hematologic-malignancies"])
    name: _Name = Field(
        description="Its name in the page's language, as it is published.", examples=["Hematologic Malignancies"]
    )


class WhatToBring(RequestShape):
    """What a patient brings to the consultation: the sentence as written, and its items one by one."""

    text: _Prose = Field(
        description="The sentence as written.",
        examples=["CBC, peripheral smear, bone marrow biopsy, cytogenetic and molecular test reports."],
    )
    items: list[_Item] = Field(
        max_length=100,
        description="The same, one by one.",
        examples=[["CBC", "peripheral smear", "bone marrow biopsy", "cytogenetic and molecular test reports"]],
    )


class DocumentTreatmentOption(RequestShape):
    """A therapy as this page words it."""

    slug: Slug = Field(
        description="The therapy's stable name in URLs, the same on every page that offers it.",
        examples=["car-t-cell-therapy"],
    )
    name: _Name = Field(description="The page's name for the therapy.", examples=["CAR-T Cell Therapy"])
    description: _Prose = Field(
        description="What the page says of it.", examples=["Synthetic description of a therapy."]
    )


class CallToAction(RequestShape):
    """How the page invites to a consultation."""

    heading: _Name = Field(description="Heading.", examples=["Need Treatment?"])
    text: _Prose = Field(
        description="Sentence.",
        examples=["Schedule a consultation to discuss treatment options for Acute Lymphoblastic Leukemia."],
    )


class DocumentCode(RequestShape):
    """The condition's code in an outside system."""

    system: CodeSystem = Field(description="The system.", examples=["icd-10"])
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9.]{1,15}$")] = Field(
        description="The code.", examples=["C91.0"]
    )


class DocumentUrgencySign(RequestShape):
    """A sign that asks for action, and which."""

    sign: _Item = Field(description="What one notices.", examples=["Synthetic sign."])
    urgency: Urgency = Field(description="How soon to act.", examples=["urgent"])
    action: _Item = Field(description="What to do.", examples=["Synthetic action."])


def _written_as_day(value: Any) -> Any:
    # Pydantic takes a number, and a moment at midnight, for a day too.
    if type(value) is date or (isinstance(value, str) and _DAY.fullmatch(value)):
        return value
    raise PydanticCustomError("day", "must be a day such as 2026-12-01")


_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_Day = Annotated[date, BeforeValidator(_written_as_day)]


class DocumentReview(RequestShape):
    """Who vouches for the page's words, since when and until when."""

    last_reviewed_on: _Day = Field(description="Day of the last review.", examples=["2026-11-01"])
    next_review_on: _Day = Field(description="Day by which to review it again, a later one.", examples=["2028-11-01"])
    reviewed_by: _Name = Field(description="Who reviewed it.", examples=["Synthetic board"])

    @model_validator(mode="after")
    def _in_order(self) -> "DocumentReview":
        if self.next_review_on <= self.last_reviewed_on:
            raise PydanticCustomError("review_order", "next_review_on must be later than last_reviewed_on")
        return self


class Section(StrEnum):
    """A part of the page that a reference can stand for."""

    SUMMARY = "summary"
    OVERVIEW = "overview"
    WHEN_TO_CONSULT = "when_to_consult"
    WHAT_TO_BRING = "what_to_bring"
    URGENCY_SIGNS = "urgency_signs"
    RISK_FACTORS = "risk_factors"
    CAUSES = "causes"
    TREATMENT_OPTIONS = "treatment_options"


class DocumentReference(RequestShape):
    """A source that a section rests on."""

    section: Section = Field(description="The field of the page.", examples=["overview"])
    title: Annotated[str, Line(500)] = Field(description="Title of the source.", examples=["Synthetic guideline"])
    url: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,1990}$")] = Field(
        description="Its address.", examples=["https://example.org/guideline"]
    )
    publisher: _Name | None = Field(default=None, description="Its publisher.", examples=["Synthetic society"])


# What documents of the first release did not have: left out where it is empty, so that their digests stay.
_LATER: Final = ("urgency_signs", "review", "references", "source_revision")


class ConditionDocument(RequestShape):
    """One condition page in one language, whole."""

    slug: Slug = Field(
        description="The condition's stable name in URLs, the same in every language.",
        examples=["acute-lymphoblastic-leukemia"],
    )
    locale: Locale = Field(
        default=DEFAULT_LOCALE, description="Language of the texts (BCP 47).", examples=[DEFAULT_LOCALE]
    )
    name: _Name = Field(description="Name of the condition.", examples=["Acute Lymphoblastic Leukemia"])
    alternate_names: list[_Name] = Field(
        default=[], max_length=50, description="Other names and abbreviations.", examples=[["ALL"]]
    )
    summary: _Prose = Field(description="One or two sentences, as lists show them.", examples=["Synthetic summary."])
    category: DocumentCategory = Field(description="The group that it belongs to.")
    overview: _Prose = Field(description="What it is.", examples=["Synthetic overview."])
    when_to_consult: _Prose = Field(
        description="When to see a doctor.", examples=["Upon diagnosis of ALL or suspicious blood test results."]
    )
    what_to_bring: WhatToBring = Field(description="What to bring to the consultation.")
    risk_factors: list[_Item] = Field(
        max_length=200, description="Risk factors, in order.", examples=[["Family history"]]
    )
    causes: list[_Item] = Field(max_length=200, description="Causes, in order.", examples=[["Radiation exposure"]])
    treatment_options: list[DocumentTreatmentOption] = Field(
        max_length=100, description="Treatment options, in order; each therapy once."
    )
    consultation: CallToAction = Field(description="The invitation to a consultation.")
    codes: list[DocumentCode] = Field(
        default=[], max_length=50, description="Codes in outside systems; those of the default language's page count."
    )
    urgency_signs: list[DocumentUrgencySign] = Field(
        default=[], max_length=50, description="Signs that ask for action, in order."
    )
    review: DocumentReview | None = Field(default=None, description="Absent while nobody has reviewed the page.")
    references: list[DocumentReference] = Field(
        default=[], max_length=100, description="Sources that sections rest on, in order."
    )
    source_revision: Annotated[int, Field(ge=1, lt=2**31)] | None = Field(
        default=None,
        description="Of a translation: the revision of the default language's page that it says in another language.",
        examples=[1],
        json_schema_extra=NOT_IN_EXAMPLE,
    )

    @field_validator("treatment_options")
    @classmethod
    def _each_treatment_once(cls, options: list[DocumentTreatmentOption]) -> list[DocumentTreatmentOption]:
        _refuse_repeats([option.slug for option in options])
        return options

    @field_validator("codes")
    @classmethod
    def _each_code_once(cls, codes: list[DocumentCode]) -> list[DocumentCode]:
        _refuse_repeats([(code.system, code.code) for code in codes])
        return codes

    def content(self) -> dict[str, Any]:
        """All of it as JSON, as revisions keep it."""
        return self.model_dump(mode="json", exclude={name for name in _LATER if not getattr(self, name)})

    def digest(self) -> str:
        """SHA-256 of the canonical JSON: two documents with the same digest say the same."""
        canonical = json.dumps(self.content(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _refuse_repeats(values: Sequence[Hashable]) -> None:
    if len(set(values)) < len(values):
        raise PydanticCustomError("repeated", "must not name the same thing twice")
