"""Slots for clinics: rooms, overlaps with a reason, local times, schedules, absences, plans, offers, feeds."""

from datetime import UTC
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_slots_for_clinics"
down_revision = "2026_11_24_life_of_a_page"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SLOTS = "consultation_slots"
_TOPICS = ("condition_id", "clinician_id", "location_id")
_KEPT = sa.text("archived_at IS NULL")
_FOR_ANYTHING = sa.text("coalesce(condition_id, category_id) IS NULL AND archived_at IS NULL")
_OCCURS = sa.text("schedule_id IS NOT NULL")
_HOLDS = sa.text("status <> 'cancelled' AND overlap_reason IS NULL AND archived_at IS NULL")
_AT_ONCE = 5_000


def upgrade() -> None:
    """Add, and tell each slot its begin on the wall clock of its zone."""
    _make_tables()
    _add_columns(
        "locations", sa.Column("holidays", sa.Text()),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
    )  # fmt: skip
    _add_reference("room_id", "rooms")
    _add_reference("schedule_id", "slot_schedules")
    _add_columns(
        _SLOTS, sa.Column("overlap_reason", sa.Text()), sa.Column("local_date", sa.Date()),
        sa.Column("local_weekday", sa.Integer()), sa.Column("local_minute", sa.Integer()),
        sa.Column("occurrence", sa.Text()), sa.Column("archived_at", _INSTANT),
    )  # fmt: skip
    _tell_local_times()
    for name in (*_TOPICS, "category_id"):
        op.drop_index(f"ix_consultation_slots_{name}", _SLOTS)
    op.create_index("ix_consultation_slots_category_id", _SLOTS, ["category_id", "starts_at", "id"])
    for name in (*_TOPICS, "mode"):
        _partial(f"ix_consultation_slots_{name}", [name, "starts_at", "id"], _KEPT)
    _partial("ix_consultation_slots_kept", ["starts_at", "id"], _KEPT)
    _partial("ix_consultation_slots_for_anything", ["starts_at", "id"], _FOR_ANYTHING)
    for name in ("clinician", "room"):
        _partial(f"ix_consultation_slots_{name}_holds", [f"{name}_id", "starts_at"], _HOLDS)
    _partial("uq_consultation_slots_occurrence", ["schedule_id", "occurrence"], _OCCURS, unique=True)
    _run_guards("upgrade")


def downgrade() -> None:
    """Take it back: schedules, absences, plans and feeds are lost, slots and bookings are not."""
    _run_guards("downgrade")
    for name in (
        "occurrence",
        "room_holds",
        "clinician_holds",
        "for_anything",
        "kept",
        "mode",
        *_TOPICS,
        "category_id",
    ):
        op.drop_index(f"{'uq' if name == 'occurrence' else 'ix'}_consultation_slots_{name}", _SLOTS)
    for name in (*_TOPICS, "category_id"):
        op.create_index(f"ix_consultation_slots_{name}", _SLOTS, [name])
    _drop_columns(
        _SLOTS, "archived_at", "occurrence", "local_minute", "local_weekday", "local_date", "overlap_reason",
        "schedule_id", "room_id",
    )  # fmt: skip
    _drop_columns("locations", "version", "holidays")
    for table in ("calendar_feeds", "booking_offers", "slot_plans", "absences", "slot_schedules", "rooms"):
        op.drop_table(table)


def _make_tables() -> None:
    op.create_table(
        "rooms",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("slug", _BYTEWISE, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rooms"),
        sa.UniqueConstraint("location_id", "slug", name="uq_rooms_slug"),
        _key("rooms", "location_id", "locations"),
    )
    op.create_table(
        "slot_schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "rrule")),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("exdates", "rdates")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("session_starts", "session_ends")),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("length_minutes", "gap_minutes")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("time_zone", "mode")),
        sa.Column("capacity", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Uuid())
            for name in ("clinician_id", "location_id", "room_id", "condition_id", "category_id")
        ),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date()),
        sa.Column("horizon_days", sa.Integer()),
        sa.Column("posted_until", sa.Date()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_slot_schedules"),
        _key("slot_schedules", "clinician_id", "clinicians"),
        _key("slot_schedules", "location_id", "locations"),
        _key("slot_schedules", "room_id", "rooms"),
        _key("slot_schedules", "condition_id", "conditions"),
        _key("slot_schedules", "category_id", "categories"),
        _check("slot_schedules", "capacity", "capacity BETWEEN 1 AND 50"),
        _check("slot_schedules", "mode", "mode IN ('in_person', 'video', 'phone')"),
        _check("slot_schedules", "status", "status IN ('active', 'ended')"),
        _check("slot_schedules", "one_topic", "condition_id IS NULL OR category_id IS NULL"),
        _check("slot_schedules", "minutes", "length_minutes > 0 AND gap_minutes >= 0"),
        _check("slot_schedules", "valid_until", "valid_until >= valid_from"),
    )
    for name in ("clinician_id", "location_id"):
        op.create_index(f"ix_slot_schedules_{name}", "slot_schedules", [name])
    op.create_table(
        "absences",
        sa.Column("id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Uuid()) for name in ("clinician_id", "location_id")),
        *(sa.Column(name, _INSTANT, nullable=False) for name in ("starts_at", "ends_at")),
        sa.Column("note", sa.Text()),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_absences"),
        _key("absences", "clinician_id", "clinicians"),
        _key("absences", "location_id", "locations"),
        _check("absences", "ends_after_start", "ends_at > starts_at"),
        _check("absences", "whose", "(clinician_id IS NULL) <> (location_id IS NULL)"),
    )
    for name in ("clinician_id", "location_id"):
        op.create_index(f"ix_absences_{name}", "absences", [name, "ends_at"])
    op.create_table(
        "slot_plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("wish", "impact")),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        *(sa.Column(name, _INSTANT, nullable=False) for name in ("created_at", "expires_at")),
        sa.Column("applied_at", _INSTANT),
        sa.Column("result", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("id", name="pk_slot_plans"),
        _check("slot_plans", "action", "action IN ('close', 'move', 'cancel')"),
    )
    op.create_index("ix_slot_plans_expires_at", "slot_plans", ["expires_at"])
    op.create_table(
        "booking_offers",
        *(sa.Column(name, sa.Uuid(), nullable=False) for name in ("booking_id", "slot_id", "plan_id")),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("booking_id", "slot_id", name="pk_booking_offers"),
        _key("booking_offers", "booking_id", "consultation_bookings", ondelete="CASCADE"),
        _key("booking_offers", "slot_id", "consultation_slots"),
        _key("booking_offers", "plan_id", "slot_plans"),
    )
    for name in ("slot_id", "plan_id"):
        op.create_index(f"ix_booking_offers_{name}", "booking_offers", [name])
    op.create_table(
        "calendar_feeds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        *(sa.Column(name, sa.Uuid()) for name in ("clinician_id", "location_id")),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("revoked_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_calendar_feeds"),
        sa.UniqueConstraint("secret_hash", name="uq_calendar_feeds_secret_hash"),
        _key("calendar_feeds", "clinician_id", "clinicians"),
        _key("calendar_feeds", "location_id", "locations"),
        _check("calendar_feeds", "whose", "(clinician_id IS NULL) <> (location_id IS NULL)"),
    )


def _tell_local_times() -> None:
    """In batches, in the order of ids: there may be millions."""
    slots = sa.table(
        _SLOTS,
        sa.column("id", sa.Uuid()), sa.column("starts_at", _INSTANT), sa.column("time_zone", sa.Text()),
        sa.column("local_date", sa.Date()), sa.column("local_weekday", sa.Integer()),
        sa.column("local_minute", sa.Integer()),
    )  # fmt: skip
    bind = op.get_bind()
    page = sa.select(slots.c.id, slots.c.starts_at, slots.c.time_zone).order_by(slots.c.id).limit(_AT_ONCE)
    change = slots.update().where(slots.c.id == sa.bindparam("slot"))
    found = bind.execute(page).all()
    while found:
        told = []
        for slot in found:
            # SQLite gives instants back without their zone.
            starts_at = slot.starts_at if slot.starts_at.tzinfo else slot.starts_at.replace(tzinfo=UTC)
            local = starts_at.astimezone(ZoneInfo(slot.time_zone))
            told.append(
                {
                    "slot": slot.id, "local_date": local.date(), "local_weekday": local.isoweekday(),
                    "local_minute": 60 * local.hour + local.minute,
                }
            )  # fmt: skip
        bind.execute(change, told)
        found = bind.execute(page.where(slots.c.id > found[-1].id)).all()


def _add_reference(column: str, target: str) -> None:
    # In words of its own: Alembic would copy the table on SQLite, and so drop its triggers.
    kind = "UUID" if op.get_bind().dialect.name == "postgresql" else "CHAR(32)"
    name = f"fk_{_SLOTS}_{column}"
    op.execute(f"ALTER TABLE {_SLOTS} ADD COLUMN {column} {kind} CONSTRAINT {name} REFERENCES {target} (id)")


def _partial(name: str, columns: list[str], where: sa.TextClause, *, unique: bool = False) -> None:
    op.create_index(name, _SLOTS, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _key(table: str, column: str, target: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=ondelete)


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _add_columns(table: str, *columns: sa.Column[Any]) -> None:
    for column in columns:
        op.add_column(table, column)


def _drop_columns(table: str, *columns: str) -> None:
    # Not Alembic's batch: on SQLite it copies the table and drops its triggers.
    for column in columns:
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")


def _run_guards(direction: str) -> None:
    dialect = op.get_bind().dialect.name
    script = Path(__file__).with_name(f"2026_11_24_slots_for_clinics.{dialect}.sql").read_text()
    up, _, down = script.partition("-- downgrade\n")
    for statement in (up if direction == "upgrade" else down).split("-- next\n"):
        op.get_bind().exec_driver_sql(statement)
