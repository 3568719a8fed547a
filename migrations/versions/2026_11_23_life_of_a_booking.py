"""The life of a booking: holds, policies, reasons, sealed trails, erasure receipts."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "2026_11_23_life_of_a_booking"
down_revision = "2026_11_23_first_tables"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_POLICY = ("min_notice_minutes", "cancel_until_minutes", "reschedule_until_minutes", "max_reschedules")
_HELD = sa.text("state = 'held'")
_UNSEALED = sa.text("seal IS NULL")
_TOLD = sa.text("delivered_at IS NOT NULL")


def upgrade() -> None:
    """Add, and let the consent stand where the patient is."""
    for name in _POLICY:
        op.add_column("locations", sa.Column(name, sa.Integer()))
    column: sa.Column[Any]
    for column in (
        sa.Column("hold_owner", sa.LargeBinary()),
        sa.Column("what_to_bring", sa.JSON(none_as_null=True)),
        sa.Column("page_revision", sa.Integer()),
        sa.Column("reschedule_count", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("cancellation_reason", sa.Text()),
    ):
        op.add_column("consultation_bookings", column)
    op.create_index(
        "ix_consultation_bookings_hold_expires_at",
        "consultation_bookings",
        ["hold_expires_at"],
        sqlite_where=_HELD,
        postgresql_where=_HELD,
    )
    for column in (
        sa.Column("consent_text_version", sa.Text()),
        sa.Column("email_index", sa.LargeBinary()),
        sa.Column("phone_index", sa.LargeBinary()),
    ):
        op.add_column("patient_details", column)
    op.create_index("ix_patient_details_email_index", "patient_details", ["email_index"])
    op.create_index("ix_patient_details_phone_index", "patient_details", ["phone_index"])
    op.execute(
        "UPDATE patient_details SET consent_text_version = (SELECT consent_text_version"
        " FROM consultation_bookings WHERE consultation_bookings.id = patient_details.booking_id)"
    )
    op.execute("ALTER TABLE consultation_bookings DROP COLUMN consent_text_version")
    for column in (
        sa.Column("previous_slot_id", sa.Uuid()),
        sa.Column("reason", sa.Text()),
        sa.Column("is_override", sa.Boolean(), nullable=False, server_default=sa.false()),
    ):
        op.add_column("booking_events", column)
    op.add_column("audit_entries", sa.Column("seal", sa.Integer()))
    op.create_index(
        "ix_audit_entries_unsealed", "audit_entries", ["id"], sqlite_where=_UNSEALED, postgresql_where=_UNSEALED
    )
    op.create_index("ix_audit_entries_seal", "audit_entries", ["seal", "id"])
    op.create_index(
        "ix_outbox_messages_delivered_at",
        "outbox_messages",
        ["delivered_at"],
        sqlite_where=_TOLD,
        postgresql_where=_TOLD,
    )
    op.create_table(
        "audit_seals",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("sealed_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_seals"),
    )
    op.create_index("ix_audit_seals_key_id", "audit_seals", ["key_id"])
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("booking_ids", sa.JSON(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
    )
    _run_guards("upgrade")


def downgrade() -> None:
    """Take it all back; what a hold has no patient for has an empty consent."""
    _run_guards("downgrade")
    op.drop_table("erasures")
    op.drop_table("audit_seals")
    op.drop_index("ix_outbox_messages_delivered_at", "outbox_messages")
    op.drop_index("ix_audit_entries_seal", "audit_entries")
    op.drop_index("ix_audit_entries_unsealed", "audit_entries")
    _drop_columns("audit_entries", "seal")
    _drop_columns("booking_events", "is_override", "reason", "previous_slot_id")
    op.add_column(
        "consultation_bookings", sa.Column("consent_text_version", sa.Text(), nullable=False, server_default="")
    )
    _drop_columns("patient_details", "consent_text_version")
    op.drop_index("ix_patient_details_phone_index", "patient_details")
    op.drop_index("ix_patient_details_email_index", "patient_details")
    _drop_columns("patient_details", "phone_index", "email_index")
    op.drop_index("ix_consultation_bookings_hold_expires_at", "consultation_bookings")
    _drop_columns(
        "consultation_bookings",
        "cancellation_reason",
        "reschedule_count",
        "page_revision",
        "what_to_bring",
        "hold_owner",
    )
    _drop_columns("locations", *_POLICY)


def _drop_columns(table: str, *columns: str) -> None:
    # Not Alembic's batch: on SQLite it copies the table and drops its triggers.
    for column in columns:
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")


def _run_guards(direction: str) -> None:
    dialect = op.get_bind().dialect.name
    script = Path(__file__).with_name(f"2026_11_23_life_of_a_booking.{dialect}.sql").read_text()
    up, _, down = script.partition("-- downgrade\n")
    for statement in (up if direction == "upgrade" else down).split("-- next\n"):
        op.get_bind().exec_driver_sql(statement)
