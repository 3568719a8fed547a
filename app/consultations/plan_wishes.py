"""What is sent about plans: what to do with which slots, and what with their bookings."""

from enum import StrEnum
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.consultations.reasons import CancellationReason
from app.consultations.schedule_tables import PlanAction
from app.consultations.tables import SlotMode
from app.core.shapes import NOT_IN_EXAMPLE, Instant, RequestShape, Slug, WholeNumber

MOST_IDS: Final = 1_000
# A year, in minutes.
_FARTHEST: Final = 366 * 24 * 60


class BookedFate(StrEnum):
    """What becomes of the bookings of the slots."""

    KEEP = "keep"
    MOVE = "move"
    OFFER = "offer"
    CANCEL = "cancel"


class SlotsWanted(RequestShape):
    """Slots that are to come and not cancelled; every given part must hold."""

    clinician: Slug | None = Field(default=None, description="With this clinician.", examples=["dr-rivera"])
    location: Slug | None = Field(default=None, description="At this location.", json_schema_extra=NOT_IN_EXAMPLE)
    room: Slug | None = Field(
        default=None, description="In this room of the location.", json_schema_extra=NOT_IN_EXAMPLE
    )
    condition: Slug | None = Field(
        default=None, description="Offered for this condition, and no other.", json_schema_extra=NOT_IN_EXAMPLE
    )
    category: Slug | None = Field(
        default=None, description="Offered for this category as such.", json_schema_extra=NOT_IN_EXAMPLE
    )
    mode: SlotMode | None = Field(
        default=None, description="How patient and clinician meet.", json_schema_extra=NOT_IN_EXAMPLE
    )
    starts_from: Instant | None = Field(
        default=None, alias="from", description="Begins at this moment or later.", examples=["2027-01-12T00:00:00Z"]
    )
    starts_before: Instant | None = Field(
        default=None, alias="to", description="Begins before this moment.", examples=["2027-01-13T00:00:00Z"]
    )
    schedule_id: UUID | None = Field(
        default=None, description="Posted by this schedule.", json_schema_extra=NOT_IN_EXAMPLE
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(value is not None for _, value in self):
            raise PydanticCustomError("filter_empty", "needs at least one part: all slots of the hospital is too many")
        if self.room is not None and self.location is None:
            raise PydanticCustomError("location_missing", "needs a location beside the room")
        return self


class SlotChoice(RequestShape):
    """Which slots: either by their ids, or all that a filter finds."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST_IDS)] | None = Field(
        default=None, description="These slots, up to 1,000.", json_schema_extra=NOT_IN_EXAMPLE
    )
    filter: SlotsWanted | None = Field(
        default=None,
        description="All that are like this, up to 2,000.",
        examples=[{"clinician": "dr-rivera", "from": "2027-01-12T00:00:00Z", "to": "2027-01-13T00:00:00Z"}],
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise PydanticCustomError("one_of_two", "needs either ids or a filter")
        return self


class SlotPlanCreate(RequestShape):
    """What is to be done with which slots, and what with their bookings."""

    action: PlanAction = Field(description="What to do with the slots.", examples=["close"])
    slots: SlotChoice = Field(description="Which slots.")
    bookings: BookedFate = Field(
        description="What to do with their bookings. `keep`: nothing, only where slots are closed. `move`: book them "
        "over, to the moved slot or to the free slot that fits best. `offer`: offer them other slots; they stay booked "
        "until the patient chooses. `cancel`: cancel them. Holds are let go, unless bookings are kept.",
        examples=["offer"],
    )
    reason: CancellationReason = Field(
        default=CancellationReason.PROVIDER,
        description="Why, as a code of FHIR's appointment-cancellation-reason, for what is cancelled.",
        examples=["prov"],
    )
    shift_minutes: Annotated[WholeNumber, Field(ge=-_FARTHEST, le=_FARTHEST)] | None = Field(
        default=None,
        description="Move them by so many minutes, as the clock on the wall of their zone counts: a week later is the "
        "same time of day, also where the clocks are changed in between.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    starts_at: Instant | None = Field(
        default=None, description="Move one slot, named by its id, to this begin.", json_schema_extra=NOT_IN_EXAMPLE
    )
    clinician: Slug | None = Field(
        default=None, description="Move them to this clinician.", json_schema_extra=NOT_IN_EXAMPLE
    )
    location: Slug | None = Field(
        default=None,
        description="Move them to this location, and out of their room.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    room: Slug | None = Field(
        default=None, description="Move them to this room of the location.", json_schema_extra=NOT_IN_EXAMPLE
    )

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        sent = [name for name in ("shift_minutes", "starts_at", "clinician", "location", "room") if getattr(self, name)]
        if self.action is not PlanAction.MOVE and sent:
            raise PydanticCustomError("not_for_this_action", "says where to move slots that are not to be moved")
        if self.action is PlanAction.MOVE and not sent:
            raise PydanticCustomError("nothing_to_move", "needs where to move the slots")
        if self.action is not PlanAction.CLOSE and self.bookings is BookedFate.KEEP:
            raise PydanticCustomError("not_for_this_action", "keeps bookings only where slots are closed")
        if self.starts_at is not None and (self.shift_minutes or len(self.slots.ids or ()) != 1):
            raise PydanticCustomError("one_slot", "has a begin, which is for one slot by its id, without a shift")
        if self.room is not None and self.location is None:
            raise PydanticCustomError("location_missing", "needs a location beside the room")
        return self
