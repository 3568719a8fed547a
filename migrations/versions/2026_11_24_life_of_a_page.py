"""The life of a page: drafts, withdrawals, former slugs, review dates, translations, and the feed of changes."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_life_of_a_page"
down_revision = "2026_11_23_life_of_a_booking"
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)
_BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_SCHEDULED = sa.text("state = 'scheduled'")
_ENDS = sa.text("unpublish_at IS NOT NULL")
_REVIEWED = sa.text("next_review_on IS NOT NULL")


def upgrade() -> None:
    """Add; what is published stays as it is."""
    _add_columns(
        "condition_pages",
        sa.Column("last_reviewed_on", sa.Date()),
        sa.Column("next_review_on", sa.Date()),
        sa.Column("reviewed_by", sa.Text()),
        sa.Column("review_told_on", sa.Date()),
        sa.Column("source_revision", sa.Integer()),
        sa.Column("unpublish_at", _INSTANT),
    )
    op.create_index(
        "ix_condition_pages_unpublish_at", "condition_pages", ["unpublish_at"],
        sqlite_where=_ENDS, postgresql_where=_ENDS,
    )  # fmt: skip
    op.create_index("ix_condition_pages_sort_key", "condition_pages", ["sort_key", "condition_id"])
    op.create_index(
        "ix_condition_pages_next_review_on", "condition_pages", ["next_review_on"],
        sqlite_where=_REVIEWED, postgresql_where=_REVIEWED,
    )  # fmt: skip
    _add_columns("condition_revisions", sa.Column("author", sa.Text()), sa.Column("approved_by", sa.Text()))
    _add_columns("categories", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    _add_columns(
        "treatments",
        sa.Column("position", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
    )
    op.create_table(
        "urgency_signs",
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("sign", sa.Text(), nullable=False),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("page_id", "position", name="pk_urgency_signs"),
        _key("urgency_signs", "page_id", "condition_pages", ondelete="CASCADE"),
        sa.CheckConstraint(
            "urgency IN ('emergency', 'urgent', 'soon', 'routine')", name=op.f("ck_urgency_signs_urgency")
        ),
    )
    op.create_table(
        "page_references",
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("publisher", sa.Text()),
        sa.PrimaryKeyConstraint("page_id", "position", name="pk_page_references"),
        _key("page_references", "page_id", "condition_pages", ondelete="CASCADE"),
    )
    op.create_table(
        "condition_drafts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("condition_id", sa.Uuid()),
        sa.Column("slug", _BYTEWISE, nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("base_revision", sa.Integer()),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text()),
        sa.Column("publish_at", _INSTANT),
        sa.Column("unpublish_at", _INSTANT),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("changed_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_condition_drafts"),
        sa.UniqueConstraint("slug", "locale", name="uq_condition_drafts_slug"),
        _key("condition_drafts", "condition_id", "conditions"),
        sa.CheckConstraint(
            "state IN ('draft', 'submitted', 'approved', 'scheduled')", name=op.f("ck_condition_drafts_state")
        ),
        sa.CheckConstraint(
            "(state = 'scheduled') = (publish_at IS NOT NULL)", name=op.f("ck_condition_drafts_publish_at")
        ),
        sa.CheckConstraint("base_revision >= 1", name=op.f("ck_condition_drafts_base_revision")),
    )
    op.create_index("ix_condition_drafts_condition_id", "condition_drafts", ["condition_id"])
    op.create_index(
        "ix_condition_drafts_publish_at", "condition_drafts", ["publish_at"],
        sqlite_where=_SCHEDULED, postgresql_where=_SCHEDULED,
    )  # fmt: skip
    op.create_table(
        "condition_withdrawals",
        sa.Column("condition_id", sa.Uuid(), nullable=False),
        sa.Column("replacement_id", sa.Uuid()),
        sa.Column("withdrawn_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("condition_id", name="pk_condition_withdrawals"),
        _key("condition_withdrawals", "condition_id", "conditions"),
        _key("condition_withdrawals", "replacement_id", "conditions"),
        sa.CheckConstraint("replacement_id <> condition_id", name=op.f("ck_condition_withdrawals_replacement")),
    )
    op.create_table(
        "slug_redirects",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("slug", _BYTEWISE, nullable=False),
        sa.Column("condition_id", sa.Uuid()),
        sa.Column("category_id", sa.Uuid()),
        sa.Column("treatment_id", sa.Uuid()),
        sa.Column("renamed_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("kind", "slug", name="pk_slug_redirects"),
        _key("slug_redirects", "condition_id", "conditions"),
        _key("slug_redirects", "category_id", "categories", ondelete="SET NULL"),
        _key("slug_redirects", "treatment_id", "treatments", ondelete="SET NULL"),
        sa.CheckConstraint(
            "(kind = 'condition' AND condition_id IS NOT NULL AND category_id IS NULL AND treatment_id IS NULL)"
            " OR (kind = 'category' AND condition_id IS NULL AND treatment_id IS NULL)"
            " OR (kind = 'treatment' AND condition_id IS NULL AND category_id IS NULL)",
            name=op.f("ck_slug_redirects_target"),
        ),
    )
    for target in ("condition_id", "category_id", "treatment_id"):
        op.create_index(f"ix_slug_redirects_{target}", "slug_redirects", [target])
    op.create_table(
        "content_changes",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text()),
        sa.Column("revision", sa.Integer()),
        sa.Column("sections", sa.JSON(), nullable=False),
        sa.Column("previous_slug", sa.Text()),
        sa.PrimaryKeyConstraint("number", name="pk_content_changes"),
        sa.CheckConstraint(
            "subject IN ('condition', 'category', 'treatment')", name=op.f("ck_content_changes_subject")
        ),
        sa.CheckConstraint(
            "kind IN ('published', 'updated', 'renamed', 'withdrawn', 'unpublished', 'deleted')",
            name=op.f("ck_content_changes_kind"),
        ),
    )
    op.create_index("ix_content_changes_subject_id", "content_changes", ["subject_id"])
    _tell_of_what_is_published()


def _tell_of_what_is_published() -> None:
    """Begin the feed with what is public already: categories and treatments, then the pages that name them."""
    pages = sa.text(
        "SELECT page.condition_id, condition.slug, page.locale, page.revision, page.updated_at"
        " FROM condition_pages AS page JOIN conditions AS condition ON condition.id = page.condition_id"
        " ORDER BY page.updated_at, page.id"
    ).columns(
        sa.Column("condition_id", sa.Uuid()), sa.Column("slug", sa.Text()), sa.Column("locale", sa.Text()),
        sa.Column("revision", sa.Integer()), sa.Column("updated_at", _INSTANT),
    )  # fmt: skip
    feed = sa.table(
        "content_changes",
        *(sa.column(name, sa.Text()) for name in ("kind", "subject", "slug", "locale")),
        *(sa.column(name, sa.Integer()) for name in ("number", "revision")),
        sa.column("at", _INSTANT), sa.column("subject_id", sa.Uuid()), sa.column("sections", sa.JSON()),
    )  # fmt: skip
    found = op.get_bind().execute(pages).all()
    first = found[0].updated_at if found else datetime.now(UTC)
    entries = [
        {"at": first, "subject": subject, "subject_id": thing_id, "slug": slug, "locale": None, "revision": None}
        for subject, table in (("category", "categories"), ("treatment", "treatments"))
        for thing_id, slug in op.get_bind().execute(
            sa.text(f"SELECT id, slug FROM {table} ORDER BY position, slug").columns(
                sa.Column("id", sa.Uuid()), sa.Column("slug", sa.Text())
            )
        )
    ] + [
        {
            "at": page.updated_at, "subject": "condition", "subject_id": page.condition_id, "slug": page.slug,
            "locale": page.locale, "revision": page.revision,
        }
        for page in found
    ]  # fmt: skip
    numbered = [
        {"number": number, "kind": "published", "sections": [], **each} for number, each in enumerate(entries, 1)
    ]
    op.bulk_insert(feed, numbered)
    # The next change has a number that none of these has.
    op.execute(f"UPDATE content_version SET number = {len(entries)} WHERE number < {len(entries)}")


def downgrade() -> None:
    """Take it back: what was not published is lost."""
    for table in (
        "content_changes", "slug_redirects", "condition_withdrawals", "condition_drafts", "page_references",
        "urgency_signs",
    ):  # fmt: skip
        op.drop_table(table)
    _drop_columns("treatments", "version", "position")
    _drop_columns("categories", "version")
    _drop_columns("condition_revisions", "approved_by", "author")
    op.drop_index("ix_condition_pages_next_review_on", "condition_pages")
    op.drop_index("ix_condition_pages_sort_key", "condition_pages")
    op.drop_index("ix_condition_pages_unpublish_at", "condition_pages")
    _drop_columns(
        "condition_pages", "unpublish_at", "source_revision", "review_told_on", "reviewed_by", "next_review_on",
        "last_reviewed_on",
    )  # fmt: skip


def _key(table: str, column: str, target: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}", ondelete=ondelete)


def _add_columns(table: str, *columns: sa.Column[Any]) -> None:
    for column in columns:
        op.add_column(table, column)


def _drop_columns(table: str, *columns: str) -> None:
    # Not Alembic's batch: on SQLite it copies the table and drops its triggers.
    for column in columns:
        op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
