"""Millions of slots and their bookings, made by the database itself, past the one way in: for measurements only.

Half of the slots lie behind, half ahead; most of those behind were booked, and of those ahead the sooner ones rather.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from sqlalchemy import Connection, text

from app.core import clock, migrations
from app.core.settings import Settings

# A clinician's day: from eight o'clock, one after the other.
_PER_DAY: Final = 16
_MINUTES: Final = 30
_BEGIN: Final = 8 * 60
_DAY: Final = f"((n / :clinicians) / {_PER_DAY})"
_MINUTE: Final = f"({_BEGIN} + ((n / :clinicians) % {_PER_DAY}) * {_MINUTES})"
# How many days of slots each clinician has at most, the past included; past that there are more clinicians.
_MOST_DAYS: Final = 730
_FEWEST_CLINICIANS: Final = 10
# Of a hundred slots; what is left is for anything.
_FOR_CONDITION, _FOR_CATEGORY = 70, 15
_CLOSED: Final = 5
_BOOKED_PAST, _BOOKED_SOON, _BOOKED_LATER = 80, 60, 25
_SOON_DAYS: Final = 14
_MOST_EXCLUDED: Final = 100_000
_CLINICIAN, _LOCATION, _CATEGORY, _CONDITION, _SLOT, _BOOKING = range(1, 7)
_PREFIX: Final = "01993b2e000070008"
# One for each thing that is left to chance: multiples of one number would go hand in hand.
_FACTORS: Final = (0, 2654435761, 2246822519, 3266489917, 668265263, 374761393, 1597334677)
_TABLES: Final = ("consultation_slots", "consultation_bookings")
# The triggers, then keys to other tables and exclusions, then indexes: what comes back last goes first.
_POSTGRES_GUARDS: Final = """
SELECT without, again FROM (
  SELECT 1 AS place, format('ALTER TABLE %s DISABLE TRIGGER USER', name) AS without,
    format('ALTER TABLE %s ENABLE TRIGGER USER', name) AS again
  FROM unnest(CAST(:tables AS text[])) AS name
  UNION ALL
  SELECT 2, format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
    CASE WHEN contype = 'f' OR :keeps_exclusions THEN
      format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) END
  FROM pg_constraint WHERE conrelid = ANY (CAST(:tables AS regclass[])) AND contype IN ('f', 'x')
  UNION ALL
  SELECT 3, format('DROP INDEX %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
  FROM pg_index WHERE indrelid = ANY (CAST(:tables AS regclass[]))
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
) AS guards ORDER BY place
"""


@dataclass(frozen=True, slots=True)
class Clinic:
    """What there is to be, besides so many slots."""

    slots: int
    conditions: int = 50
    categories: int = 10
    locations: int = 20

    @property
    def clinicians(self) -> int:
        """As many as it takes."""
        return max(_FEWEST_CLINICIANS, math.ceil(self.slots / (_PER_DAY * _MOST_DAYS)))

    @property
    def days(self) -> int:
        """How long they work for."""
        return math.ceil(self.slots / (self.clinicians * _PER_DAY))


def condition_slug(number: int) -> str:
    """The slug of a condition that slots are offered for."""
    return f"bench-condition-{number}"


def category_slug(number: int) -> str:
    """The slug of a category that slots are offered for."""
    return f"bench-category-{number}"


def fill(settings: Settings, clinic: Clinic, *, at_once: int = 1_000_000) -> None:
    """Make all of it in a migrated database that has none of it yet. Indexes and guards are as before then.

    But for PostgreSQL's exclusions where there are very many: nothing is found by them, and they would take an hour for
    ten millions.
    """
    engine = migrations.engine_for(settings)
    with engine.begin() as connection, _without_guards(connection, clinic.slots):
        words = _Postgres() if engine.dialect.name == "postgresql" else _Sqlite()
        values = _values(clinic)
        for statement in _places(words, clinic):
            connection.execute(text(statement))
        for first in range(0, clinic.slots, at_once):
            numbers = {"first": first, "last": min(first + at_once, clinic.slots) - 1}
            for statement in (_slots(words), _bookings(words)):
                connection.execute(text(statement), values | numbers)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # What autovacuum does within minutes: the planner knows how much there is, and what is visible to all.
        connection.execute(text("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE"))
    engine.dispose()


@contextmanager
def _without_guards(connection: Connection, slots: int) -> Iterator[None]:
    """Looking at each row for what it must not be, and finding its place in each index: once at the end is enough."""
    if connection.dialect.name == "postgresql":
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {name} = 0")
        connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '1GB'")
        values = {"tables": list(_TABLES), "keeps_exclusions": slots <= _MOST_EXCLUDED}
        guards = connection.execute(text(_POSTGRES_GUARDS), values).all()
        before, after = [guard.without for guard in guards], [guard.again for guard in reversed(guards) if guard.again]
    else:
        triggers = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN (:slots, :bookings)"),
            dict(zip(("slots", "bookings"), _TABLES, strict=True)),
        ).all()
        before = [f"DROP TRIGGER {trigger.name}" for trigger in triggers]
        after = [trigger.sql for trigger in triggers]
    for statement in before:
        connection.exec_driver_sql(statement)
    yield
    for statement in after:
        connection.exec_driver_sql(statement)


class _Words(Protocol):
    """What the two databases say differently. `number`, `day` and `minute` are expressions."""

    def numbers(self, first: str, last: str) -> str:
        """A table of numbers, `n`."""

    def uuid(self, kind: int, number: str) -> str:
        """An id that is the same for the same number; there are several kinds of things."""

    def at(self, day: str, minute: str) -> str:
        """A moment, counted from the bound `base`."""

    def date(self, day: str) -> str:
        """A day, counted from there too."""

    def zeros(self) -> str:
        """A digest of nothing."""


class _Postgres:
    def numbers(self, first: str, last: str) -> str:
        return f"(SELECT n FROM generate_series(CAST({first} AS bigint), CAST({last} AS bigint)) AS n) AS numbers"

    def uuid(self, kind: int, number: str) -> str:
        return f"CAST('{_PREFIX}{kind:03x}' || lpad(to_hex({number}), 12, '0') AS uuid)"

    def at(self, day: str, minute: str) -> str:
        return f"(CAST(:base AS timestamp) AT TIME ZONE 'UTC' + (({day}) * 1440 + {minute}) * interval '1 minute')"

    def date(self, day: str) -> str:
        return f"CAST(CAST(:base AS timestamp) + ({day}) * interval '1 day' AS date)"

    def zeros(self) -> str:
        return "CAST('\\x00' AS bytea)"


class _Sqlite:
    def numbers(self, first: str, last: str) -> str:
        more = "UNION ALL SELECT n + 1 FROM numbers WHERE n <"
        return f"(WITH RECURSIVE numbers(n) AS (SELECT {first} {more} {last}) SELECT n FROM numbers) AS numbers"

    def uuid(self, kind: int, number: str) -> str:
        return f"'{_PREFIX}{kind:03x}' || printf('%012x', {number})"

    def at(self, day: str, minute: str) -> str:
        return f"strftime('%Y-%m-%d %H:%M:%f000', :base, (({day}) * 1440 + {minute}) || ' minutes')"

    def date(self, day: str) -> str:
        return f"date(:base, ({day}) || ' days')"

    def zeros(self) -> str:
        return "x'00'"


def _values(clinic: Clinic) -> dict[str, Any]:
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    base = midnight - timedelta(days=clinic.days // 2)
    return {"base": base.isoformat(" "), "weekday": base.weekday(), "today": clinic.days // 2} | {
        name: getattr(clinic, name) for name in ("clinicians", "locations", "conditions", "categories")
    }


def _places(words: _Words, clinic: Clinic) -> Iterator[str]:
    for table, kind, count in (
        ("clinicians", _CLINICIAN, clinic.clinicians),
        ("locations", _LOCATION, clinic.locations),
    ):
        zone = ("time_zone, ", "'UTC', ") if table == "locations" else ("", "")
        yield (
            f"INSERT INTO {table} ({zone[0]}id, slug, name)"
            f" SELECT {zone[1]}{words.uuid(kind, 'n')}, 'bench-{table}-' || n, 'Synthetic ' || n"
            f" FROM {words.numbers('0', str(count - 1))}"
        )
    yield (
        f"INSERT INTO categories (id, slug, position) SELECT {words.uuid(_CATEGORY, 'n')}, 'bench-category-' || n,"
        f" 1000 + n FROM {words.numbers('0', str(clinic.categories - 1))}"
    )
    category = words.uuid(_CATEGORY, f"n % {clinic.categories}")
    yield (
        f"INSERT INTO conditions (id, slug, category_id) SELECT {words.uuid(_CONDITION, 'n')},"
        f" 'bench-condition-' || n, {category} FROM {words.numbers('0', str(clinic.conditions - 1))}"
    )


def _slots(words: _Words) -> str:
    topic = _chance("n", 1)
    columns = {
        "id": words.uuid(_SLOT, "n"),
        "starts_at": words.at(_DAY, _MINUTE),
        "ends_at": words.at(_DAY, f"{_MINUTE} + {_MINUTES}"),
        "time_zone": "'UTC'",
        "mode": f"CASE {_chance('n', 2)} % 3 WHEN 0 THEN 'in_person' WHEN 1 THEN 'video' ELSE 'phone' END",
        "capacity": "1",
        "clinician_id": words.uuid(_CLINICIAN, "n % :clinicians"),
        "location_id": words.uuid(_LOCATION, "n % :clinicians % :locations"),
        "condition_id": f"CASE WHEN {topic} < {_FOR_CONDITION}"
        f" THEN {words.uuid(_CONDITION, _scattered('n', 3) + ' % :conditions')} END",
        "category_id": f"CASE WHEN {topic} >= {_FOR_CONDITION} AND {topic} < {_FOR_CONDITION + _FOR_CATEGORY}"
        f" THEN {words.uuid(_CATEGORY, _scattered('n', 4) + ' % :categories')} END",
        "status": f"CASE WHEN {_is_open('n')} THEN 'open' ELSE 'closed' END",
        "version": "1",
        "created_at": words.at("-30", "0"),
        "local_date": words.date(_DAY),
        "local_weekday": f"((:weekday + {_DAY}) % 7) + 1",
        "local_minute": _MINUTE,
    }
    return _insert("consultation_slots", columns, words)


def _bookings(words: _Words) -> str:
    columns = {
        "id": words.uuid(_BOOKING, "n"),
        "slot_id": words.uuid(_SLOT, "n"),
        "seat": "1",
        "reference": "'BENCH-' || n",
        "secret_hash": words.zeros(),
        "state": f"CASE WHEN {_DAY} < :today THEN 'fulfilled' ELSE 'booked' END",
        "version": "1",
        "created_at": words.at("-29", "0"),
    }
    share = f"CASE WHEN {_DAY} < :today THEN {_BOOKED_PAST} WHEN {_DAY} < :today + {_SOON_DAYS} THEN {_BOOKED_SOON}"
    is_booked = f"{_chance('n', 5)} < {share} ELSE {_BOOKED_LATER} END AND {_is_open('n')}"
    return f"{_insert('consultation_bookings', columns, words)} WHERE {is_booked}"


def _insert(table: str, columns: dict[str, str], words: _Words) -> str:
    values = ", ".join(columns.values())
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {words.numbers(':first', ':last')}"


def _is_open(number: str) -> str:
    return f"{_chance(number, 6)} >= {_CLOSED}"


def _chance(number: str, salt: int) -> str:
    """A number below a hundred that nobody would guess, and always the same."""
    return f"({_scattered(number, salt)} % 100)"


def _scattered(number: str, salt: int) -> str:
    return f"((({number}) * {_FACTORS[salt]} + {salt}) / 65536)"
