"""The document of a condition page: what the seed holds, what an editor publishes, what a revision keeps."""

import hashlib
import json
from collections.abc import Hashable, Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from app.content.tables import CodeSystem
from app.core.shapes import DEFAULT_LOCALE, Line, RequestShape, Slug, Text

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


class ConditionDocument(RequestShape):
    """One condition page in one language, whole."""

    slug: Slug
    locale: Literal["en"] = DEFAULT_LOCALE
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

    def digest(self) -> str:
        """SHA-256 of the canonical JSON: two documents with the same digest say the same."""
        canonical = json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _refuse_repeats(values: Sequence[Hashable]) -> None:
    if len(set(values)) < len(values):
        raise PydanticCustomError("repeated", "must not name the same thing twice")
