"""The document of a condition page: what the seed holds, what an editor publishes, what a revision keeps."""

import hashlib
import json
from collections.abc import Hashable, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from app.content.tables import CodeSystem, Urgency
from app.core.shapes import DEFAULT_LOCALE, Line, Locale, RequestShape, Slug, Text

_Name = Annotated[str, Line(200)]
_Item = Annotated[str, Line(1_000)]
_Prose = Annotated[str, Text(20_000)]


class DocumentCategory(RequestShape):
    """The group that the condition belongs to. A category that is new is made; the name of an old one must agree."""

    slug: Slug
    name: _Name


class WhatToBring(RequestShape):
    """What a patient brings to the consultation: the sentence as written, and its items one by one."""

    text: _Prose
    items: list[_Item] = Field(max_length=100)


class DocumentTreatmentOption(RequestShape):
    """A therapy as this page words it."""

    slug: Slug
    name: _Name
    description: _Prose


class CallToAction(RequestShape):
    """How the page invites to a consultation."""

    heading: _Name
    text: _Prose


class DocumentCode(RequestShape):
    """The condition's code in an outside system."""

    system: CodeSystem
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9.]{1,15}$")]


class DocumentUrgencySign(RequestShape):
    """A sign that asks for action, and which."""

    sign: _Item
    urgency: Urgency
    action: _Item


class DocumentReview(RequestShape):
    """Who vouches for the page's words, since when and until when."""

    last_reviewed_on: date
    next_review_on: date
    reviewed_by: _Name

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

    section: Section
    title: Annotated[str, Line(500)]
    url: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,1990}$")]
    publisher: _Name | None = None


# What documents of the first release did not have: left out where it is empty, so that their digests stay.
_LATER: Final = ("urgency_signs", "review", "references", "source_revision")


class ConditionDocument(RequestShape):
    """One condition page in one language, whole."""

    slug: Slug
    locale: Locale = DEFAULT_LOCALE
    name: _Name
    alternate_names: list[_Name] = Field(default=[], max_length=50)
    summary: _Prose
    category: DocumentCategory
    overview: _Prose
    when_to_consult: _Prose
    what_to_bring: WhatToBring
    risk_factors: list[_Item] = Field(max_length=200)
    causes: list[_Item] = Field(max_length=200)
    treatment_options: list[DocumentTreatmentOption] = Field(max_length=100)
    consultation: CallToAction
    codes: list[DocumentCode] = Field(default=[], max_length=50)
    urgency_signs: list[DocumentUrgencySign] = Field(default=[], max_length=50)
    review: DocumentReview | None = None
    references: list[DocumentReference] = Field(default=[], max_length=100)
    # Of a translation: the revision of the default language's page that it says in another language.
    source_revision: Annotated[int, Field(ge=1, lt=2**31)] | None = None

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
