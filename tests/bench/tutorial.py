"""The yardstick: condition page, slot list and booking as the FastAPI and SQLModel documentation teaches them.

`def` routes, one synchronous session a request, ORM entities with relationships, `response_model`, offset and limit, a
check before the insert. Kept as the tutorials have it on purpose; improving it would measure something else. Only
uvicorn imports this module: as in the tutorials, its engine is made on import.
"""

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from sqlmodel import Session, col, select

from tests.bench.tutorial_models import (
    Condition,
    ConditionPublic,
    ConsultationBooking,
    ConsultationBookingCreate,
    ConsultationBookingPublic,
    ConsultationSlot,
    ConsultationSlotPublic,
    make_engine,
)

engine = make_engine(os.environ["BENCH_DATABASE_URL"])


def get_session() -> Iterator[Session]:
    """Open one session a request."""
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_session)]

app = FastAPI()


@app.get("/conditions/{slug}", response_model=ConditionPublic)
def read_condition(slug: str, session: SessionDep) -> Condition:
    """Answer a condition's page; its lists load lazily while the answer is made."""
    condition = session.exec(select(Condition).where(Condition.slug == slug)).first()
    if condition is None:
        raise HTTPException(status_code=404, detail="Condition not found")
    return condition


@app.get("/consultation-slots", response_model=list[ConsultationSlotPublic])
def read_consultation_slots(
    session: SessionDep, offset: int = 0, limit: Annotated[int, Query(le=100)] = 100
) -> Sequence[ConsultationSlot]:
    """Answer the free slots, soonest first."""
    free = (
        select(ConsultationSlot)
        .where(ConsultationSlot.starts_at > datetime.now(UTC))
        .where(ConsultationSlot.seats_taken < ConsultationSlot.capacity)
        .order_by(col(ConsultationSlot.starts_at))
        .offset(offset)
        .limit(limit)
    )
    return session.exec(free).all()


@app.post("/consultation-bookings", response_model=ConsultationBookingPublic, status_code=201)
def create_consultation_booking(wish: ConsultationBookingCreate, session: SessionDep) -> ConsultationBooking:
    """Check that a seat is free, then insert: two requests at once can take the last seat, as tutorials go."""
    slot = session.get(ConsultationSlot, wish.slot_id)
    if slot is None:
        raise HTTPException(status_code=404, detail="Slot not found")
    if slot.seats_taken >= slot.capacity:
        raise HTTPException(status_code=409, detail="Slot is full")
    slot.seats_taken += 1
    booking = ConsultationBooking(
        slot_id=wish.slot_id,
        patient_name=wish.patient.name,
        patient_email=wish.patient.email,
        consent_version=wish.consent.text_version,
    )
    session.add(slot)
    session.add(booking)
    session.commit()
    session.refresh(booking)
    return booking
