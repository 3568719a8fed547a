"""What a reader gets to see of what was searched."""

from enum import StrEnum
from typing import Final

from pydantic import MISSING, Field

from app.content.editorial_tables import Subject
from app.core.shapes import ListShape, Named, ResponseShape, Slug

_SUMMARY: Final = (
    "Comprehensive care for ALL, including intensive chemotherapy, targeted therapy, and stem cell transplantation."
)


class Place(StrEnum):
    """Where words stand, from what counts most to what counts least."""

    NAME = "name"
    ALTERNATE_NAMES = "alternate_names"
    CODES = "codes"
    # Of a category: its description.
    SUMMARY = "summary"
    OVERVIEW = "overview"
    WHEN_TO_CONSULT = "when_to_consult"
    WHAT_TO_BRING = "what_to_bring"
    URGENCY_SIGNS = "urgency_signs"
    RISK_FACTORS = "risk_factors"
    CAUSES = "causes"
    TREATMENT_OPTIONS = "treatment_options"


class SearchHighlight(ResponseShape):
    """A word of the snippet that was searched for."""

    start: int = Field(description="Where it begins: Unicode code points from the snippet's begin.", examples=[0])
    end: int = Field(description="Where it ends: the code point after its last one.", examples=[3])


class SearchMatch(ResponseShape):
    """Why something was found."""

    section: Place = Field(description="The field that holds the words.", examples=["alternate_names"])
    snippet: str = Field(
        description="Plain text, not HTML: the field, or a part of it, with an ellipsis where it was cut.",
        examples=["ALL"],
    )
    highlights: list[SearchHighlight] = Field(description="The words in it, in order.")


class SearchItem(ResponseShape):
    """Something that was found."""

    type: Subject = Field(description="What it is.", examples=["condition"])
    slug: Slug = Field(description="Stable name in URLs.", examples=["acute-lymphoblastic-leukemia"])
    name: str = Field(description="Name for people.", examples=["Acute Lymphoblastic Leukemia"])
    url: str = Field(
        description="Where to read it, relative to this API.", examples=["/conditions/acute-lymphoblastic-leukemia"]
    )
    locale: str = Field(description="Language of what was found (BCP 47).", examples=["en"])
    summary: str | MISSING = Field(
        default=MISSING, description="One or two sentences, where there are any.", examples=[_SUMMARY]
    )
    category: Named | MISSING = Field(default=MISSING, description="Of a condition: the group that it belongs to.")
    match: SearchMatch = Field(description="Why it was found.")


class CategoryFacet(Named):
    """How many of the found conditions a category has."""

    count: int = Field(description="How many.", examples=[1])


class TypeFacet(ResponseShape):
    """How many of what was found are of one type."""

    type: Subject = Field(description="The type.", examples=["condition"])
    count: int = Field(description="How many.", examples=[1])


class SearchFacets(ResponseShape):
    """How what was found is spread. Each list is counted without its own filter and with the other one."""

    categories: list[CategoryFacet] = Field(description="Most first.")
    types: list[TypeFacet] = Field(description="Most first.")


class SearchAnswer(ListShape):
    """One page of what was found."""

    items: list[SearchItem] = Field(description="The best first.")
    facets: SearchFacets = Field(description="Of all pages of the list together.")
