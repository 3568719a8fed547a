"""Tables of time, and who gets it. The guards that a table cannot say stand in the migrations as triggers."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Index, Text, UniqueConstraint, false, text
from sqlmodel import Field, SQLModel

from app.core.db import BYTEWISE
from app.core.ids import new_id

MAX_SEATS = 50
# Written out, not bound: SQLite uses a partial index only for the very words of its predicate.
LIVE = text("state IN ('held', 'booked')")
HELD = text("state = 'held'")
# What the worker has not laid aside; a partial index is used for the very words.
KEPT = text("archived_at IS NULL")
_FOR_ANYTHING = text("coalesce(condition_id, category_id) IS NULL AND archived_at IS NULL")
_OCCURS = text("schedule_id IS NOT NULL")
# What holds its clinician's and its room's time.
_HOLDS = text("status <> 'cancelled' AND overlap_reason IS NULL AND archived_at IS NULL")


class SlotMode(StrEnum):
    """How patient and clinician meet."""

    IN_PERSON = "in_person"
    VIDEO = "video"
    PHONE = "phone"


class SlotStatus(StrEnum):
    """Whether a slot takes bookings (FHIR Slot.status: free, busy, busy-unavailable)."""

    OPEN = "open"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class BookingState(StrEnum):
    """Where a booking is in its life (FHIR Appointment.status: pending, booked, fulfilled, noshow, cancelled)."""

    HELD = "held"
    BOOKED = "booked"
    FULFILLED = "fulfilled"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Clinician(SQLModel, table=True):
    """One row is somebody whom patients consult."""

    __tablename__ = "clinicians"
    __table_args__ = (UniqueConstraint("slug"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    slug: str = Field(sa_type=BYTEWISE)
    name: str = Field(sa_type=Text)


class Location(SQLModel, table=True):
    """One row is a place where consultations happen, with its time zone."""

    __tablename__ = "locations"
    __table_args__ = (UniqueConstraint("slug"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    slug: str = Field(sa_type=BYTEWISE)
    name: str = Field(sa_type=Text)
    time_zone: str = Field(sa_type=Text)
    # Where bookings here differ from the hospital's policy: see `policies.py`.
    min_notice_minutes: int | None = None
    cancel_until_minutes: int | None = None
    reschedule_until_minutes: int | None = None
    max_reschedules: int | None = None
    # Whose public holidays schedules leave out here: ISO 3166, a country or a part of it, such as DE-BE.
    holidays: str | None = Field(default=None, sa_type=Text)
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class ConsultationSlot(SQLModel, table=True):
    """One row is a posted span of time with a number of seats."""

    __tablename__ = "consultation_slots"
    __table_args__ = (
        UniqueConstraint("external_id"),
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        CheckConstraint(f"capacity BETWEEN 1 AND {MAX_SEATS}", name="capacity"),
        CheckConstraint("mode IN ('in_person', 'video', 'phone')", name="mode"),
        CheckConstraint("status IN ('open', 'closed', 'cancelled')", name="status"),
        CheckConstraint("condition_id IS NULL OR category_id IS NULL", name="one_topic"),
        Index("ix_consultation_slots_starts_at", "starts_at", "id"),
        Index("ix_consultation_slots_kept", "starts_at", "id", sqlite_where=KEPT, postgresql_where=KEPT),
        # What patients and admins look for, each in the order in which it is shown.
        Index("ix_consultation_slots_category_id", "category_id", "starts_at", "id"),
        *(
            Index(f"ix_consultation_slots_{name}", name, "starts_at", "id", sqlite_where=KEPT, postgresql_where=KEPT)
            for name in ("condition_id", "clinician_id", "location_id", "mode")
        ),
        Index(
            "ix_consultation_slots_for_anything",
            "starts_at",
            "id",
            sqlite_where=_FOR_ANYTHING,
            postgresql_where=_FOR_ANYTHING,
        ),
        # Whoever posts looks here for what is in the way; on PostgreSQL the exclusion constraints have their own.
        *(
            Index(
                f"ix_consultation_slots_{name}_holds",
                f"{name}_id",
                "starts_at",
                sqlite_where=_HOLDS,
                postgresql_where=_HOLDS,
            )
            for name in ("clinician", "room")
        ),
        # One slot for one occurrence of a schedule, however often it is posted.
        Index(
            "uq_consultation_slots_occurrence",
            "schedule_id",
            "occurrence",
            unique=True,
            sqlite_where=_OCCURS,
            postgresql_where=_OCCURS,
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    starts_at: datetime
    ends_at: datetime
    time_zone: str = Field(sa_type=Text)
    mode: SlotMode = Field(sa_type=Text)
    capacity: int
    clinician_id: UUID | None = Field(default=None, foreign_key="clinicians.id")
    location_id: UUID | None = Field(default=None, foreign_key="locations.id")
    condition_id: UUID | None = Field(default=None, foreign_key="conditions.id")
    category_id: UUID | None = Field(default=None, foreign_key="categories.id")
    external_id: str | None = Field(default=None, sa_type=Text)
    status: SlotStatus = Field(default=SlotStatus.OPEN, sa_type=Text)
    # Rises with what admins change, not with bookings.
    version: int = 1
    created_at: datetime
    room_id: UUID | None = Field(default=None, foreign_key="rooms.id")
    # Why it may overlap with others of its clinician or its room; without a reason it may not.
    overlap_reason: str | None = Field(default=None, sa_type=Text)
    # Its begin on the wall clock of its zone, so that days and times of day are found: see `local_times`. A guard
    # refuses a slot without them.
    local_date: date | None = None
    # 1 is Monday (ISO 8601).
    local_weekday: int | None = None
    # Minutes after midnight, as the clock shows them.
    local_minute: int | None = None
    # Which occurrence of which schedule it is: the local begin that the schedule gave it, YYYY-MM-DDTHH:MM.
    schedule_id: UUID | None = Field(default=None, foreign_key="slot_schedules.id")
    occurrence: str | None = Field(default=None, sa_type=Text)
    # When the worker laid it aside, long after its end.
    archived_at: datetime | None = None


class ConsultationBooking(SQLModel, table=True):
    """One row is a claim on one seat of a slot. Who claims it stands in `patient_details` only."""

    __tablename__ = "consultation_bookings"
    __table_args__ = (
        UniqueConstraint("reference"),
        CheckConstraint("state IN ('held', 'booked', 'fulfilled', 'no_show', 'cancelled', 'expired')", name="state"),
        CheckConstraint("(state = 'held') = (hold_expires_at IS NOT NULL)", name="hold_expires"),
        CheckConstraint("version >= 1", name="version"),
        # The promise: one seat of one slot has at most one live booking.
        Index(
            "uq_consultation_bookings_seat_live",
            "slot_id",
            "seat",
            unique=True,
            sqlite_where=LIVE,
            postgresql_where=LIVE,
        ),
        # For whoever tidies up, and for counting one caller's holds.
        Index("ix_consultation_bookings_hold_expires_at", "hold_expires_at", sqlite_where=HELD, postgresql_where=HELD),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    slot_id: UUID = Field(foreign_key="consultation_slots.id", index=True)
    seat: int
    reference: str = Field(sa_type=Text)
    # SHA-256 of the token that proves whose booking it is.
    secret_hash: bytes
    condition_id: UUID | None = Field(default=None, foreign_key="conditions.id", index=True)
    state: BookingState = Field(sa_type=Text)
    hold_expires_at: datetime | None = None
    # Keyed digest of who holds it, while it is held: nobody may hold many seats.
    hold_owner: bytes | None = None
    # What the condition's page said to bring when it was booked, and which revision of the page.
    what_to_bring: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    page_revision: int | None = None
    reschedule_count: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    # A code of FHIR's appointment-cancellation-reason.
    cancellation_reason: str | None = Field(default=None, sa_type=Text)
    version: int = 1
    created_at: datetime


class PatientDetail(SQLModel, table=True):
    """One row is what a patient told for one booking, sealed. The only place with patient data."""

    __tablename__ = "patient_details"
    booking_id: UUID = Field(primary_key=True, foreign_key="consultation_bookings.id", ondelete="CASCADE")
    key_id: str = Field(sa_type=Text, index=True)
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes
    consent_text_version: str | None = Field(default=None, sa_type=Text)
    # Blind indexes: keyed digests of the normalised contacts, under a key derived from `key_id`'s.
    email_index: bytes | None = Field(default=None, index=True)
    phone_index: bytes | None = Field(default=None, index=True)


class BookingEvent(SQLModel, table=True):
    """One row is one step in a booking's life. Append-only."""

    __tablename__ = "booking_events"
    booking_id: UUID = Field(primary_key=True, foreign_key="consultation_bookings.id")
    version: int = Field(primary_key=True)
    from_state: BookingState | None = Field(default=None, sa_type=Text)
    to_state: BookingState = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    at: datetime
    # Where the booking was before it was rescheduled.
    previous_slot_id: UUID | None = None
    # Why: a code of FHIR's appointment-cancellation-reason.
    reason: str | None = Field(default=None, sa_type=Text)
    # Staff went past the policy; their words are sealed with the patient's.
    is_override: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class Erasure(SQLModel, table=True):
    """One row is the receipt for what was erased on a person's request. Append-only; it names no person."""

    __tablename__ = "erasures"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    actor: str = Field(sa_type=Text)
    booking_ids: list[str] = Field(sa_type=JSON)
    at: datetime
