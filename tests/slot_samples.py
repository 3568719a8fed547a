"""A hospital with many slots, all of whose properties are known, to compare what is found with what is there."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import insert
from sqlalchemy import select as core_select

from app.consultations.local_times import local_time
from app.consultations.neighbours import categories, conditions
from app.consultations.schedule_tables import Room
from app.consultations.tables import (
    BookingState,
    Clinician,
    ConsultationBooking,
    ConsultationSlot,
    Location,
    SlotMode,
    SlotStatus,
)
from app.core import clock
from app.core.db import Database
from app.core.ids import digest, new_id, new_reference
from tests.pages import publish
from tests.rows import change_booking

CONDITION, CATEGORY = "acute-lymphoblastic-leukemia", "hematologic-malignancies"
SIBLING, STRANGER, STRANGE_CATEGORY = "synthetic-sibling", "synthetic-condition", "synthetic-category"
CATEGORY_OF = {CONDITION: CATEGORY, SIBLING: CATEGORY, STRANGER: STRANGE_CATEGORY}
# Far from UTC on both sides, with half hours, and with clocks that are turned.
PLACES = {
    "berlin": "Europe/Berlin",
    "kiritimati": "Pacific/Kiritimati",
    "pago-pago": "Pacific/Pago_Pago",
    "kolkata": "Asia/Kolkata",
}
ZONES = (*PLACES.values(), "America/New_York", "Pacific/Apia", "Australia/Lord_Howe", "UTC")
CLINICIANS = ("dr-a", "dr-b", "dr-c")
# The second is there, but not in the first's place.
ROOMS = {"berlin": ("one", "two"), "kolkata": ("one",)}
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass
class Sample:
    """One slot as it is, and its bookings."""

    row: dict[str, Any]
    clinician: str | None
    location: str | None
    room: str | None
    condition: str | None
    category: str | None
    bookings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """As the API tells it."""
        return str(self.row["id"])

    @property
    def starts_at(self) -> datetime:
        """Its begin."""
        return self.row["starts_at"]  # type: ignore[no-any-return]

    @property
    def local(self) -> datetime:
        """Its begin on the wall clock of its zone."""
        return self.starts_at.astimezone(ZoneInfo(self.row["time_zone"]))

    @property
    def taken(self) -> int:
        """How many of its seats are taken now."""
        now = clock.now()
        return sum(
            booking["state"] == BookingState.BOOKED
            or (booking["state"] == BookingState.HELD and booking["hold_expires_at"] > now)
            for booking in self.bookings
        )

    @property
    def is_open(self) -> bool:
        """Whether it is open and to come."""
        return self.row["status"] == SlotStatus.OPEN and self.starts_at > clock.now()

    @property
    def is_free(self) -> bool:
        """Whether it can be booked."""
        return self.is_open and self.row["capacity"] > self.taken

    @property
    def its_category(self) -> str | None:
        """The category that it is offered for, or that its condition is of."""
        return self.category or CATEGORY_OF.get(self.condition or "")

    def matches(self, wanted: dict[str, Any]) -> bool:
        """Whether these filters of the API find it."""
        for_anything = self.condition is None and self.category is None
        of_condition = CATEGORY_OF.get(wanted.get("condition", ""), "no category")
        clock_shows = f"{self.local:%H:%M}"
        holds = {
            "condition": self.condition == wanted.get("condition") or self.category == of_condition or for_anything,
            "category": self.its_category == wanted.get("category") or for_anything,
            "clinician": self.clinician == wanted.get("clinician"),
            "location": self.location == wanted.get("location"),
            "room": self.room == wanted.get("room"),
            "mode": self.row["mode"] == wanted.get("mode"),
            "weekday": WEEK[self.local.weekday()] in wanted.get("weekday", ()),
            "time_from": clock_shows >= wanted.get("time_from", ""),
            "time_to": clock_shows < wanted.get("time_to", ""),
        }
        return all(holds[name] for name in wanted)


def soonest_first(samples: Iterable[Sample]) -> list[Sample]:
    """In the order of the list."""
    return sorted(samples, key=lambda sample: (sample.starts_at, sample.row["id"]))


async def furnish(database: Database, seed: int, *, slots: int, first: date, days: int) -> list[Sample]:
    """Put so many slots there, which begin within so many days from this one on; and bookings of some."""
    chance = random.Random(seed)
    await publish(
        database, SIBLING, category={"slug": CATEGORY, "name": "Hematologic Malignancies"}, treatment_options=[]
    )
    await publish(database, STRANGER)
    clinicians = {slug: new_id() for slug in CLINICIANS}
    places = {slug: new_id() for slug in PLACES}
    rooms = {(place, room): new_id() for place, names in ROOMS.items() for room in names}
    async with database.write() as session:
        connection = await session.connection()
        told = [{"id": key, "slug": slug, "name": f"Name of {slug}"} for slug, key in clinicians.items()]
        await connection.execute(insert(Clinician), told)
        told = [{"id": key, "slug": slug, "name": slug, "time_zone": PLACES[slug]} for slug, key in places.items()]
        await connection.execute(insert(Location), told)
        told = [
            {"id": key, "slug": room, "name": room, "location_id": places[place]}
            for (place, room), key in rooms.items()
        ]
        await connection.execute(insert(Room), told)
        topics: dict[str, dict[str, UUID]] = {}
        for name, table in (("condition", conditions), ("category", categories)):
            found = await connection.execute(core_select(table.c.slug, table.c.id))
            topics[name] = {row.slug: row.id for row in found}
        samples = [_sample(chance, first, days) for _ in range(slots)]
        for sample in samples:
            sample.row |= {
                "clinician_id": clinicians[sample.clinician] if sample.clinician else None,
                "location_id": places[sample.location] if sample.location else None,
                "room_id": rooms[sample.location, sample.room] if sample.location and sample.room else None,
                "condition_id": topics["condition"][sample.condition] if sample.condition else None,
                "category_id": topics["category"][sample.category] if sample.category else None,
            }
        # Bookings are made while a slot is open, and to come or not.
        opened = [sample.row | {"status": SlotStatus.OPEN} for sample in samples]
        await connection.execute(insert(ConsultationSlot), opened)
        made = [booking for sample in samples for booking in _bookings(chance, sample)]
        held = {BookingState.HELD, BookingState.EXPIRED}
        begun = [
            booking | {"state": BookingState.HELD if booking["state"] in held else BookingState.BOOKED}
            for booking in made
        ]
        await connection.execute(insert(ConsultationBooking), begun)
        for booking in made:
            if booking["state"] not in (BookingState.HELD, BookingState.BOOKED):
                await connection.execute(change_booking(booking["id"], state=booking["state"], hold_expires_at=None))
        table = ConsultationSlot.__table__  # type: ignore[attr-defined]
        for sample in samples:
            if sample.row["status"] != SlotStatus.OPEN:
                change = table.update().where(table.c.id == sample.row["id"]).values(status=sample.row["status"])
                await connection.execute(change)
    return samples


def _sample(chance: random.Random, first: date, days: int) -> Sample:
    place = chance.choice([None, *PLACES])
    zone = PLACES[place] if place else chance.choice(ZONES)
    minutes = 5 * chance.randrange(days * 24 * 12)
    starts_at = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo("UTC")) + timedelta(minutes=minutes)
    topic = chance.choice(
        [
            {},
            {},
            *({"condition": slug} for slug in CATEGORY_OF),
            {"category": CATEGORY},
            {"category": STRANGE_CATEGORY},
        ]
    )
    row = {
        "id": new_id(),
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(minutes=30),
        "time_zone": zone,
        "mode": chance.choice([*SlotMode]),
        "capacity": chance.randint(1, 3),
        "status": chance.choices([*SlotStatus], weights=(8, 1, 1))[0],
        "version": 1,
        "created_at": clock.now(),
        "overlap_reason": "synthetic",
        **local_time(starts_at, zone)._asdict(),
    }
    return Sample(
        row,
        chance.choice([None, *CLINICIANS]),
        place,
        chance.choice([None, *ROOMS.get(place or "", ())]),
        topic.get("condition"),
        topic.get("category"),
    )


def _bookings(chance: random.Random, sample: Sample) -> list[dict[str, Any]]:
    now = clock.now()
    is_cancelled = sample.row["status"] == SlotStatus.CANCELLED
    for seat in range(1, sample.row["capacity"] + 1):
        states = [BookingState.CANCELLED] if is_cancelled else [*BookingState]
        if chance.random() < 0.6:
            state = chance.choice(states)
            hours = {BookingState.HELD: chance.choice((-1, 1)), BookingState.EXPIRED: -1}.get(state)
            expires = None if hours is None else now + timedelta(hours=hours)
            sample.bookings.append(
                {
                    "id": new_id(),
                    "slot_id": sample.row["id"],
                    "seat": seat,
                    "reference": new_reference(),
                    "secret_hash": digest("nobody's"),
                    "state": state,
                    "version": 1,
                    "hold_expires_at": expires,
                    "created_at": sample.starts_at - timedelta(seconds=chance.randrange(1, 60 * 86_400)),
                }
            )
    return sample.bookings
