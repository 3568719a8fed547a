"""What a reader gets to see of the content."""

from datetime import date, datetime
from enum import StrEnum

from pydantic import MISSING, Field

from app.content.document import Section
from app.content.tables import CodeSystem, Urgency
from app.core.shapes import NOT_IN_EXAMPLE, Named, ResponseShape, Slug

_CONDITION_SLUG = "acute-lymphoblastic-leukemia"
_CONDITION_NAME = "Acute Lymphoblastic Leukemia"
_SUMMARY = (
    "Comprehensive care for ALL, including intensive chemotherapy, targeted therapy, and stem cell transplantation."
)
_TREATMENT = "CAR-T Cell Therapy"
_TREATMENT_TEXT = (
    "Chimeric antigen receptor T-cell therapy, a form of immunotherapy where patient's T cells are genetically "
    "modified to attack leukemia cells. Highly effective for relapsed/refractory B-cell ALL, particularly in "
    "children and young adults."
)


class TreatmentOptionPublic(ResponseShape):
    """A therapy as one page words it."""

    slug: Slug = Field(description="The therapy's stable name in URLs.", examples=["car-t-cell-therapy"])
    name: str = Field(description="The page's name for the therapy.", examples=[_TREATMENT])
    description: str = Field(
        description="What the page says of it.",
        examples=[_TREATMENT_TEXT],
    )


class WhatToBringPublic(ResponseShape):
    """What a patient brings to the consultation."""

    text: str = Field(
        description="The sentence as written.",
        examples=["CBC, peripheral smear, bone marrow biopsy, cytogenetic and molecular test reports."],
    )
    items: list[str] = Field(
        description="The same, one by one.",
        examples=[["CBC", "peripheral smear", "bone marrow biopsy", "cytogenetic and molecular test reports"]],
    )


class ConsultationCallToAction(ResponseShape):
    """How the page invites to a consultation."""

    heading: str = Field(description="Heading.", examples=["Need Treatment?"])
    text: str = Field(
        description="Sentence.",
        examples=["Schedule a consultation to discuss treatment options for Acute Lymphoblastic Leukemia."],
    )
    slots_url: str = Field(
        description="Where the free consultation slots for this condition are, relative to this API.",
        examples=[f"/consultation-slots?condition={_CONDITION_SLUG}"],
    )


class ConditionCodePublic(ResponseShape):
    """The condition's code in an outside system."""

    system: CodeSystem = Field(description="The system.", examples=["icd-10"])
    code: str = Field(description="The code.", examples=["C91.0"])


class UrgencySignPublic(ResponseShape):
    """A sign that asks for action, and which."""

    sign: str = Field(description="What one notices.", examples=["Synthetic sign."])
    urgency: Urgency = Field(description="How soon to act.", examples=["urgent"])
    action: str = Field(description="What to do.", examples=["Synthetic action."])


class ReviewStatus(StrEnum):
    """Whether the words are still vouched for: the next review is far, within 30 days, or late."""

    CURRENT = "current"
    DUE = "due"
    OVERDUE = "overdue"


class ReviewPublic(ResponseShape):
    """Who vouches for the page's words, since when and until when."""

    last_reviewed_on: date = Field(description="Day of the last review.", examples=["2026-11-01"])
    next_review_on: date = Field(description="Day by which it is to be reviewed again.", examples=["2028-11-01"])
    reviewed_by: str = Field(description="Who reviewed it.", examples=["Synthetic board"])
    status: ReviewStatus = Field(description="As of today, UTC.", examples=["current"])


class ReferencePublic(ResponseShape):
    """A source that a section rests on."""

    section: Section = Field(description="The field of the page.", examples=["overview"])
    title: str = Field(description="Title of the source.", examples=["Synthetic guideline"])
    url: str = Field(description="Its address.", examples=["https://example.org/guideline"])
    publisher: str | MISSING = Field(default=MISSING, description="Its publisher.", examples=["Synthetic society"])


class TranslationPublic(ResponseShape):
    """The same page in another language."""

    locale: str = Field(description="Language (BCP 47).", examples=["es"])
    name: str = Field(description="The condition's name in it.", examples=["Leucemia linfoblástica aguda"])
    revisions_behind: int = Field(
        description="How many revisions of the page in the default language it does not know yet.", examples=[0]
    )


class ConditionSummary(ResponseShape):
    """A condition as a card in a list."""

    slug: Slug = Field(description="Stable name in URLs.", examples=[_CONDITION_SLUG])
    name: str = Field(description="Name of the condition.", examples=[_CONDITION_NAME])
    summary: str = Field(description="One or two sentences.", examples=[_SUMMARY])
    category: Named = Field(description="The group that it belongs to.")
    updated_at: datetime = Field(description="When the page last changed, UTC.", examples=["2026-11-23T09:00:00Z"])


class ConditionPublic(ResponseShape):
    """A whole condition page."""

    slug: Slug = Field(description="Stable name in URLs.", examples=[_CONDITION_SLUG])
    name: str = Field(description="Name of the condition.", examples=[_CONDITION_NAME])
    alternate_names: list[str] = Field(description="Other names and abbreviations.", examples=[["ALL"]])
    summary: str = Field(description="One or two sentences.", examples=[_SUMMARY])
    category: Named = Field(description="The group that it belongs to.")
    overview: str = Field(description="Overview.", examples=[_SUMMARY])
    when_to_consult: str = Field(
        description="When to consult.", examples=["Upon diagnosis of ALL or suspicious blood test results."]
    )
    what_to_bring: WhatToBringPublic = Field(description="What to bring.")
    risk_factors: list[str] = Field(description="Risk factors, in order.", examples=[["Family history"]])
    causes: list[str] = Field(description="Causes, in order.", examples=[["Radiation exposure"]])
    treatment_options: list[TreatmentOptionPublic] = Field(description="Treatment options, in order.")
    consultation: ConsultationCallToAction = Field(description="The invitation to a consultation.")
    codes: list[ConditionCodePublic] = Field(description="Codes in outside systems.")
    urgency_signs: list[UrgencySignPublic] = Field(description="Signs that ask for action, in order.")
    references: list[ReferencePublic] = Field(description="Sources, in order.")
    review: ReviewPublic | MISSING = Field(
        default=MISSING, description="Absent while nobody has reviewed the page.", json_schema_extra=NOT_IN_EXAMPLE
    )
    translations: list[TranslationPublic] = Field(description="The page in other languages, by locale.")
    locale: str = Field(description="Language of the texts (BCP 47).", examples=["en"])
    revision: int = Field(description="Number of this version of the page, from 1.", examples=[1])
    published_at: datetime = Field(
        description="When the page was first published, UTC.", examples=["2026-11-23T09:00:00Z"]
    )
    updated_at: datetime = Field(
        description="When this revision was published, UTC.", examples=["2026-11-23T09:00:00Z"]
    )


class CategorySummary(Named):
    """A category in a list."""

    description: str | MISSING = Field(
        default=MISSING, description="What belongs here.", examples=["Synthetic description of a category."]
    )
    condition_count: int = Field(description="How many conditions are published in it.", examples=[1])


class CategoryPublic(CategorySummary):
    """A category with its conditions."""

    conditions: list[ConditionSummary] = Field(description="Its published conditions, by name.")


class TreatmentSummary(Named):
    """A therapy in a list."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["car-t-cell-therapy"])
    name: str = Field(description="Name of the therapy.", examples=[_TREATMENT])
    condition_count: int = Field(description="How many published conditions it is offered for.", examples=[1])


class TreatmentOffer(ResponseShape):
    """What one condition's page says of a therapy."""

    condition: Named = Field(description="The condition.")
    name: str = Field(description="The page's name for the therapy.", examples=[_TREATMENT])
    description: str = Field(description="What the page says of it.", examples=[_TREATMENT_TEXT])


class TreatmentPublic(ResponseShape):
    """A therapy, with every condition that it is offered for."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["car-t-cell-therapy"])
    name: str = Field(description="Name of the therapy.", examples=[_TREATMENT])
    offered_for: list[TreatmentOffer] = Field(description="By condition name.")


class Moved(ResponseShape):
    """Where it is now."""

    moved_to: str = Field(
        description="Its present address, relative to this API.", examples=[f"/conditions/{_CONDITION_SLUG}"]
    )
