"""The tutorial application's tables and shapes, in a module of their own so that the benchmark can fill the tables."""

from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlmodel import Field, Relationship, SQLModel, create_engine


class ConditionBase(SQLModel):
    """The texts of a condition's page."""

    slug: str = Field(unique=True, index=True)
    name: str
    category: str
    summary: str
    overview: str
    when_to_consult: str
    what_to_bring: str
    consultation_heading: str
    consultation_text: str


class Condition(ConditionBase, table=True):
    """One row is one condition's page."""

    id: int | None = Field(default=None, primary_key=True)
    risk_factors: list["RiskFactor"] = Relationship(sa_relationship_kwargs={"order_by": "RiskFactor.id"})
    causes: list["Cause"] = Relationship(sa_relationship_kwargs={"order_by": "Cause.id"})
    treatment_options: list["TreatmentOption"] = Relationship(sa_relationship_kwargs={"order_by": "TreatmentOption.id"})


class RiskFactorBase(SQLModel):
    """A risk factor as the page lists it."""

    text: str


class RiskFactor(RiskFactorBase, table=True):
    """One row is one risk factor of one page."""

    id: int | None = Field(default=None, primary_key=True)
    condition_id: int | None = Field(default=None, foreign_key="condition.id", index=True)


class CauseBase(SQLModel):
    """A cause as the page lists it."""

    text: str


class Cause(CauseBase, table=True):
    """One row is one cause of one page."""

    id: int | None = Field(default=None, primary_key=True)
    condition_id: int | None = Field(default=None, foreign_key="condition.id", index=True)


class TreatmentOptionBase(SQLModel):
    """A treatment option as the page words it."""

    name: str
    slug: str
    description: str


class TreatmentOption(TreatmentOptionBase, table=True):
    """One row is one treatment option of one page."""

    id: int | None = Field(default=None, primary_key=True)
    condition_id: int | None = Field(default=None, foreign_key="condition.id", index=True)


class ConditionPublic(ConditionBase):
    """The page as it is answered."""

    id: int
    risk_factors: list[RiskFactorBase] = []
    causes: list[CauseBase] = []
    treatment_options: list[TreatmentOptionBase] = []


class ConsultationSlotBase(SQLModel):
    """A posted span of time."""

    starts_at: datetime = Field(index=True)
    ends_at: datetime
    time_zone: str
    mode: str
    capacity: int


class ConsultationSlot(ConsultationSlotBase, table=True):
    """One row is one slot; its free seats are kept as a running count."""

    id: int | None = Field(default=None, primary_key=True)
    seats_taken: int = 0


class ConsultationSlotPublic(ConsultationSlotBase):
    """A slot as it is listed."""

    id: int
    seats_taken: int


class Patient(SQLModel):
    """Who comes."""

    name: str
    email: str


class Consent(SQLModel):
    """The text that the patient agreed to."""

    text_version: str


class ConsultationBookingCreate(SQLModel):
    """What a client sends to book."""

    slot_id: int
    patient: Patient
    consent: Consent


class ConsultationBookingBase(SQLModel):
    """A booking without its number."""

    slot_id: int = Field(foreign_key="consultationslot.id", index=True)
    patient_name: str
    patient_email: str
    consent_version: str
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class ConsultationBooking(ConsultationBookingBase, table=True):
    """One row is one booking."""

    id: int | None = Field(default=None, primary_key=True)


class ConsultationBookingPublic(ConsultationBookingBase):
    """A booking as it is answered."""

    id: int


def make_engine(url: str) -> Engine:
    """Connect as the documentation does: threads may share SQLite's connections, else the defaults."""
    return create_engine(url, connect_args={"check_same_thread": False} if url.startswith("sqlite") else {})
