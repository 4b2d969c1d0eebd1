"""Run by Alembic: migrates the connection it was handed, in that connection's transaction."""

from __future__ import annotations

from alembic import context

from offhook.store import records  # the tables, known to `metadata` once this is imported
from offhook.store.columns import metadata

assert records.calls.table.metadata is metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
