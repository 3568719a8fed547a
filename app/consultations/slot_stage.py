"""Where a batch waits between its file and the database: a private table on disk, so that memory does not grow with it.

SQLite keeps it in a temporary file without a name, which ends with the process, however that ends.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from app.consultations.slot_edit_shapes import Outcome
from app.consultations.slot_shapes import ConsultationSlotCreate
from app.consultations.staged_rows import SAID, Named, Staged, moment_of, number_of, result, said_of, staged, told
from app.consultations.timelines import Span
from app.core.errors import Refusal

# Rows that are handled together: few enough that whoever waits for the event loop does not notice.
AT_ONCE: Final = 500
# Whose time a row holds: a room's slug is its location's own.
_HOLDERS: Final = {"clinician": "clinician", "room": "location || '/' || room"}
_DAY: Final = number_of(datetime(1970, 1, 2, tzinfo=UTC))
_TABLE: Final = f"""
CREATE TABLE slots (
  row INTEGER PRIMARY KEY, {", ".join(SAID)},
  -- What is wrong with it by itself, and then by what else there is; what becomes of it; which slot it is.
  fault, problem, outcome, slot_id, changes, is_lifted
)
"""
_INDEXES: Final = (
    "CREATE INDEX by_name ON slots (external_id)",
    "CREATE INDEX by_start ON slots (starts_at, row)",
    "CREATE INDEX by_slot ON slots (slot_id)",
    *(f"CREATE INDEX by_{kind} ON slots ({holder}, starts_at)" for kind, holder in _HOLDERS.items()),
    "CREATE INDEX dropped ON slots (row) WHERE is_lifted AND problem IS NOT NULL",
)


class Stage:
    """The rows of one batch. For one thread at a time."""

    def __init__(self) -> None:
        # An empty name: a file of its own, in memory while it is small.
        self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        # In one transaction that never ends: nobody else reads it, and each row would be a transaction of its own.
        for statement in ("PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "BEGIN", _TABLE):
            self._table.execute(statement)

    def __len__(self) -> int:
        ((count,),) = self._table.execute("SELECT count(*) FROM slots")
        return int(count)

    def close(self) -> None:
        """Forget it all."""
        self._table.close()

    def add(self, rows: Sequence[tuple[int, ConsultationSlotCreate | Refusal]]) -> None:
        """Put these there, each as it was understood, or with what is wrong with it."""
        marks = ", ".join("?" * (len(SAID) + 2))
        self._table.executemany(
            f"INSERT INTO slots (row, {', '.join(SAID)}, fault) VALUES ({marks})",  # noqa: S608 - our own words
            [
                (row, *[None] * len(SAID), told(slot)) if isinstance(slot, Refusal) else (row, *said_of(slot), None)
                for row, slot in rows
            ],
        )

    def index(self) -> None:
        """Make it ready to be looked at; all rows are there."""
        for statement in _INDEXES:
            self._table.execute(statement)

    def repeated(self) -> list[tuple[int, int]]:
        """Rows whose `external_id` an earlier one has, each with that one."""
        return self._table.execute(
            "SELECT row, first FROM (SELECT row, min(row) OVER (PARTITION BY external_id) AS first FROM slots"
            " WHERE external_id IS NOT NULL AND fault IS NULL) WHERE row > first ORDER BY row"
        ).fetchall()

    def spans(self) -> Iterator[Span]:
        """What holds time, in the order of the rows; a holder is `clinician` or `room` with a name.

        What is wrong with a row may be noted once it was told.
        """
        last = 0
        while found := self._table.execute(
            f"SELECT row, starts_at, ends_at, {', '.join(_HOLDERS.values())} FROM slots"  # noqa: S608 - our own words
            " WHERE coalesce(clinician, room) IS NOT NULL AND overlap_reason IS NULL AND fault IS NULL AND row > ?"
            f" ORDER BY row LIMIT {AT_ONCE}",
            (last,),
        ).fetchall():
            for row, starts_at, ends_at, *names in found:
                holders = ((kind, name) for kind, name in zip(_HOLDERS, names, strict=True) if name is not None)
                yield Span(tuple(holders), row, starts_at, ends_at)
            last = found[-1][0]

    def fault(self, found: Iterable[tuple[int, Refusal]]) -> None:
        """Note what is wrong with rows by themselves or beside others of the file; what was noted before stays."""
        self._table.executemany(
            "UPDATE slots SET fault = coalesce(fault, ?) WHERE row = ?", [(told(why), row) for row, why in found]
        )

    def begin(self) -> None:
        """Forget what was found out in the database: it is looked at anew."""
        self._table.execute(
            "UPDATE slots SET problem = fault, outcome = CASE WHEN fault IS NULL THEN ? ELSE ? END,"
            " slot_id = NULL, changes = NULL, is_lifted = 0",
            (Outcome.CREATED, Outcome.REFUSED),
        )

    def pages(self, *, where: str = "TRUE", order: str = "row") -> Iterator[list[Staged]]:
        """Rows that nothing is wrong with, some at a time; they may be noted on between two pages.

        `where` and `order` are SQL of our own; `order` is a column that does not change meanwhile.
        """
        columns, last = f"row, {', '.join(SAID)}, slot_id, changes, {order}", (None, -1)
        while True:
            after = "TRUE" if last[1] < 0 else f"({order}, row) > (?, ?)"
            found = self._table.execute(
                f"SELECT {columns} FROM slots WHERE problem IS NULL AND {where} AND {after}"  # noqa: S608 - the same
                f" ORDER BY {order}, row LIMIT {AT_ONCE}",
                () if last[1] < 0 else last,
            ).fetchall()
            if not found:
                return
            yield [staged(row) for row in found]
            last = found[-1][-1], found[-1][0]

    def names(self) -> Iterator[list[str]]:
        """The external ids of rows that nothing is wrong with, some at a time."""
        last = ""
        while found := self._table.execute(
            "SELECT external_id FROM slots WHERE problem IS NULL AND external_id > ?"  # noqa: S608 - a number
            f" ORDER BY external_id LIMIT {AT_ONCE}",
            (last,),
        ).fetchall():
            yield [name for (name,) in found]
            last = found[-1][0]

    def named(self) -> list[Named]:
        """Everything that the rows point at, once."""
        columns = "clinician, location, room, condition, category, time_zone"
        found = self._table.execute(f"SELECT DISTINCT {columns} FROM slots WHERE fault IS NULL")  # noqa: S608 - the same
        return [Named(*row) for row in found]

    def first_start(self) -> datetime | None:
        """When the first of those begins that are new and that nothing is wrong with."""
        ((first,),) = self._table.execute("SELECT min(starts_at) FROM slots WHERE slot_id IS NULL AND problem IS NULL")
        return None if first is None else moment_of(first)

    def days(self, kind: str) -> Iterator[list[tuple[str, datetime, datetime]]]:
        """Whose time is wanted by those that nothing is wrong with, and on each day from when to when; some at a time.

        A holder is named as in `spans`, and has no time that it may overlap in.
        """
        wanted = self._table.execute(
            f"SELECT {_HOLDERS[kind]} AS holder, min(starts_at), max(ends_at) FROM slots"  # noqa: S608 - our own words
            " WHERE holder IS NOT NULL AND (slot_id IS NULL OR is_lifted) AND problem IS NULL"
            f" AND overlap_reason IS NULL GROUP BY holder, starts_at / {_DAY}"
        )
        while found := wanted.fetchmany(AT_ONCE):
            yield [(holder, moment_of(starts_at), moment_of(ends_at)) for holder, starts_at, ends_at in found]

    def refuse(self, found: Iterable[tuple[int, Refusal]]) -> None:
        """Note what is in the way of rows."""
        self._table.executemany(
            "UPDATE slots SET problem = ?, outcome = ? WHERE row = ?",
            [(told(why), Outcome.REFUSED, row) for row, why in found],
        )

    def match(self, found: Mapping[str, UUID]) -> None:
        """Note which slots these external ids name."""
        self._table.executemany(
            "UPDATE slots SET slot_id = ?, outcome = ? WHERE external_id = ? AND fault IS NULL",
            [(str(slot_id), Outcome.UNCHANGED, name) for name, slot_id in found.items()],
        )

    def change(self, found: Mapping[int, frozenset[str]]) -> None:
        """Note in which columns these rows' slots are to be otherwise."""
        self._table.executemany(
            "UPDATE slots SET changes = ?, outcome = ? WHERE row = ?",
            [(" ".join(sorted(changes)), Outcome.UPDATED, row) for row, changes in found.items()],
        )

    def lift(self, rows: Iterable[int], *, is_lifted: bool) -> None:
        """Note whose slots hold no time while the batch is written."""
        self._table.executemany("UPDATE slots SET is_lifted = ? WHERE row = ?", [(is_lifted, row) for row in rows])

    def dropped(self) -> list[tuple[int, UUID]]:
        """Rows whose slots were lifted and are refused since, with their slots."""
        found = self._table.execute("SELECT row, slot_id FROM slots WHERE is_lifted AND problem IS NOT NULL")
        return [(row, UUID(slot_id)) for row, slot_id in found]

    def wanting(self, kind: str, holder: str, starts_at: datetime, ends_at: datetime) -> list[int]:
        """Rows that nothing is wrong with and that want time of this holder (see `spans`) in this span."""
        found = self._table.execute(
            f"SELECT row FROM slots WHERE {_HOLDERS[kind]} = ? AND starts_at < ? AND ends_at > ?"  # noqa: S608 - the same
            " AND overlap_reason IS NULL AND problem IS NULL",
            (holder, number_of(ends_at), number_of(starts_at)),
        )
        return [row for (row,) in found]

    def make(self, made: Iterable[tuple[int, UUID]]) -> None:
        """Note the ids of slots that were made."""
        self._table.executemany(
            "UPDATE slots SET slot_id = ? WHERE row = ?", [(str(slot_id), row) for row, slot_id in made]
        )

    def counts(self) -> dict[Outcome, int]:
        """How many rows there are of each outcome."""
        found = dict(self._table.execute("SELECT outcome, count(*) FROM slots GROUP BY outcome").fetchall())
        return {outcome: found.get(outcome, 0) for outcome in Outcome}

    def results(self, *, only_refused: bool = False) -> Iterator[list[str]]:
        """What became of each row, as JSON, some at a time."""
        last, wanted = 0, f"= '{Outcome.REFUSED}'" if only_refused else "IS NOT NULL"
        while True:
            found = self._table.execute(
                "SELECT row, outcome, slot_id, problem FROM slots"  # noqa: S608 - our own words
                f" WHERE outcome {wanted} AND row > ? ORDER BY row LIMIT {AT_ONCE}",
                (last,),
            ).fetchall()
            if not found:
                return
            yield [result(*row) for row in found]
            last = found[-1][0]
