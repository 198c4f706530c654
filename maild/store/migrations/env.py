"""Alembic's environment: the connection comes from `maild.store.schema`, there is no ini file."""

from typing import Any, Literal

from alembic import context

from maild.store.columns import UtcDateTime
from maild.store.models import Base
from maild.store.schema import is_of_models


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our own type of instants into migrations as what it is for a database: they never name our code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    render_item=render,
    compare_type=True,
    include_name=is_of_models,
)
context.run_migrations()
