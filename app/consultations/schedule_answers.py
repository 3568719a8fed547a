"""What is read about schedules of slots, and about the slots that they come to."""

from datetime import date, datetime
from uuid import UUID

from pydantic import MISSING, Field

from app.consultations.occurrences import MOST_AT_ONCE, OccurrenceState
from app.consultations.schedule_tables import ScheduleStatus
from app.consultations.tables import SlotMode, SlotStatus
from app.core.shapes import NOT_IN_EXAMPLE, Named, ResponseShape

_SLOT_ID = "01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"
_OCCURRENCE = "2027-01-12T09:00"


class SlotSchedulePublic(ResponseShape):
    """A pattern that slots recur by."""

    id: UUID = Field(description="The schedule's id.", examples=["01993b2e-7a1d-7c3e-9f10-4b6d8e2a5c71"])
    name: str = Field(description="What colleagues call it.", examples=["Tuesdays and Thursdays"])
    rrule: str = Field(description="On which days (RFC 5545).", examples=["FREQ=WEEKLY;BYDAY=TU,TH"])
    exdates: list[date] = Field(description="Local days that are left out.", examples=[["2027-03-04"]])
    rdates: list[date] = Field(description="Local days that are added.", examples=[["2027-03-05"]])
    session_starts: str = Field(description="When the first slot of a day begins, local time.", examples=["09:00"])
    session_ends: str = Field(description="When the last slot of a day has ended, local time.", examples=["12:00"])
    length_minutes: int = Field(description="Length of a slot.", examples=[30])
    gap_minutes: int = Field(description="Pause between two slots.", examples=[0])
    time_zone: str = Field(description="IANA zone of all that is local.", examples=["Europe/Berlin"])
    mode: SlotMode = Field(description="How patient and clinician meet.", examples=["video"])
    capacity: int = Field(description="Number of seats of a slot.", examples=[1])
    clinician: Named | MISSING = Field(
        default=MISSING, description="Who is consulted.", examples=[{"slug": "dr-rivera", "name": "Dr. Rivera"}]
    )
    location: Named | MISSING = Field(
        default=MISSING, description="Where.", examples=[{"slug": "main-building", "name": "Main Building"}]
    )
    room: Named | MISSING = Field(
        default=MISSING, description="In which room there.", examples=[{"slug": "room-3", "name": "Room 3"}]
    )
    category: Named | MISSING = Field(
        default=MISSING, description="Offered for this category only.", json_schema_extra=NOT_IN_EXAMPLE
    )
    condition: Named | MISSING = Field(
        default=MISSING,
        description="Offered for this condition only.",
        examples=[{"slug": "acute-lymphoblastic-leukemia", "name": "Acute Lymphoblastic Leukemia"}],
    )
    valid_from: date = Field(description="The local day on which it begins.", examples=["2027-01-05"])
    valid_until: date | MISSING = Field(default=MISSING, description="Its last local day.", examples=["2027-06-30"])
    horizon_days: int | MISSING = Field(
        default=MISSING, description="It is kept posted so many days ahead.", examples=[90]
    )
    posted_until: date | MISSING = Field(
        default=MISSING, description="The last local day up to which it was posted.", examples=["2027-02-28"]
    )
    status: ScheduleStatus = Field(description="Whether it still makes slots.", examples=["active"])
    version: int = Field(description="Rises with each change by an admin.", examples=[1])
    created_at: datetime = Field(description="When it was made, UTC.", examples=["2026-12-01T09:00:00Z"])


class OccurrencePublic(ResponseShape):
    """One slot that a schedule comes to, and what is, or would become, of it."""

    occurrence: str = Field(
        description="Its begin on the local clock, which names it within its schedule.", examples=[_OCCURRENCE]
    )
    state: OccurrenceState = Field(
        description="`to_post`; `posted`; left out by an absence or a public holiday; `local_time_missing` where its "
        "begin, its end or some of what lies between is skipped by the local clock, `local_time_ambiguous` where it is "
        "shown twice, so that nobody can tell what is meant; `overlaps` with another slot of the clinician, the room "
        "or the schedule; `past`.",
        examples=["to_post"],
    )
    starts_at: datetime | MISSING = Field(
        default=MISSING,
        description="Begin, UTC: of a slot that was posted, its own; absent where the local clock does not tell.",
        examples=["2027-01-12T08:00:00Z"],
    )
    ends_at: datetime | MISSING = Field(
        default=MISSING, description="End, UTC; likewise.", examples=["2027-01-12T08:30:00Z"]
    )
    slot_id: UUID | MISSING = Field(
        default=MISSING, description="The slot that it was posted as.", json_schema_extra=NOT_IN_EXAMPLE
    )
    slot_status: SlotStatus | MISSING = Field(
        default=MISSING,
        description="The status of that slot; one that was cancelled is not posted again.",
        json_schema_extra=NOT_IN_EXAMPLE,
    )
    overlaps_with: UUID | MISSING = Field(
        default=MISSING, description="The slot that is in its way.", json_schema_extra=NOT_IN_EXAMPLE
    )
    absence_id: UUID | MISSING = Field(
        default=MISSING, description="The absence that it lies in.", json_schema_extra=NOT_IN_EXAMPLE
    )
    holiday: str | MISSING = Field(
        default=MISSING, description="The name of the public holiday.", json_schema_extra=NOT_IN_EXAMPLE
    )


class Occurrences(ResponseShape):
    """What a schedule comes to in a span of days, slot by slot."""

    time_zone: str = Field(description="IANA zone of all that is local.", examples=["Europe/Berlin"])
    first_day: date = Field(description="First local day that is shown.", examples=["2027-01-12"])
    last_day: date = Field(description="Last local day that is shown.", examples=["2027-01-18"])
    counts: dict[OccurrenceState, int] = Field(
        description="How many there are of each state that occurs.", examples=[{"to_post": 1}]
    )
    items: list[OccurrencePublic] = Field(description=f"In order of time, {MOST_AT_ONCE} at most.")


class SchedulePosted(ResponseShape):
    """What was posted of a schedule, and what was not."""

    posted_until: date = Field(description="The last local day up to which it is posted.", examples=["2027-02-28"])
    slot_ids: list[UUID] = Field(description="The slots that are new.", examples=[[_SLOT_ID]])
    counts: dict[OccurrenceState, int] = Field(
        description="How many occurrences up to that day are of each state now.", examples=[{"posted": 1}]
    )
    not_posted: list[OccurrencePublic] = Field(
        description="Those that are no slots, with the reason; not those that are past.", examples=[[]]
    )


class AffectedSlot(ResponseShape):
    """A posted slot that a change touches."""

    id: UUID = Field(description="The slot's id.", examples=[_SLOT_ID])
    starts_at: datetime = Field(description="Begin, UTC.", examples=["2027-01-12T08:00:00Z"])
    ends_at: datetime = Field(description="End, UTC.", examples=["2027-01-12T08:30:00Z"])
    bookings: int = Field(description="Live bookings of it, holds included.", examples=[0])


class ScheduleChanged(ResponseShape):
    """What a change of a schedule does to the slots that are posted already, or would do."""

    schedule: SlotSchedulePublic = Field(description="The schedule after the change; in a dry run as it is.")
    is_dry_run: bool = Field(description="Whether nothing was changed yet.", examples=[False])
    added: list[OccurrencePublic] = Field(
        description="Slots that are new, up to the day that was posted before.", examples=[[]]
    )
    cancelled: list[AffectedSlot] = Field(description="Open slots without a booking that are cancelled.", examples=[[]])
    kept: list[AffectedSlot] = Field(
        description="Slots that the new pattern has not, or has otherwise, and that are kept because they are booked, "
        "or were closed.",
        examples=[[]],
    )
    not_posted: list[OccurrencePublic] = Field(
        description="Occurrences of the new pattern up to that day that are no slots, with the reason.", examples=[[]]
    )
