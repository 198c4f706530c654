"""What can be wrong with a desk, and what to do about it: one table for `maild status`, monitors, operators' mails.

`found` looks at how a desk stands (`store.standing`) and says what of it is not well; it knows no clock, no thresholds
but these, and no configuration. An alarm is about what time does not heal: a queue that nobody works off, a mail that
was set aside. A relay that is away for a while is a warning.

    trouble     a look (1)                  a person (2)          told by mail after
    daemon      -                           none is running       - (there is nobody to tell it)
    queue       5 min overdue               30 min overdue        10 min more
    filing      a mail cannot be filed      -                     10 min
    aside       a mail was set aside        -                     at once
    relay       unusable for 15 min         for 2 h               15 min
    waiting     a delivery is 1 h old       -                     -
    mailbox     fails for 5 min             for 1 h               (the poller tells)
    unread      a mail cannot be fetched    -                     at once
    disk        below 1 GiB                 below 256 MiB         at once
    database    -                           damaged               at once
    held        for 3 days                  -                     at once
    clock       mail from the future        -                     at once
    backup      the last is 8 days old      -                     at once
    flood       no more is acknowledged     -                     at once
    time        held, or the clock doubted  -                     (the scheduler tells)

A trouble is over when it has not been seen for QUIET.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final, NamedTuple

from maild.rules import limits

SLOW: Final = timedelta(minutes=5)  # overdue so long: a look
STUCK: Final = timedelta(minutes=30)  # overdue so long: nobody works
WAITS_TO_LEAVE: Final = timedelta(hours=1)  # a delivery that has not left since
RELAY_AWAY: Final = timedelta(minutes=15)
RELAY_GONE: Final = timedelta(hours=2)
MAILBOX_FAILS: Final = timedelta(minutes=5)
MAILBOX_GONE: Final = timedelta(hours=1)
FILING_FAILS: Final = timedelta(minutes=10)
QUEUE_STUCK: Final = timedelta(minutes=10)  # after a long stop all is overdue, and worked off in no time
HELD_LONG: Final = timedelta(days=3)
FUTURE: Final = timedelta(minutes=5)
BACKUP_OLD: Final = timedelta(days=8)  # a weekly one that failed once
DISK_LOW_BYTES: Final = 1 << 30
DISK_FULL_BYTES: Final = 256 << 20
QUIET: Final = timedelta(minutes=5)
ALL_AN_HOUR: Final = limits.IN_ALL[0][1]
UNPROVEN_AN_HOUR: Final = limits.IN_ALL_UNPROVEN[0][1]

AT_ONCE: Final = timedelta(0)


class Level(IntEnum):
    """How bad it is; the value is the exit status that monitoring plug-ins have for it."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


class Trouble(NamedTuple):
    """One thing that is not well."""

    level: Level
    text: str
    name: str  # of the table above; with a name behind it where there are several: "queue mail"
    fix: str  # what an operator does about it
    told_after: timedelta | None = None  # how long it lasts before the operator gets a mail, None: he gets none


NAMES: Final = (
    "daemon", "queue", "filing", "aside", "relay", "waiting", "mailbox", "unread", "disk", "database", "held", "clock",
    "backup", "flood", "time",
)  # fmt: skip


def found(standing: Mapping[str, Any]) -> list[Trouble]:
    """Return what is not well about a desk, the worst first."""
    each = [
        *_daemon(standing),
        *_queues(standing),
        *_time(standing),
        *_mails(standing),
        *_leaving(standing),
        *_flood(standing),
        *_machine(standing),
    ]
    return sorted(each, key=lambda trouble: -trouble.level)


def _daemon(standing: Mapping[str, Any]) -> Iterator[Trouble]:
    if standing["daemon"]["running"] is False:
        yield Trouble(Level.CRITICAL, "no daemon is running", "daemon", "systemctl start maild; then its log says why")


def _queues(standing: Mapping[str, Any]) -> Iterator[Trouble]:
    for name, queue in standing["queues"].items():
        if name == "ticket" and _looks(standing):
            continue  # what is due goes out one after the other, or is held: `rules.pace`
        overdue = _age(standing, queue["oldest_due_at"])
        if overdue > SLOW:
            stuck = overdue > STUCK
            yield Trouble(
                Level.CRITICAL if stuck else Level.WARNING,
                f"queue {name}: {queue['due']} due, the oldest for {_span(overdue)}",
                f"queue {name}",
                "look at the log of the last hour; if it says nothing, restart the daemon",
                QUEUE_STUCK if stuck else None,
            )


def _looks(standing: Mapping[str, Any]) -> bool:
    """Return whether a scheduler looked at what is due not long ago."""
    seen_at = standing["schedule"]["seen_at"]
    return seen_at is not None and _age(standing, seen_at) < STUCK


def _time(standing: Mapping[str, Any]) -> Iterator[Trouble]:
    known = standing["schedule"]
    if known["held_at"] is not None:
        text = f"nobody is reminded and nothing is closed: held for {_span(_age(standing, known['held_at']))}"
        yield Trouble(Level.WARNING, text, "time", "maild schedule release, once all is well")
    if known["doubted_since"] is not None:
        text = "the clock is not believed: maild goes on by its own time"
        yield Trouble(Level.WARNING, text, "time", "timedatectl; if it is right: maild schedule release")


def _mails(standing: Mapping[str, Any]) -> Iterator[Trouble]:
    if count := standing["filing"]["count"]:
        yield Trouble(
            Level.WARNING,
            f"mails that cannot be filed: {count}, tried again",
            "filing",
            "the log says why: journalctl -u maild | grep 'filing failed'",
            FILING_FAILS,
        )
    if count := standing["mails"]["failed"]:
        text = f"mails set aside: {count} (maild mail list --state failed)"
        yield Trouble(
            Level.WARNING, text, "aside", "maild mail show ID says why; after mending: maild mail retry ID", AT_ONCE
        )
    held = standing["held"]
    if _age(standing, held["oldest_at"]) > HELD_LONG:
        text = f"held mails: {held['count']}, the oldest for {_span(_age(standing, held['oldest_at']))}"
        fix = "maild mail list --state held; then mail release ID or mail reject ID"
        yield Trouble(Level.WARNING, text, "held", fix, AT_ONCE)
    newest = standing["last"]["mail_stored_at"]
    if newest is not None and newest - standing["at"] > FUTURE:
        text = f"the last mail came {_span(newest - standing['at'])} from now: the clock was or is wrong"
        yield Trouble(
            Level.WARNING, text, "clock", "timedatectl; reminders wait until the time is right again", AT_ONCE
        )


def _leaving(standing: Mapping[str, Any]) -> Iterator[Trouble]:
    relay = standing["relay"]
    away = _age(standing, relay["failing_since"])
    if away > RELAY_AWAY:
        level = Level.CRITICAL if away > RELAY_GONE else Level.WARNING
        text = f"the relay cannot be used for {_span(away)}: {relay['reason']}"
        yield Trouble(level, text, "relay", "maild check --connect; deliveries wait and leave by themselves", AT_ONCE)
    if count := standing["ages"]["delivery"]["1d"] + standing["ages"]["delivery"]["older"]:
        text = f"deliveries older than an hour: {count} (maild delivery list --state queued)"
        yield Trouble(Level.WARNING, text, "waiting", "each row has the other server's words")
    for each in standing["mailboxes"]:
        fails = _age(standing, each["failing_since"])
        if fails > MAILBOX_FAILS:
            level = Level.CRITICAL if fails > MAILBOX_GONE else Level.WARNING
            text = f"mailbox {each['name']} cannot be fetched: {each['error']}"
            yield Trouble(level, text, f"mailbox {each['name']}", f"maild mailbox test {each['name']}")
        if each["unread"]:
            text = f"mails of mailbox {each['name']} that its server does not give: {each['unread']}; they stay there"
            fix = "read them by a mail program; the log names them; they are tried again once a day"
            yield Trouble(Level.WARNING, text, f"unread {each['name']}", fix, AT_ONCE)


def _flood(standing: Mapping[str, Any]) -> Iterator[Trouble]:
    """Tell of the brake on acknowledgements (`rules.limits`): customers are not told that their mails have arrived."""
    known = standing["acknowledged"]
    if known["within_hour"] >= ALL_AN_HOUR:
        text = f"no more mails are acknowledged: {known['within_hour']} within an hour"
        fix = "maild mail list shows who writes; a [[route]] with spam = true puts it aside; tickets are opened"
        yield Trouble(Level.WARNING, text, "flood", fix, AT_ONCE)
    elif known["unproven"] >= UNPROVEN_AN_HOUR:
        text = f"mails of unproven senders are acknowledged no more: {known['unproven']} within an hour"
        fix = "prove more senders (authserv_id, or maild[auth]); against a flood a [[route]] with spam = true"
        yield Trouble(Level.WARNING, text, "flood", fix, AT_ONCE)


def _machine(standing: Mapping[str, Any]) -> Iterator[Trouble]:
    free = standing["disk"]["free_bytes"]
    if free is not None and free < DISK_LOW_BYTES:
        level = Level.CRITICAL if free < DISK_FULL_BYTES else Level.WARNING
        text = f"the disk of the database has {free / 2**20:.0f} MiB left"
        yield Trouble(level, text, "disk", "make room; while it is full senders are asked to try again", AT_ONCE)
    damage = standing["integrity"]["fault"]
    if damage:
        fix = "stop the daemon, copy the file, maild db check; restore the last backup if it is damaged"
        yield Trouble(Level.CRITICAL, f"the database is damaged: {damage}", "database", fix, AT_ONCE)
    backup_at = standing["backup"]["at"]
    if _age(standing, backup_at) > BACKUP_OLD:
        text = f"the last backup was made {_span(_age(standing, backup_at))} ago"
        yield Trouble(Level.WARNING, text, "backup", "look why: maild db backup FOLDER", AT_ONCE)


def _age(standing: Mapping[str, Any], since: datetime | None) -> timedelta:
    """Return how long ago it was, nothing if it never was."""
    at: datetime = standing["at"]
    return timedelta(0) if since is None else at - since


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"
