"""The tables. They say what is kept; nothing here decides.

    mail         bytes received or sent, once, with what was read from them      queue of the filer
    raw          the bytes themselves, in pieces of at most 1 MiB, compressed (`store.raw`)
    ticket       a status and a few instants                                     queue of the scheduler
    history      old and new of every field of a ticket that ever changed
    clock        how long a customer waited for an answer, or for the end, and what was promised
    delivery     one mail to one recipient                                       queue of the sender
    person       who writes; address: under which addresses
    participant  who takes part in a ticket besides its requester
    attempt      a try to send a delivery that did not succeed
    mailbox      an IMAP folder that is polled                                   queue of the poller
    agent        what is remembered of an agent: until when he is away, what he was sent; duty: his turn in a department
    unindexed    mails that are on tickets and not in the index of words yet
    job          what is done every so often                                     queue of the scheduler
    schedule     one row: what the schedulers of all nodes know of the time
    trouble      what is wrong with the desk just now, for the mails that tell the operator
    signing_key  what proofs in addresses and Message-IDs are signed with

A queue is a table with `due_at` (null: nothing to do), `attempts` and an index on what is due; see `queues`.
Rows are written by SQLAlchemy Core statements, a group at a time; the classes give the columns their types.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Mapped, mapped_column

from maild.rules.state import Status
from maild.store.columns import (
    Base,
    DeliveryState,
    Direction,
    Due,
    Email,
    MailState,
    MessageId,
    Numbers,
    UtcDateTime,
    Words,
)

__all__ = ["Base", "DeliveryState", "Direction", "MailState", "UtcDateTime"]  # of `columns`; and each table below

# Ids are in signed addresses that live for years, so no id is ever given twice, not even after a purge.
_NEVER_REUSED: dict[str, Any] = {"sqlite_autoincrement": True}


def _where(condition: str) -> dict[str, Any]:
    """Return what makes an index partial: rows of which the condition does not hold cost it nothing."""
    condition_text = sql_text(condition)
    return {"sqlite_where": condition_text, "postgresql_where": condition_text}


def _due_index(table: str) -> Index:
    # A look at an empty queue takes the same time at a million rows.
    return Index(f"ix_{table}_due", "due_at", "id", **_where("due_at IS NOT NULL"))


def _filed_index(column: str, *more: str) -> Index:
    # A mail that was just stored has none of these yet, so its commit writes a page less for each.
    return Index("_".join(("ix_mail", column, *more)), column, *more, **_where(f"{column} IS NOT NULL"))


class MailRow(Due, Base):
    """A mail that came in or goes out. Its bytes are in `raw`; the second block of columns can be rebuilt from them."""

    __tablename__ = "mail"

    direction: Mapped[Direction]
    state: Mapped[MailState]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)  # identity: `message.identity`
    stored_at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(340))  # "smtp 192.0.2.1", "imap support"; of ours who wrote it
    envelope_from: Mapped[Email | None]  # "" is the null sender, null is unknown (IMAP)
    helo: Mapped[str | None] = mapped_column(String(255))  # how the client of SMTP called itself
    login: Mapped[Email | None]  # the agent who logged in to our listener to send it, normalised
    recipients: Mapped[list[str]]  # of the envelope; grows when the same mail comes by a second path
    size_bytes: Mapped[int]
    old_since: Mapped[datetime | None]  # when it came to a mailbox that maild did not read yet: filed silently

    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"))
    kind: Mapped[str | None] = mapped_column(String(16))  # message.classify.Kind
    purpose: Mapped[str | None] = mapped_column(String(24))  # ours: acknowledgement, answer ...; theirs: note ...
    reason: Mapped[str | None] = mapped_column(Text)  # why it is where it is, for an operator to read
    message_id: Mapped[MessageId | None]
    references: Mapped[list[str] | None]  # In-Reply-To and References, newest first
    thread_index: Mapped[str | None] = mapped_column(String(44))
    from_address: Mapped[Email | None]
    from_name: Mapped[str | None] = mapped_column(String(320))
    subject: Mapped[str | None] = mapped_column(String(998))
    sent_at: Mapped[datetime | None]  # the mail's Date
    text: Mapped[str | None] = mapped_column(Text)  # the new text, without quotes and signature
    passed_by: Mapped[Email | None]  # the agent who passed a customer's mail on
    noted: Mapped[str | None] = mapped_column(Text)  # what he wrote above it, for agents alone
    evidence: Mapped[dict[str, Any] | None]  # what matching and trust found, with reasons
    released_by: Mapped[Email | None]  # who let a held mail through: the agent whose name it bears, or "operator"
    filed_at: Mapped[datetime | None]  # when it was looked at last: what was stored earlier may be filed later
    guarded_at: Mapped[datetime | None]  # of an agent's answer that waits: until when he was shown what he had missed
    about_id: Mapped[int | None]  # of ours: the mail that it tells of
    deaths: Mapped[int] = mapped_column(server_default="0")  # of processes that had begun to file it

    __table_args__ = (
        _due_index("mail"),
        _filed_index("ticket_id"),
        _filed_index("message_id"),
        _filed_index("thread_index"),
        _filed_index("from_address"),
        _filed_index("purpose", "stored_at"),
        Index("ix_mail_state", "state", "id"),
        _NEVER_REUSED,
    )


class RawRow(Base):
    """A piece of a mail's bytes, in order of `number`; nothing is kept of a mail's bytes anywhere else."""

    __tablename__ = "raw"

    mail_id: Mapped[int] = mapped_column(ForeignKey("mail.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    unpacked_bytes: Mapped[int | None]  # its length once it is unpacked (`store.raw`); null: it is not packed


class PersonRow(Base):
    """Somebody who writes: a customer, or one whom a customer named in Cc."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(320), default="")
    language: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime]


class AddressRow(Base):
    """An address of a person; `normal` is what addresses are compared by (`message.address.normalise`)."""

    __tablename__ = "address"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    normal: Mapped[Email] = mapped_column(unique=True)
    address: Mapped[Email]  # as it was written
    suppressed_until: Mapped[datetime | None]  # after a permanent failure nothing automatic is sent there
    suppressed_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (_NEVER_REUSED,)


class TicketRow(Due, Base):
    """A request of a customer; `rules.state.Ticket` is what the rules see of it. Only `desk` writes here."""

    __tablename__ = "ticket"

    subject: Mapped[str] = mapped_column(String(998))
    department: Mapped[str] = mapped_column(String(80))
    requester_id: Mapped[int] = mapped_column(ForeignKey("address.id"), index=True)  # the address he writes from
    language: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime]
    follows_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="SET NULL"))

    status: Mapped[Status]
    since: Mapped[datetime]
    waiting_since: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    return_to: Mapped[Status | None]
    wake_at: Mapped[datetime | None]
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"))
    undelivered: Mapped[bool] = mapped_column(default=False)
    silenced_until: Mapped[datetime | None]
    priority: Mapped[str] = mapped_column(String(16), default="normal")
    assignee: Mapped[Email | None]
    kept_since: Mapped[datetime | None]
    offered_to: Mapped[Email | None]  # the agent who got it as the most urgent one
    offered_until: Mapped[datetime | None]
    # Nullable, which means none: SQLite would copy the whole table for a default, and forget which ids it has given.
    tags: Mapped[frozenset[str]] = mapped_column(Words(), nullable=True)
    related: Mapped[frozenset[int]] = mapped_column(Numbers(), nullable=True)
    escalated: Mapped[frozenset[str]] = mapped_column(Words(), nullable=True)  # rules that acted in this waiting
    resolving_since: Mapped[datetime | None]
    resolving_s: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    target_at: Mapped[datetime | None]  # when the customer should have heard from us: tickets are solved in this order
    rate_at: Mapped[datetime | None]  # when he is asked how we did
    rating: Mapped[int | None]  # what he said: 1 bad, 2 fair, 3 good

    __table_args__ = (
        _due_index("ticket"),
        Index("ix_ticket_status", "status", "department"),
        Index("ix_ticket_created_at", "created_at"),
        # Few tickets have one of these.
        Index("ix_ticket_tags", "tags", **_where("tags <> ''")),
        Index("ix_ticket_follows", "follows_id", **_where("follows_id IS NOT NULL")),
        Index("ix_ticket_merged", "merged_into", **_where("merged_into IS NOT NULL")),
        _NEVER_REUSED,
    )


class HistoryRow(Base):
    """One field of one ticket changed; computed from the difference, so that no rule can forget it."""

    __tablename__ = "history"

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(320))  # an address, "maild" or "operator"
    cause: Mapped[str] = mapped_column(String(40))  # the event's name
    field: Mapped[str] = mapped_column(String(40))
    old: Mapped[str | None] = mapped_column(Text)
    new: Mapped[str | None] = mapped_column(Text)
    mail_id: Mapped[int | None] = mapped_column(ForeignKey("mail.id", ondelete="SET NULL"), index=True)

    __table_args__ = (
        Index("ix_history_actor_at", "actor", "at"),
        # A report asks how many tickets had a status then, of no other field.
        Index("ix_history_status", "at", **_where("field = 'status'")),
    )


class ClockRow(Base):
    """A clock of a ticket that ended (`rules.promises`); one that goes on is written anew when it ends again."""

    __tablename__ = "clock"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)  # rules.levels.Kind
    started_at: Mapped[datetime] = mapped_column(primary_key=True)
    target_at: Mapped[datetime | None]  # when it was due; null: nothing was promised
    stopped_at: Mapped[datetime] = mapped_column(index=True)
    used_s: Mapped[int] = mapped_column(BigInteger)  # working time of the level's calendar
    outcome: Mapped[str | None] = mapped_column(String(8))  # rules.levels.Outcome; null: nothing was promised
    level: Mapped[str | None] = mapped_column(String(40))
    priority: Mapped[str] = mapped_column(String(16))
    department: Mapped[str] = mapped_column(String(80))
    agent: Mapped[Email | None]  # whose answer stopped it


class ParticipantRow(Base):
    """Somebody who takes part in a ticket besides its requester."""

    __tablename__ = "participant"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), primary_key=True)
    address_id: Mapped[int] = mapped_column(ForeignKey("address.id"), primary_key=True, index=True)
    joined_at: Mapped[datetime]
    left_at: Mapped[datetime | None]


class DeliveryRow(Due, Base):
    """One mail to one recipient."""

    __tablename__ = "delivery"

    mail_id: Mapped[int] = mapped_column(ForeignKey("mail.id", ondelete="CASCADE"), index=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("ticket.id", ondelete="CASCADE"), index=True)
    address_id: Mapped[int] = mapped_column(ForeignKey("address.id"))
    recipient: Mapped[Email]  # as it was written
    reply_to: Mapped[Email]  # his own signed address; the sender writes it into his copy
    leave: Mapped[Email | None]  # a participant's own signed address by which he leaves; likewise
    automatic: Mapped[bool]
    state: Mapped[DeliveryState]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # sent, failed or cancelled
    reply: Mapped[str | None] = mapped_column(Text)  # the last server's own words

    __table_args__ = (
        _due_index("delivery"),
        Index("ix_delivery_address_id_created_at", "address_id", "created_at"),
        _NEVER_REUSED,
    )


class AttemptRow(Base):
    """A try to send a delivery that did not succeed; what came of the last one is in the delivery itself."""

    __tablename__ = "attempt"

    delivery_id: Mapped[int] = mapped_column(ForeignKey("delivery.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # of the delivery's attempts
    at: Mapped[datetime]
    reply: Mapped[str] = mapped_column(Text)  # the server's own words


class MailboxRow(Due, Base):
    """How far an IMAP folder has been fetched, and how it goes."""

    __tablename__ = "mailbox"

    name: Mapped[str] = mapped_column(String(80))
    folder: Mapped[str] = mapped_column(String(255))
    uid_validity: Mapped[int | None] = mapped_column(BigInteger)  # RFC 3501 2.3.1.1: 32 bits, unsigned
    last_uid: Mapped[int] = mapped_column(BigInteger, default=0)  # all up to it is stored, but for `missed`
    missed: Mapped[dict[str, Any] | None]  # UIDs that could not be fetched, each with how often and when next
    old_uid: Mapped[int] = mapped_column(BigInteger, default=0)  # the last one when it was first read, or renumbered
    old_until: Mapped[datetime | None]  # when the last mail came that was there before maild, by the server's clock
    started_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    reconciled_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    alerted_at: Mapped[datetime | None]  # when the operator was told of the present trouble
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (_due_index("mailbox"), UniqueConstraint("name", "folder"))


class TokenRow(Base):
    """What a provider gave for logging in by OAuth2; changed in one statement, since providers rotate tokens."""

    __tablename__ = "token"

    name: Mapped[str] = mapped_column(String(400), primary_key=True)  # "support@acme.example by office"
    refresh_token: Mapped[str | None] = mapped_column(Text)
    access_token: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None]  # of the access token
    renewing_until: Mapped[datetime | None]  # another thread or node asks the provider for a new one
    changed_at: Mapped[datetime]


class JobRow(Due, Base):
    """Something that is done every so often, by one node at a time."""

    __tablename__ = "job"

    name: Mapped[str] = mapped_column(String(80), unique=True)
    done_at: Mapped[datetime | None]
    mark: Mapped[str | None] = mapped_column(String(80))  # how far it got; only the job understands it


class TroubleRow(Base):
    """What is wrong just now (`rules.troubles`): so the operator is told once, and once that it is over."""

    __tablename__ = "trouble"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime]
    seen_at: Mapped[datetime]  # the last time
    told_at: Mapped[datetime | None]


class SigningKeyRow(Base):
    """A key that signs proofs; the newest that is not retired signs, all of them are still believed for a while."""

    __tablename__ = "signing_key"

    id: Mapped[str] = mapped_column(String(4), primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]


class ScheduleRow(Base):
    """What the schedulers of all nodes know of the time, in one row; see `store.schedule`."""

    __tablename__ = "schedule"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1
    seen_at: Mapped[datetime | None]  # when a daemon was last sure of the time
    braked_at: Mapped[datetime | None]  # unusually much was due then
    held_at: Mapped[datetime | None]  # since when the operator holds what customers would get
    confirmed_at: Mapped[datetime | None]  # the wall clock, when the operator said that it is right
    doubted_since: Mapped[datetime | None]  # since when a daemon does not believe its wall clock
    doubted_wall: Mapped[datetime | None]  # what that showed then
    doubted_off_s: Mapped[int | None] = mapped_column(BigInteger)  # how far that is ahead of the desk's own time
    doubt_told_at: Mapped[datetime | None]  # when the operator was last told of it


class AgentRow(Base):
    """What is remembered of an agent, whom the configuration names; see `store.agents`."""

    __tablename__ = "agent"

    agent: Mapped[Email] = mapped_column(primary_key=True)  # his normalised address
    away_until: Mapped[datetime | None]  # he said so
    welcomed_at: Mapped[datetime | None]
    digested_at: Mapped[datetime | None]  # when he last got his digest, or would have


class DutyRow(Base):
    """An agent's turn in a department that gives tickets to its agents."""

    __tablename__ = "duty"

    department: Mapped[str] = mapped_column(String(80), primary_key=True)
    agent: Mapped[Email] = mapped_column(primary_key=True)
    turn: Mapped[int]  # greater: he got a ticket later


class UnindexedRow(Base):
    """Something that is to be found by its words and is not yet; the index is written later (`store.search`)."""

    __tablename__ = "unindexed"

    id: Mapped[int] = mapped_column(primary_key=True)
    said_id: Mapped[int]  # of a mail; minus that of a ticket: its subject
    since: Mapped[datetime]
