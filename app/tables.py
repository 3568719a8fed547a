"""Every table, known to SQLModel's metadata by being imported: for migrations and for checks of the schema."""

import app.access.tables
import app.consultations.schedule_tables
import app.consultations.tables
import app.content.editorial_tables
import app.content.tables
import app.delivery.tables  # noqa: F401
