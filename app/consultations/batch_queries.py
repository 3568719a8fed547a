"""What a batch asks of the database and writes there: each statement for some hundreds of slots at a time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Integer, Text, TextClause, Uuid
from sqlalchemy.types import TypeEngine
from sqlmodel.ext.asyncio.session import AsyncSession

from app.consultations.slot_columns import FIELDS
from app.consultations.tables import ConsultationSlot
from app.core.db import connection_of, rows
from app.core.recordsets import bound, statement

_slot: Final = ConsultationSlot.__table__  # type: ignore[attr-defined]
_TYPES: Final[Mapping[str, TypeEngine[Any]]] = {column.name: column.type for column in _slot.columns}
# What a slot says while the batch that moves it is being written: so that two can change places. Nobody else sees it,
# and no reason of anybody's holds this character.
_MOVING: Final = "\u0001"
# What is not told here of a new slot is not told at all.
_NEW: Final = (
    "id", "status", "version", "created_at", *FIELDS, "local_date", "local_weekday", "local_minute",
)  # fmt: skip
_CHANGED: Final = tuple(name for name in _NEW if name not in ("id", "status", "version", "created_at"))
_NOW: Final = {"sqlite": "strftime('%Y-%m-%d %H\\:%M\\:%f000', 'now')", "postgresql": "statement_timestamp()"}

_BY_NAME: Final = (
    "SELECT slots.external_id, slots.id FROM {asked} JOIN consultation_slots AS slots"
    " ON slots.external_id = asked.external_id"
)
# Slots without a name of their own, which an export has named by their id.
_NAMELESS: Final = (
    "SELECT slots.id FROM {asked} JOIN consultation_slots AS slots ON slots.id = asked.id"
    " WHERE slots.external_id IS NULL"
)
# In the order of their ids, as whoever locks several of them does.
_LOCKED: Final = (
    "SELECT {columns} FROM consultation_slots AS slots WHERE slots.id IN (SELECT asked.id FROM {asked})"
    " ORDER BY slots.id {lock}"
)
# The highest live seat of slots whose rows are locked, as the guards see it: they do not know the time.
_SEATS: Final = (
    "SELECT asked.id, max(bookings.seat) AS seat FROM {asked} JOIN consultation_bookings AS bookings"
    " ON bookings.slot_id = asked.id WHERE bookings.state IN ('held', 'booked') GROUP BY asked.id"
)
_STALE: Final = (
    "SELECT bookings.id, bookings.state, bookings.version FROM consultation_bookings AS bookings"
    " WHERE bookings.slot_id IN (SELECT asked.id FROM {asked}) AND bookings.state IN ('held', 'booked')"
    " AND bookings.hold_expires_at <= {now} ORDER BY bookings.id {lock}"
)
# One step in an index for each row: slots that hold time keep apart, so only the last one that begins before the row's
# end can reach into it.
_IN_THE_WAY: Final = (
    'SELECT asked."row", other.id FROM {asked} JOIN consultation_slots AS other ON other.id = ('
    "  SELECT last.id FROM consultation_slots AS last WHERE last.{kind}_id = asked.holder"
    "  AND last.starts_at < asked.ends_at"
    "  AND last.status <> 'cancelled' AND last.overlap_reason IS NULL AND last.archived_at IS NULL"
    "  ORDER BY last.starts_at DESC LIMIT 1"
    " ) WHERE other.ends_at > asked.starts_at"
)
_LIFT: Final = (
    f"UPDATE consultation_slots SET overlap_reason = '{_MOVING}' WHERE overlap_reason IS NULL"  # noqa: S608 - our own
    " AND id IN (SELECT asked.id FROM {asked})"
)
_PUT_BACK: Final = (
    f"UPDATE consultation_slots SET overlap_reason = NULL WHERE overlap_reason = '{_MOVING}'"  # noqa: S608 - our own
    " AND id IN (SELECT asked.id FROM {asked}) RETURNING id, clinician_id, room_id, starts_at, ends_at"
)
_INSERT: Final = (
    f"INSERT INTO consultation_slots ({', '.join(_NEW)})"  # noqa: S608 - names of our own columns
    f" SELECT {', '.join(f'asked.{name}' for name in _NEW)} FROM {{asked}} WHERE TRUE"
)
_CHANGE: Final = (
    f"UPDATE consultation_slots SET {', '.join(f'{name} = asked.{name}' for name in _CHANGED)},"  # noqa: S608 - the same
    " version = consultation_slots.version + 1 FROM {asked} WHERE consultation_slots.id = asked.id"
)


async def by_name(session: AsyncSession, names: Iterable[str]) -> Sequence[Any]:
    """The `external_id` and the id of each slot that has one of these."""
    made = _made(_dialect(session), _BY_NAME, ("external_id",), external_id=Text(), id=Uuid())
    return await rows(session, made, bound([{"external_id": name} for name in names]))


async def nameless(session: AsyncSession, ids: Iterable[Any]) -> Sequence[Any]:
    """Those of these slots that have no `external_id`."""
    return await rows(session, _made(_dialect(session), _NAMELESS, ("id",), id=Uuid()), _bound_ids(ids))


async def lock(session: AsyncSession, ids: Iterable[Any]) -> Sequence[Any]:
    """The rows of these slots, locked."""
    told = {name: _TYPES[name] for name in ("id", "version", "status", *FIELDS)}
    made = _made(_dialect(session), _LOCKED, ("id",), "", **told)
    return await rows(session, made, _bound_ids(ids))


async def seats_taken(session: AsyncSession, ids: Iterable[Any]) -> dict[Any, int]:
    """The highest live seat, by slot, of those that have one."""
    made = _made(_dialect(session), _SEATS, ("id",), id=Uuid(), seat=Integer())
    return {row.id: row.seat for row in await rows(session, made, _bound_ids(ids))}


async def stale_holds(session: AsyncSession, ids: Iterable[Any]) -> Sequence[Any]:
    """Holds of these slots that are over, locked."""
    made = _made(_dialect(session), _STALE, ("id",), id=Uuid(), state=Text(), version=Integer())
    return await rows(session, made, _bound_ids(ids))


async def in_the_way(session: AsyncSession, kind: str, asked: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
    """Which `row` of these, each with its `holder` and its span, overlaps with which slot."""
    if not asked:
        return ()
    made = _made(
        _dialect(session), _IN_THE_WAY, ("row", "holder", "starts_at", "ends_at"), kind, row=Integer(), id=Uuid()
    )
    return await rows(session, made, bound(asked))


async def lift(session: AsyncSession, ids: Iterable[Any]) -> None:
    """Let these hold no time until they are changed, or put back."""
    await _run(session, _LIFT, ("id",), [{"id": slot_id} for slot_id in ids])


async def put_back(session: AsyncSession, ids: Iterable[Any]) -> Sequence[Any]:
    """Let these hold their time again; says whose it is, and when."""
    told = {name: _TYPES[name] for name in ("id", "clinician_id", "room_id", "starts_at", "ends_at")}
    return await rows(session, _made(_dialect(session), _PUT_BACK, ("id",), "", **told), _bound_ids(ids))


async def insert(session: AsyncSession, slots: Sequence[Mapping[str, Any]]) -> None:
    """Make these slots."""
    await _run(session, _INSERT, _NEW, slots)


async def change(session: AsyncSession, slots: Sequence[Mapping[str, Any]]) -> None:
    """Let these slots, each with its `id`, be as told; their versions rise."""
    await _run(session, _CHANGE, ("id", *_CHANGED), slots)


async def _run(session: AsyncSession, sql: str, names: tuple[str, ...], values: Sequence[Mapping[str, Any]]) -> None:
    connection = await connection_of(session)
    await connection.execute(_made(_dialect(session), sql, names), bound(values))


def _bound_ids(ids: Iterable[Any]) -> dict[str, str]:
    return bound([{"id": slot_id} for slot_id in ids])


def _dialect(session: AsyncSession) -> str:
    return session.get_bind().dialect.name


_STATEMENTS: Final[dict[Any, TextClause]] = {}


def _made(dialect: str, sql: str, names: tuple[str, ...], kind: str = "", **returned: TypeEngine[Any]) -> TextClause:
    key = (dialect, sql, kind)
    if key not in _STATEMENTS:
        said = sql.format(
            asked="{asked}",
            kind=kind,
            now=_NOW[dialect],
            columns=", ".join(f"slots.{name}" for name in returned),
            lock="FOR NO KEY UPDATE" if dialect == "postgresql" else "",
        )
        types = {name: _TYPES.get(name, Integer() if name == "row" else Uuid()) for name in names}
        _STATEMENTS[key] = statement(dialect, said, types, **returned)
    return _STATEMENTS[key]
