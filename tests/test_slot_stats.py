"""Figures on slots, against a plain count of the rows; as JSON and as a table that no spreadsheet runs."""

import csv
import io
import random
import statistics
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from app.access.callers import Scope
from app.consultations import slot_stats_queries
from app.consultations.slot_stats_queries import Grouping
from app.consultations.tables import BookingState, Clinician, SlotStatus
from app.content import slugs
from app.content.editorial_tables import Subject
from app.core import clock
from app.core.db import Database, rows
from app.core.ids import new_id
from tests.conftest import headers_with
from tests.lives import put_ended
from tests.plans import explain, reads_all_slots
from tests.rows import make_slot, run
from tests.slot_samples import SIBLING, Sample, furnish, soonest_first
from tests.test_slot_search import wishes
from tests.wishes import refusal

CSV = {"Accept": "text/csv"}
# Half of the days are over.
BEGIN, DAYS = clock.now().date() - timedelta(days=40), 80

# A query, the parameter that is named, and the word for what is wrong with it.
BAD = {
    ("from=2027-01-01&to=2027-01-31", "by", "missing"),
    ("from=2027-01-01&to=2027-01-31&by=room", "by", "enum"),
    ("from=2027-01-02&to=2027-01-01&by=week", "to", "end_before_start"),
    ("from=2027-01-01&to=2028-01-02&by=week", "to", "too_far"),
    ("from=2027-01-01T00:00:00Z&to=2027-01-02&by=week", "from", "full_date"),
    ("from=1999-12-31&to=2000-01-02&by=week", "from", "date_range"),
    ("to=2027-01-31&by=week", "from", "missing"),
    ("from=2027-01-01&to=2027-01-31&by=week&location=nowhere", "location", "unknown_reference"),
    ("from=2027-01-01&to=2027-01-31&by=week&format=csv", "format", "extra_forbidden"),
}


async def stats(client: httpx.AsyncClient, admin: dict[str, str], **wanted: Any) -> dict[str, Any]:
    """The figures of these days."""
    params = {"from": BEGIN.isoformat(), "to": (BEGIN + timedelta(days=DAYS - 1)).isoformat()} | wanted
    answer = await client.get("/consultation-slots/stats", params=params, headers=admin)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def group_of(sample: Sample, by: str) -> str | None:
    """Where a slot is counted."""
    if by == "week":
        return f"{sample.local.date():%G-W%V}"
    return sample.its_category if by == "category" else getattr(sample, by)


def figures(samples: Iterable[Sample], everything: Iterable[Sample], *, has_third: bool) -> dict[str, Any]:
    """The same, counted."""
    samples = list(samples)
    bookings = [(sample, booking) for sample in samples for booking in sample.bookings]
    states = [booking["state"] for _, booking in bookings]
    kept = (BookingState.BOOKED, BookingState.FULFILLED, BookingState.NO_SHOW)
    leads = [
        (sample.starts_at - booking["created_at"]).total_seconds() / 86_400
        for sample, booking in bookings
        if booking["state"] in kept
    ]
    told: dict[str, Any] = {
        "slots": len(samples),
        "slots_cancelled": sum(sample.row["status"] == SlotStatus.CANCELLED for sample in samples),
        "seats": sum(s.row["capacity"] for s in samples if s.row["status"] != SlotStatus.CANCELLED),
        "seats_filled": sum(sample.taken for sample in samples) + sum(state in kept[1:] for state in states),
        "seats_free": sum(sample.row["capacity"] - sample.taken for sample in samples if sample.is_free),
        "bookings_cancelled": states.count(BookingState.CANCELLED),
        "bookings_fulfilled": states.count(BookingState.FULFILLED),
        "bookings_no_show": states.count(BookingState.NO_SHOW),
    }
    if leads:
        told["median_lead_days"] = pytest.approx(statistics.median(leads), abs=0.0051)
    free = [sample for sample in soonest_first(everything) if sample.is_free]
    if has_third and len(free) >= 3:
        today = clock.now().astimezone(ZoneInfo(free[2].row["time_zone"])).date()
        told["third_next_available_days"] = (free[2].local.date() - today).days
    return told


def plain(samples: list[Sample], by: str, wanted: dict[str, Any], first: date, last: date) -> dict[str, Any]:
    """The whole answer by a look at each slot."""
    found = [sample for sample in samples if sample.matches(wanted)]
    within = [sample for sample in found if first <= sample.local.date() <= last]
    told = []
    for group in sorted({group_of(sample, by) for sample in within}, key=lambda group: (group is None, group)):
        of_group = [sample for sample in found if group_of(sample, by) == group]
        row = figures(
            [sample for sample in within if sample in of_group],
            of_group,
            has_third=by != "week" and group is not None,
        )
        told.append(({} if group is None else {"group": group}) | row)
    return {"by": by, "rows": told, "total": figures(within, found, has_third=True)}


@pytest.mark.parametrize("by", Grouping)
async def test_figures_are_what_a_plain_count_of_the_rows_gives(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, by: Grouping
) -> None:
    samples = await furnish(database, 31, slots=250, first=BEGIN, days=DAYS)
    chance = random.Random(32)
    first, last = BEGIN + timedelta(days=5), BEGIN + timedelta(days=60)
    for wanted in [{}, wishes(chance), wishes(chance)]:
        told = await stats(client, admin, **wanted, by=by, **{"from": str(first), "to": str(last)})
        for row in told["rows"]:
            name = row.pop("name", None)
            assert (name is None) == (by is Grouping.WEEK or "group" not in row)
        assert told == plain(samples, by, wanted, first, last), wanted
    whole = await stats(client, admin, by=by)
    for name in ("slots", "seats", "seats_filled", "seats_free", "bookings_no_show"):
        assert sum(row[name] for row in whole["rows"]) == whole["total"][name] > 0


async def test_no_more_seats_are_filled_than_there_are(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    begin = clock.now() - timedelta(days=2)
    slot_id = await make_slot(database, starts_at=begin, ends_at=begin + timedelta(hours=1))
    await put_ended(database, slot_id, BookingState.FULFILLED)
    told = (await stats(client, admin, by="week"))["total"]
    assert (told["seats"], told["seats_filled"], told["bookings_fulfilled"]) == (1, 1, 1)
    # It took place; an admin cancels it nevertheless.
    answer = await client.post(f"/consultation-slots/{slot_id}/cancel", headers=admin | {"If-Match": "*"})
    assert answer.status_code == 200
    told = (await stats(client, admin, by="week"))["total"]
    assert (told["seats"], told["seats_filled"], told["bookings_fulfilled"]) == (0, 0, 1)


async def test_nothing_is_counted_where_nothing_is(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    for by in Grouping:
        told = await stats(client, admin, by=by)
        assert (told["rows"], set(told["total"].values())) == ([], {0})


async def test_a_table_says_the_same(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> None:
    await furnish(database, 33, slots=80, first=BEGIN, days=DAYS)
    for by in Grouping:
        told = await stats(client, admin, by=by)
        query = f"from={BEGIN}&to={BEGIN + timedelta(days=DAYS - 1)}&by={by}"
        answer = await client.get(f"/consultation-slots/stats?{query}", headers=admin | CSV)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Accept", "no-store")
        table = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        total = {"row": "total", "group": "", "name": ""} | told["total"]
        expected = [{"row": "group"} | row for row in told["rows"]] + [total]
        assert table == [{name: str(row.get(name, "")) for name in table[0]} for row in expected]
        again = await client.get(
            f"/consultation-slots/stats?{query}", headers=admin | CSV | {"If-None-Match": answer.headers["etag"]}
        )
        assert again.status_code == 304


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\uff1d"])
async def test_no_cell_is_a_formula(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, begin: str
) -> None:
    name = f'{begin}HYPERLINK("https://example.org", "a,b")'
    clinician = Clinician(id=new_id(), slug="dr-formula", name=name)
    await run(database, Clinician.__table__.insert().values(clinician.model_dump()))  # type: ignore[attr-defined]
    starts_at = clock.now() - timedelta(days=3)
    await make_slot(database, starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), clinician_id=clinician.id)
    query = f"from={BEGIN}&to={BEGIN + timedelta(days=DAYS)}&by=clinician"
    answer = await client.get(f"/consultation-slots/stats?{query}", headers=admin | CSV)
    (row, _) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert (row["group"], row["name"]) == ("dr-formula", f"'{name}")
    assert (await stats(client, admin, by="clinician"))["rows"][0]["name"] == name


async def test_only_who_posts_slots_reads_figures(client: httpx.AsyncClient, database: Database) -> None:
    address = "/consultation-slots/stats?from=2027-01-01&to=2027-01-31&by=week"
    assert refusal(await client.get(address)) == (401, "credential-invalid")
    for scope in Scope:
        answer = await client.get(address, headers=await headers_with(database, scope))
        assert answer.status_code == (200 if scope is Scope.SLOTS_WRITE else 403)


async def test_what_cannot_be_counted_is_refused_by_name(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    told = set()
    for query, _, _ in BAD:
        answer = await client.get(f"/consultation-slots/stats?{query}", headers=admin)
        assert refusal(answer) == (422, "invalid-input"), query
        (fault,) = answer.json()["errors"]
        told.add((query, fault["parameter"], fault["code"]))
    assert told == BAD
    longest = {"from": "2027-01-01", "to": "2028-01-01"}
    assert (await stats(client, admin, by="week", **longest))["rows"] == []


async def test_a_former_slug_counts_the_same(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await furnish(database, 34, slots=60, first=BEGIN, days=DAYS)
    before = await stats(client, admin, by="clinician", condition=SIBLING)
    async with database.write() as session:
        await slugs.rename(session, Subject.CONDITION, SIBLING, "renamed-sibling", by="test")
    assert await stats(client, admin, by="clinician", condition=SIBLING) == before
    assert before["total"]["slots"] > 0


@pytest.mark.parametrize("by", [Grouping.CLINICIAN, Grouping.LOCATION, Grouping.WEEK])
async def test_the_third_free_slots_are_found_by_an_index(database: Database, by: Grouping) -> None:
    await furnish(database, 35, slots=2_000, first=clock.now().date() + timedelta(days=1), days=60)
    query = slot_stats_queries.third_free(by, frozenset())
    async with database.looking.connect() as connection:
        if database.writer is None:
            async with database.writing.begin() as writing:
                await writing.exec_driver_sql("ANALYZE")
        plan = [str(row[-1]) for row in await rows(connection, explain(query), {"min_notice": 0})]
    indexes = {"ix_consultation_slots_kept"} | ({f"ix_consultation_slots_{by}_id"} - {"ix_consultation_slots_week_id"})
    assert all(any(index in step for step in plan) for index in indexes), plan
    assert not [step for step in plan if reads_all_slots(step)], plan
