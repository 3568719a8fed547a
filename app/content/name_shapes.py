"""What editors send and read of slugs, names, order and withdrawals."""

from datetime import datetime
from typing import Annotated

from pydantic import MISSING, Field

from app.core.shapes import Line, Locale, RequestShape, ResponseShape, Slug, Text

_CONDITION = "acute-lymphoblastic-leukemia"
_CATEGORY, _CATEGORY_NAME = "hematologic-malignancies", "Hematologic Malignancies"
_TREATMENT, _TREATMENT_NAME = "car-t-cell-therapy", "CAR-T Cell Therapy"
_FORMER = Field(description="The slugs that it had once: each leads here.", examples=[["synthetic-former-slug"]])
_VERSION = Field(description="Rises with each change; `If-Match` compares it.", examples=[1])
_POSITION = Field(description="Its place in the hospital's order.", examples=[1])
_LANGUAGE = Field(description="Language (BCP 47).", examples=["en"])

_Name = Annotated[str, Line(200)]
_Description = Annotated[str, Text(20_000)]
_Slugs = Annotated[list[Slug], Field(min_length=1, max_length=5_000, json_schema_extra={"uniqueItems": True})]


class SlugChange(RequestShape):
    """Another slug for something."""

    slug: Slug = Field(description="Its new name in URLs.", examples=["synthetic-new-slug"])


class ConditionAddress(ResponseShape):
    """Where a condition's page is, and which addresses lead there."""

    slug: Slug = Field(description="Its present name in URLs.", examples=[_CONDITION])
    former_slugs: list[Slug] = _FORMER


class WithdrawalCreate(RequestShape):
    """What to say of a page that is gone."""

    replacement: Slug | None = Field(
        default=None, description="Slug of the condition whose page takes its place.", examples=[_CONDITION]
    )


class WithdrawalPublic(ResponseShape):
    """A condition whose page is gone for good."""

    slug: Slug = Field(description="Its slug.", examples=["synthetic-withdrawn-condition"])
    withdrawn_at: datetime = Field(description="Since when, UTC.", examples=["2026-11-23T09:00:00Z"])
    replacement: str | MISSING = Field(
        default=MISSING,
        description="Address of the page that took its place, relative to this API.",
        examples=[f"/conditions/{_CONDITION}"],
    )


class CategoryWords(RequestShape):
    """A category's name in one language."""

    name: _Name = Field(description="Name.", examples=[_CATEGORY_NAME])
    description: _Description | None = Field(
        default=None, description="What belongs here. Absent: nothing is said.", examples=["Synthetic description."]
    )


class SlugOrderChange(RequestShape):
    """All categories, or all treatments, in the order in which they shall be listed."""

    slugs: _Slugs = Field(description="Each once.", examples=[[_CATEGORY]])


class SlugOrder(ResponseShape):
    """All categories, or all treatments, in the order in which they are listed."""

    slugs: list[Slug] = Field(description="Each once.", examples=[[_CATEGORY]])


class CategoryCreate(CategoryWords):
    """A new category, with its name in the default language."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["synthetic-new-category"])


class TreatmentWords(RequestShape):
    """A treatment's name in one language."""

    name: _Name = Field(description="Name.", examples=[_TREATMENT_NAME])


class TreatmentCreate(TreatmentWords):
    """A new treatment, with its name in the default language."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["synthetic-new-treatment"])


class CategoryNamePublic(ResponseShape):
    """A category's name in one language."""

    locale: Locale = _LANGUAGE
    name: str = Field(description="Name.", examples=[_CATEGORY_NAME])
    description: str | MISSING = Field(
        default=MISSING, description="What belongs here.", examples=["Synthetic description."]
    )


class CategoryNames(ResponseShape):
    """A category as those see it who name and order categories."""

    slug: Slug = Field(description="Stable name in URLs.", examples=[_CATEGORY])
    version: int = _VERSION
    position: int = _POSITION
    former_slugs: list[Slug] = _FORMER
    names: list[CategoryNamePublic] = Field(description="Its name in each language, by locale.")


class TreatmentNamePublic(ResponseShape):
    """A treatment's name in one language."""

    locale: Locale = _LANGUAGE
    name: str = Field(description="Name.", examples=[_TREATMENT_NAME])


class TreatmentNames(ResponseShape):
    """A treatment as those see it who name and order treatments."""

    slug: Slug = Field(description="Stable name in URLs.", examples=[_TREATMENT])
    version: int = _VERSION
    position: int = _POSITION
    former_slugs: list[Slug] = _FORMER
    names: list[TreatmentNamePublic] = Field(description="Its name in each language, by locale.")
