"""Tables of how slots come to be, and what becomes of them: schedules, absences, plans, offers, feeds."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from app.consultations.tables import MAX_SEATS, SlotMode
from app.core.db import BYTEWISE
from app.core.ids import new_id

_ONE_OF_TWO = "(clinician_id IS NULL) <> (location_id IS NULL)"


class ScheduleStatus(StrEnum):
    """Whether a schedule still makes slots."""

    ACTIVE = "active"
    ENDED = "ended"


class PlanAction(StrEnum):
    """What a plan does with its slots."""

    CLOSE = "close"
    MOVE = "move"
    CANCEL = "cancel"


class Room(SQLModel, table=True):
    """One row is a room of a location: it holds one consultation at a time."""

    __tablename__ = "rooms"
    __table_args__ = (UniqueConstraint("location_id", "slug", name="uq_rooms_slug"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    location_id: UUID = Field(foreign_key="locations.id")
    slug: str = Field(sa_type=BYTEWISE)
    name: str = Field(sa_type=Text)


class SlotSchedule(SQLModel, table=True):
    """One row is a pattern that slots recur by: RFC 5545's rule gives the days, the session's two times the rest."""

    __tablename__ = "slot_schedules"
    __table_args__ = (
        CheckConstraint(f"capacity BETWEEN 1 AND {MAX_SEATS}", name="capacity"),
        CheckConstraint("mode IN ('in_person', 'video', 'phone')", name="mode"),
        CheckConstraint("status IN ('active', 'ended')", name="status"),
        CheckConstraint("condition_id IS NULL OR category_id IS NULL", name="one_topic"),
        CheckConstraint("length_minutes > 0 AND gap_minutes >= 0", name="minutes"),
        CheckConstraint("valid_until >= valid_from", name="valid_until"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    name: str = Field(sa_type=Text)
    # RRULE, EXDATE and RDATE; the dates are local ones, as RFC 3339 writes them.
    rrule: str = Field(sa_type=Text)
    exdates: list[str] = Field(sa_type=JSON)
    rdates: list[str] = Field(sa_type=JSON)
    # Local wall clock, HH:MM.
    session_starts: str = Field(sa_type=Text)
    session_ends: str = Field(sa_type=Text)
    length_minutes: int
    gap_minutes: int
    time_zone: str = Field(sa_type=Text)
    mode: SlotMode = Field(sa_type=Text)
    capacity: int
    clinician_id: UUID | None = Field(default=None, foreign_key="clinicians.id", index=True)
    location_id: UUID | None = Field(default=None, foreign_key="locations.id", index=True)
    room_id: UUID | None = Field(default=None, foreign_key="rooms.id")
    condition_id: UUID | None = Field(default=None, foreign_key="conditions.id")
    category_id: UUID | None = Field(default=None, foreign_key="categories.id")
    valid_from: date
    valid_until: date | None = None
    # How far ahead the worker keeps it posted; None: only as far as an admin posts it.
    horizon_days: int | None = None
    # The last local day that was posted.
    posted_until: date | None = None
    status: ScheduleStatus = Field(default=ScheduleStatus.ACTIVE, sa_type=Text)
    version: int = 1
    created_at: datetime


class Absence(SQLModel, table=True):
    """One row is a span of time in which a clinician is away, or a location closed: schedules make no slots there."""

    __tablename__ = "absences"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="ends_after_start"),
        CheckConstraint(_ONE_OF_TWO, name="whose"),
        Index("ix_absences_clinician_id", "clinician_id", "ends_at"),
        Index("ix_absences_location_id", "location_id", "ends_at"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    clinician_id: UUID | None = Field(default=None, foreign_key="clinicians.id")
    location_id: UUID | None = Field(default=None, foreign_key="locations.id")
    starts_at: datetime
    ends_at: datetime
    # For colleagues, never for patients: such as "congress".
    note: str | None = Field(default=None, sa_type=Text)
    created_at: datetime


class SlotPlan(SQLModel, table=True):
    """One row is what closing, moving or cancelling slots would mean, as it was shown, until it is applied."""

    __tablename__ = "slot_plans"
    __table_args__ = (
        CheckConstraint("action IN ('close', 'move', 'cancel')", name="action"),
        Index("ix_slot_plans_expires_at", "expires_at"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    action: PlanAction = Field(sa_type=Text)
    wish: dict[str, Any] = Field(sa_type=JSON)
    impact: dict[str, Any] = Field(sa_type=JSON)
    # Of the slots and bookings that were looked at: another one now means that the world has changed.
    fingerprint: bytes
    actor: str = Field(sa_type=Text)
    created_at: datetime
    expires_at: datetime
    applied_at: datetime | None = None
    result: dict[str, Any] | None = Field(default=None, sa_type=JSON(none_as_null=True))


class BookingOffer(SQLModel, table=True):
    """One row is another slot that the hospital offers a booking whose own was closed, moved or is to be cancelled."""

    __tablename__ = "booking_offers"
    booking_id: UUID = Field(primary_key=True, foreign_key="consultation_bookings.id", ondelete="CASCADE")
    slot_id: UUID = Field(primary_key=True, foreign_key="consultation_slots.id", index=True)
    plan_id: UUID = Field(foreign_key="slot_plans.id", index=True)
    created_at: datetime


class CalendarFeed(SQLModel, table=True):
    """One row is a secret address at which a calendar program finds a clinician's or a location's consultations."""

    __tablename__ = "calendar_feeds"
    __table_args__ = (
        UniqueConstraint("secret_hash"),
        CheckConstraint(_ONE_OF_TWO, name="whose"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    # SHA-256 of the secret in its address.
    secret_hash: bytes
    clinician_id: UUID | None = Field(default=None, foreign_key="clinicians.id")
    location_id: UUID | None = Field(default=None, foreign_key="locations.id")
    created_by: str = Field(sa_type=Text)
    created_at: datetime
    revoked_at: datetime | None = None
