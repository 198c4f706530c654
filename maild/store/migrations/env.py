"""Alembic's environment: the connection comes from `maild.store.schema`, there is no ini file."""

from alembic import context

from maild.store.models import Base
from maild.store.schema import is_of_models

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    include_name=is_of_models,
)
context.run_migrations()
