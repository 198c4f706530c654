"""Tickets by their tags."""

from sqlalchemy import ColumnElement, Text, and_, cast

from maild.store.models import TicketRow


def tagged(tag: str) -> ColumnElement[bool]:
    """Return what holds of the tickets that agents gave a tag."""
    # Only tickets with tags are in their index.
    return and_(cast(TicketRow.tags, Text) != "", cast(TicketRow.tags, Text).contains(f" {tag} ", autoescape=True))
