"""Alembic's way into the database: the connection that `app.core.migrations` has opened, with its transaction."""

from alembic import context
from sqlmodel import SQLModel

import app.tables  # noqa: F401 - adds every table to the metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
