"""Alembic's environment: the connection comes from `maild.store.schema`, there is no ini file."""

from alembic import context

from maild.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
