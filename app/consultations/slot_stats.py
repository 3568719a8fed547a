"""Figures on slots: how many there were, who came, and how long people wait. Sums only, nothing of a patient."""

from datetime import UTC, date
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import MISSING, Field
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations import slot_stats_queries
from app.consultations.local_days import span_of
from app.consultations.policies import Policy
from app.consultations.slot_filters import SlotFilter, refuse_unknown_slugs
from app.consultations.slot_stats_queries import Grouping
from app.consultations.slots import seconds_of
from app.core.db import connection_of, rows
from app.core.shapes import ResponseShape

MOST_DAYS: Final = 366
_SECONDS_A_DAY: Final = 86_400
_COUNTED: Final = (
    "slots", "slots_cancelled", "seats", "seats_filled", "seats_free",
    "bookings_cancelled", "bookings_fulfilled", "bookings_no_show",
)  # fmt: skip


class SlotFigures(ResponseShape):
    """Figures on some slots."""

    slots: int = Field(description="Slots that were posted, cancelled ones included.", examples=[40])
    slots_cancelled: int = Field(description="Those of them that are cancelled.", examples=[2])
    seats: int = Field(description="Seats of the slots that are not cancelled.", examples=[76])
    seats_filled: int = Field(
        description="Those of them that are taken: by live bookings, and by those that ended as fulfilled or no-show.",
        examples=[61],
    )
    seats_free: int = Field(description="Seats that can be booked now.", examples=[9])
    bookings_cancelled: int = Field(description="Bookings that were cancelled.", examples=[5])
    bookings_fulfilled: int = Field(description="Bookings whose patient came.", examples=[48])
    bookings_no_show: int = Field(description="Bookings whose patient did not come.", examples=[3])
    median_lead_days: float | MISSING = Field(
        default=MISSING,
        description="Median of the days from booking to begin, of the bookings that were not cancelled; absent where "
        "there are none.",
        examples=[12.25],
    )
    third_next_available_days: int | MISSING = Field(
        default=MISSING,
        description="Days from today to the third slot that can be booked, whatever the days that are asked for; the "
        "day is that of the slot's zone. Absent where fewer are free, for weeks, and for what stands for none.",
        examples=[8],
    )


class SlotStatsRow(SlotFigures):
    """Figures on the slots of one clinician, location, category or week."""

    group: str | MISSING = Field(
        default=MISSING,
        description="Slug of the clinician, the location or the category, or the week (ISO 8601, such as 2027-W02). "
        "Absent for the slots that have none.",
        examples=["dr-rivera"],
    )
    name: str | MISSING = Field(
        default=MISSING, description="Name for people; weeks have none.", examples=["Dr. Rivera"]
    )


class SlotStats(ResponseShape):
    """Figures on the slots of some days."""

    by: Grouping = Field(description="What each row stands for.", examples=["clinician"])
    rows: list[SlotStatsRow] = Field(
        description="Each with slots in these days, in the order of `group`; the one without it last."
    )
    total: SlotFigures = Field(description="The same of all of them.")


async def figures(
    session: AsyncSession, wanted: SlotFilter, *, by: Grouping, first: date, last: date, policy: Policy
) -> SlotStats:
    """Figures on the slots from the one local day to the other. Raises InvalidInput for an unknown slug."""
    values = wanted.values()
    asked = frozenset(values)
    third = await rows(session, slot_stats_queries.third_free(by, asked), values | {"min_notice": seconds_of(policy)})
    values |= span_of(first, last)
    leads = await rows(session, slot_stats_queries.leads(by, asked), values)
    values |= {"min_notice": seconds_of(policy)}
    counts = await rows(session, slot_stats_queries.counts(by, asked), values)
    if not counts:
        await refuse_unknown_slugs(await connection_of(session), wanted)
    days_to_third = {row.key: _days_to(row) for row in third}
    medians = {row.key: row.median for row in leads}
    found = [
        SlotStatsRow(
            **_names(row, by),
            **_sums([row]),
            median_lead_days=_days(medians.get(row.key)),
            third_next_available_days=MISSING if row.key is None else days_to_third.get(row.key, MISSING),
        )
        for row in counts
    ]
    middle = sum(row.middle_count for row in leads)
    total = SlotFigures(
        **_sums(counts),
        median_lead_days=_days(sum(row.middle_sum for row in leads) / middle if middle else None),
        third_next_available_days=days_to_third.get(None, MISSING),
    )
    return SlotStats(by=by, rows=sorted(found, key=_place), total=total)


def _sums(counts: Any) -> dict[str, int]:
    return {name: sum(getattr(row, name) for row in counts) for name in _COUNTED}


def _names(row: Any, by: Grouping) -> dict[str, Any]:
    if row.key is None:
        return {}
    if by is Grouping.WEEK:
        return {"group": f"{row.key:%G-W%V}"}
    return {"group": row.slug, "name": row.name or row.slug}


def _place(row: SlotStatsRow) -> tuple[bool, str]:
    return (row.group is MISSING, "" if row.group is MISSING else row.group)


def _days(seconds: float | None) -> Any:
    return MISSING if seconds is None else round(seconds / _SECONDS_A_DAY, 2)


def _days_to(row: Any) -> int:
    now = row.now if row.now.tzinfo else row.now.replace(tzinfo=UTC)
    days: int = (row.local_date - now.astimezone(ZoneInfo(row.time_zone)).date()).days
    return days
