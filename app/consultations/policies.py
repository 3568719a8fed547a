"""What a hospital allows, and until when. Pure: no session, no clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from app.consultations.tables import BookingState
from app.core.settings import Settings


class BookingAction(StrEnum):
    """What can be done with a booking."""

    CONFIRM = "confirm"
    CANCEL = "cancel"
    RESCHEDULE = "reschedule"
    FULFIL = "fulfil"
    NO_SHOW = "no-show"


@dataclass(frozen=True, slots=True)
class Policy:
    """How long before its start a consultation can be booked, cancelled and rescheduled, and how often the latter."""

    min_notice: timedelta
    cancel_until: timedelta
    reschedule_until: timedelta
    max_reschedules: int

    @classmethod
    def of_hospital(cls, settings: Settings) -> Self:
        """What holds where a location says nothing else."""
        return cls(
            timedelta(minutes=settings.min_notice_minutes),
            timedelta(minutes=settings.cancel_until_minutes),
            timedelta(minutes=settings.reschedule_until_minutes),
            settings.max_reschedules,
        )

    def at_location(self, row: Any) -> "Policy":
        """The same with what the location of this slot's row says otherwise."""
        return Policy(
            self.notice_at(row),
            _minutes(row.cancel_until_minutes, self.cancel_until),
            _minutes(row.reschedule_until_minutes, self.reschedule_until),
            self.max_reschedules if row.max_reschedules is None else row.max_reschedules,
        )

    def notice_at(self, row: Any) -> timedelta:
        """How long before its start a slot can be booked, by its row."""
        return _minutes(row.min_notice_minutes, self.min_notice)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a policy comes to for one booking."""

    cancel_until: datetime
    reschedule_until: datetime
    reschedules_left: int

    @classmethod
    def under(cls, policy: Policy, *, starts_at: datetime, reschedule_count: int) -> Self:
        """For a booking of a consultation that starts then."""
        return cls(
            starts_at - policy.cancel_until,
            starts_at - policy.reschedule_until,
            max(0, policy.max_reschedules - reschedule_count),
        )

    def actions(self, state: BookingState, *, now: datetime, starts_at: datetime, staff: bool) -> list[BookingAction]:
        """What the booking's holder can do with it now; what staff can do without going past the policy."""
        if state is BookingState.HELD:
            return [BookingAction.CONFIRM, BookingAction.CANCEL]
        if state is not BookingState.BOOKED:
            return []
        allowed = []
        if staff or now < self.cancel_until:
            allowed.append(BookingAction.CANCEL)
        if now < self.reschedule_until and self.reschedules_left:
            allowed.append(BookingAction.RESCHEDULE)
        if staff and starts_at <= now:
            allowed += [BookingAction.FULFIL, BookingAction.NO_SHOW]
        return allowed


def _minutes(of_location: int | None, of_hospital: timedelta) -> timedelta:
    return of_hospital if of_location is None else timedelta(minutes=of_location)
