"""What the columns of all tables are made of: instants, enums, addresses; and what every table has in common."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, TypeVar

from sqlalchemy import JSON, Dialect, Enum, MetaData, String, Text
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from maild.rules.state import Status

_Member = TypeVar("_Member", str, int)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware, UTC, to the microsecond. SQLite forgets the zone; this puts it back."""

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> datetime | None:
        """Refuse a naive instant: it would be right in one zone only."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive instant {value!r}")
        return value if value.tzinfo is UTC else value.astimezone(UTC)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> datetime | None:
        """Give the instant back in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _Set(TypeDecorator[frozenset[_Member]]):
    """A set, as text that can be searched for each of its members: in order, with a space around each."""

    impl = Text
    member: type[_Member]

    def process_bind_param(
        self,
        value: frozenset[_Member] | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> str:
        """Write the members."""
        return f" {' '.join(map(str, sorted(value)))} " if value else ""

    def process_result_value(
        self,
        value: str | None,
        dialect: Dialect,  # noqa: ARG002 - SQLAlchemy's signature
    ) -> frozenset[_Member]:
        """Read them back."""
        return frozenset(map(self.member, (value or "").split()))


class Words(_Set[str]):
    """A set of words without spaces: " printer vip "."""

    cache_ok = True  # SQLAlchemy asks each class for itself
    member = str


class Numbers(_Set[int]):
    """A set of numbers: " 7 1042 "."""

    cache_ok = True  # as above
    member = int


class Direction(StrEnum):
    """Which way a mail went."""

    IN = "in"
    OUT = "out"


class MailState(StrEnum):
    """Where an inbound mail stands; `docs/flow.md` has the table of who moves it."""

    STORED = "stored"  # durable, waits for the filer (leased while one works on it)
    FILED = "filed"  # on a ticket
    NOTED = "noted"  # looked at, belongs to no ticket; `reason` says why
    DELAYED = "delayed"  # an agent's answer that leaves later: filed when it is due
    HELD = "held"  # trust too low; waits for an agent
    FAILED = "failed"  # set aside after too many attempts; `maild mail retry ID`
    OUT = "out"  # ours: its deliveries say how far it got


class DeliveryState(StrEnum):
    """How far one mail has got to one recipient."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


def _text_enum(kind: type[StrEnum], length: int = 16) -> Enum:
    def values(members: type[StrEnum]) -> list[str]:
        return [member.value for member in members]

    as_values: Callable[[Any], list[str]] = values
    return Enum(kind, native_enum=False, length=length, values_callable=as_values, create_constraint=False)


Email = Annotated[str, mapped_column(String(320))]  # RFC 5321 4.5.3.1: 64 + "@" + 255
MessageId = Annotated[str, mapped_column(String(998))]  # RFC 5322 2.1.1: no line is longer


class Base(DeclarativeBase):
    """Base of all tables: instants are UTC, enums are text, constraints have names (so that they can be migrated)."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        Status: _text_enum(Status),
        Direction: _text_enum(Direction),
        MailState: _text_enum(MailState),
        DeliveryState: _text_enum(DeliveryState),
        list[str]: JSON(none_as_null=True),
        dict[str, Any]: JSON(none_as_null=True),
    }


class Due:
    """Mixin of the tables that are queues."""

    id: Mapped[int] = mapped_column(primary_key=True)
    due_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
