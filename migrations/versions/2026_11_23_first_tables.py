"""The first tables, with every guard that the promises rest on."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "2026_11_23_first_tables"
down_revision = None
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TABLES = (
    "api_keys",
    "audit_entries",
    "categories",
    "clinicians",
    "content_version",
    "locations",
    "outbox_messages",
    "treatments",
    "category_names",
    "conditions",
    "treatment_names",
    "condition_codes",
    "condition_pages",
    "condition_revisions",
    "consultation_slots",
    "alternate_names",
    "causes",
    "checklist_items",
    "consultation_bookings",
    "risk_factors",
    "treatment_options",
    "booking_events",
    "idempotency_keys",
    "patient_details",
)


def upgrade() -> None:
    """Make the tables, then their guards."""
    dialect = op.get_bind().dialect.name
    if dialect == "postgresql":
        # Lets one exclusion constraint compare a clinician for equality and a range for overlap.
        op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    _make_tables()
    op.execute("INSERT INTO content_version (id, number) VALUES (1, 1)")
    for statement in _guards(dialect):
        op.execute(statement)


def downgrade() -> None:
    """Take the tables away; their triggers go with them."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for function in ("append_only", "check_booking", "check_booked_slot", "check_slot"):
            op.execute(f"DROP FUNCTION carepath_{function}()")


def _guards(dialect: str) -> list[str]:
    """The guards' statements, from the SQL file of this migration; a line `-- next` stands between two."""
    file = Path(__file__).with_suffix(f".{dialect}.sql")
    return [statement.strip() for statement in file.read_text().split("-- next")]


def _make_tables() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("revoked_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("name", name="uq_api_keys_name"),
        sa.UniqueConstraint("secret_hash", name="uq_api_keys_secret_hash"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_subject", "audit_entries", ["subject", "at"])
    op.create_table(
        "categories",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", _BYTEWISE, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_categories"),
        sa.UniqueConstraint("slug", name="uq_categories_slug"),
    )
    op.create_table(
        "clinicians",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", _BYTEWISE, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_clinicians"),
        sa.UniqueConstraint("slug", name="uq_clinicians_slug"),
    )
    op.create_table(
        "content_version",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_content_version_one_row")),
        sa.PrimaryKeyConstraint("id", name="pk_content_version"),
    )
    op.create_table(
        "locations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", _BYTEWISE, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_locations"),
        sa.UniqueConstraint("slug", name="uq_locations_slug"),
    )
    op.create_table(
        "outbox_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.Column("not_before", _INSTANT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claim_token", sa.Uuid(), nullable=True),
        sa.Column("claimed_until", _INSTANT, nullable=True),
        sa.Column("delivered_at", _INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_messages"),
        sa.UniqueConstraint("dedupe_key", name="uq_outbox_messages_dedupe_key"),
    )
    op.create_index("ix_outbox_messages_subject_id", "outbox_messages", ["subject_id"])
    op.create_index(
        "ix_outbox_messages_waiting",
        "outbox_messages",
        ["not_before"],
        postgresql_where=sa.text("delivered_at IS NULL"),
        sqlite_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "treatments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", _BYTEWISE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_treatments"),
        sa.UniqueConstraint("slug", name="uq_treatments_slug"),
    )
    op.create_table(
        "category_names",
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["category_id"], ["categories.id"], name="fk_category_names_category_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("category_id", "locale", name="pk_category_names"),
    )
    op.create_table(
        "conditions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", _BYTEWISE, nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_conditions_category_id"),
        sa.PrimaryKeyConstraint("id", name="pk_conditions"),
        sa.UniqueConstraint("slug", name="uq_conditions_slug"),
    )
    op.create_index("ix_conditions_category_id", "conditions", ["category_id"])
    op.create_table(
        "treatment_names",
        sa.Column("treatment_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["treatment_id"], ["treatments.id"], name="fk_treatment_names_treatment_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("treatment_id", "locale", name="pk_treatment_names"),
    )
    op.create_table(
        "condition_codes",
        sa.Column("condition_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.CheckConstraint("system IN ('icd-10', 'mesh')", name=op.f("ck_condition_codes_system")),
        sa.ForeignKeyConstraint(
            ["condition_id"], ["conditions.id"], name="fk_condition_codes_condition_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("condition_id", "position", name="pk_condition_codes"),
    )
    op.create_index("ix_condition_codes_system_code", "condition_codes", ["system", "code"])
    op.create_table(
        "condition_pages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("condition_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sort_key", _BYTEWISE, nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("overview", sa.Text(), nullable=False),
        sa.Column("when_to_consult", sa.Text(), nullable=False),
        sa.Column("what_to_bring", sa.Text(), nullable=False),
        sa.Column("consultation_heading", sa.Text(), nullable=False),
        sa.Column("consultation_text", sa.Text(), nullable=False),
        sa.Column("published_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_condition_pages_revision")),
        sa.ForeignKeyConstraint(
            ["condition_id"], ["conditions.id"], name="fk_condition_pages_condition_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_condition_pages"),
        sa.UniqueConstraint("condition_id", "locale", name="uq_condition_pages_condition_id"),
    )
    op.create_index("ix_condition_pages_locale_sort_key", "condition_pages", ["locale", "sort_key", "condition_id"])
    op.create_table(
        "condition_revisions",
        sa.Column("condition_id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("published_at", _INSTANT, nullable=False),
        sa.CheckConstraint("source IN ('seed', 'editor')", name=op.f("ck_condition_revisions_source")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_condition_revisions_number")),
        sa.ForeignKeyConstraint(["condition_id"], ["conditions.id"], name="fk_condition_revisions_condition_id"),
        sa.PrimaryKeyConstraint("condition_id", "locale", "number", name="pk_condition_revisions"),
    )
    op.create_table(
        "consultation_slots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", _INSTANT, nullable=False),
        sa.Column("ends_at", _INSTANT, nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("clinician_id", sa.Uuid(), nullable=True),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("condition_id", sa.Uuid(), nullable=True),
        sa.Column("category_id", sa.Uuid(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.CheckConstraint("mode IN ('in_person', 'video', 'phone')", name=op.f("ck_consultation_slots_mode")),
        sa.CheckConstraint("status IN ('open', 'closed', 'cancelled')", name=op.f("ck_consultation_slots_status")),
        sa.CheckConstraint("capacity BETWEEN 1 AND 50", name=op.f("ck_consultation_slots_capacity")),
        sa.CheckConstraint("condition_id IS NULL OR category_id IS NULL", name=op.f("ck_consultation_slots_one_topic")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_consultation_slots_ends_after_start")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name="fk_consultation_slots_category_id"),
        sa.ForeignKeyConstraint(["clinician_id"], ["clinicians.id"], name="fk_consultation_slots_clinician_id"),
        sa.ForeignKeyConstraint(["condition_id"], ["conditions.id"], name="fk_consultation_slots_condition_id"),
        sa.ForeignKeyConstraint(["location_id"], ["locations.id"], name="fk_consultation_slots_location_id"),
        sa.PrimaryKeyConstraint("id", name="pk_consultation_slots"),
        sa.UniqueConstraint("external_id", name="uq_consultation_slots_external_id"),
    )
    op.create_index("ix_consultation_slots_category_id", "consultation_slots", ["category_id"])
    op.create_index("ix_consultation_slots_clinician_id", "consultation_slots", ["clinician_id"])
    op.create_index("ix_consultation_slots_condition_id", "consultation_slots", ["condition_id"])
    op.create_index("ix_consultation_slots_location_id", "consultation_slots", ["location_id"])
    op.create_index("ix_consultation_slots_starts_at", "consultation_slots", ["starts_at", "id"])
    op.create_table(
        "alternate_names",
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["page_id"], ["condition_pages.id"], name="fk_alternate_names_page_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("page_id", "position", name="pk_alternate_names"),
    )
    op.create_table(
        "causes",
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["condition_pages.id"], name="fk_causes_page_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("page_id", "position", name="pk_causes"),
    )
    op.create_table(
        "checklist_items",
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["page_id"], ["condition_pages.id"], name="fk_checklist_items_page_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("page_id", "position", name="pk_checklist_items"),
    )
    op.create_table(
        "consultation_bookings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slot_id", sa.Uuid(), nullable=False),
        sa.Column("seat", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("condition_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("hold_expires_at", _INSTANT, nullable=True),
        sa.Column("consent_text_version", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.CheckConstraint(
            "(state = 'held') = (hold_expires_at IS NOT NULL)", name=op.f("ck_consultation_bookings_hold_expires")
        ),
        sa.CheckConstraint(
            "state IN ('held', 'booked', 'fulfilled', 'no_show', 'cancelled', 'expired')",
            name=op.f("ck_consultation_bookings_state"),
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_consultation_bookings_version")),
        sa.ForeignKeyConstraint(["condition_id"], ["conditions.id"], name="fk_consultation_bookings_condition_id"),
        sa.ForeignKeyConstraint(["slot_id"], ["consultation_slots.id"], name="fk_consultation_bookings_slot_id"),
        sa.PrimaryKeyConstraint("id", name="pk_consultation_bookings"),
        sa.UniqueConstraint("reference", name="uq_consultation_bookings_reference"),
    )
    op.create_index("ix_consultation_bookings_condition_id", "consultation_bookings", ["condition_id"])
    op.create_index("ix_consultation_bookings_slot_id", "consultation_bookings", ["slot_id"])
    op.create_index(
        "uq_consultation_bookings_seat_live",
        "consultation_bookings",
        ["slot_id", "seat"],
        unique=True,
        sqlite_where=sa.text("state IN ('held', 'booked')"),
        postgresql_where=sa.text("state IN ('held', 'booked')"),
    )
    op.create_table(
        "risk_factors",
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["page_id"], ["condition_pages.id"], name="fk_risk_factors_page_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("page_id", "position", name="pk_risk_factors"),
    )
    op.create_table(
        "treatment_options",
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("treatment_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["page_id"], ["condition_pages.id"], name="fk_treatment_options_page_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["treatment_id"], ["treatments.id"], name="fk_treatment_options_treatment_id"),
        sa.PrimaryKeyConstraint("page_id", "position", name="pk_treatment_options"),
        sa.UniqueConstraint("page_id", "treatment_id", name="uq_treatment_options_page_id"),
    )
    op.create_index("ix_treatment_options_treatment_id", "treatment_options", ["treatment_id"])
    op.create_table(
        "booking_events",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=True),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["consultation_bookings.id"], name="fk_booking_events_booking_id"),
        sa.PrimaryKeyConstraint("booking_id", "version", name="pk_booking_events"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=True),
        sa.Column("slot_id", sa.Uuid(), nullable=True),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", _INSTANT, nullable=False),
        sa.CheckConstraint(
            "(booking_id IS NULL) <> (slot_id IS NULL)", name=op.f("ck_idempotency_keys_made_one_thing")
        ),
        sa.ForeignKeyConstraint(
            ["booking_id"],
            ["consultation_bookings.id"],
            name="fk_idempotency_keys_booking_id",
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["slot_id"],
            ["consultation_slots.id"],
            name="fk_idempotency_keys_slot_id",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("caller", "operation", "key_hash", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_booking_id", "idempotency_keys", ["booking_id"])
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])
    op.create_index("ix_idempotency_keys_slot_id", "idempotency_keys", ["slot_id"])
    op.create_table(
        "patient_details",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["consultation_bookings.id"], name="fk_patient_details_booking_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("booking_id", name="pk_patient_details"),
    )
    op.create_index("ix_patient_details_key_id", "patient_details", ["key_id"])
