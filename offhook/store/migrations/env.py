"""Run by Alembic: migrates the connection it was handed, in that connection's transaction."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from alembic import context

from offhook import store
from offhook.store.columns import metadata

for module in iter_modules(store.__path__):  # tables are known to `metadata` once imported
    if module.name != "migrations":
        import_module(f"{store.__name__}.{module.name}")

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
