"""How maild logs: one line a fact to standard error, journal-aware, the same shape for every library.

A line reads `noun id: what happened`, and what more is known: `mail 17: open ticket=4 why="a new request"`.
Under systemd a line begins with its level (`<6>`, sd-daemon(3)) and has no timestamp, since the journal adds its own;
elsewhere both are written out. Values are escaped, so no mail can forge a line. Never bodies, passwords or tokens.
"""

import logging
import os
import sys
import threading
from collections import Counter
from contextlib import suppress
from typing import Any, Final, TextIO, cast

import structlog
from structlog.types import EventDict, Processor

_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2, "exception": 3}
LONGEST_EVENT: Final = 80
_NOUNS: Final = ("delivery", "mail", "ticket", "mailbox")  # what a line is about: the first of these that it names
_CHATTY: Final = ("mail.log", "imapclient", "sqlalchemy", "alembic", "schedule", "asyncio")


def to_journal(stream: TextIO) -> bool:
    """Return whether `stream` is the one that the journal reads (systemd.exec(5), JOURNAL_STREAM)."""
    wanted = os.environ.get("JOURNAL_STREAM")
    if not wanted:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return wanted == f"{found.st_dev}:{found.st_ino}"


class _Line:
    """Renders an event as one line; control characters of any origin are escaped."""

    def __init__(self, *, journal: bool) -> None:
        self._journal = journal
        self._stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)

    def __call__(self, logger: Any, method: str, event: EventDict) -> str:
        level = str(event.pop("level", method))
        trace = event.pop("exception", None)
        event.pop("logger", None)
        line = ""
        for noun in _NOUNS:
            if noun in event:
                line = f"{noun} {_value(event.pop(noun))}: "
                break
        line += _escaped(str(event.pop("event", "")))
        for key, value in event.items():
            if key[0] != "_":
                line += f" {key}={_value(value)}"
        if trace:
            line += " trace=" + _escaped(str(trace))
        if self._journal:
            return f"<{_PRIORITIES.get(level, 6)}>{line}"
        return f"{self._stamp(logger, method, {})['timestamp']} {level:<7} {line}"


class _Own:
    """Renders a line of our own at one go: two are logged for each mail that is filed."""

    def __init__(self, line: _Line, facts: "Facts | None") -> None:
        self._line = line
        self._facts = facts

    def __call__(self, logger: Any, method: str, event: EventDict) -> str:
        if "exc_info" in event:
            event = structlog.processors.format_exc_info(logger, method, event)
        if self._facts is not None:
            self._facts(logger, method, event)
        return self._line(logger, method, event)


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _value(value: object) -> str:
    text = _escaped(str(value))
    if text and " " not in text and '"' not in text:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Facts:
    """How often each line of our own was logged, by level and event; events are constants of the code, so few."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def __call__(self, _logger: Any, method: str, event: EventDict) -> EventDict:
        """Count a line on its way."""
        with self._lock:
            self._counts[str(event.get("level", method)), str(event.get("event", ""))[:LONGEST_EVENT]] += 1
        return event

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the counts of this moment."""
        with self._lock:
            return dict(self._counts)


class _Patient:
    """A stream of which faults end nothing: the disk that it lies on may be full, its reader may have gone away."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError, ValueError):  # ValueError: it is closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what can be handed on."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure(stream: TextIO | None = None, *, level: int = logging.INFO, facts: Facts | None = None) -> None:
    """Send all logging of this process, the libraries' too, to `stream` (standard error), and count our own lines."""
    stream = stream or sys.stderr
    patient = cast("TextIO", _Patient(stream))
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,  # plain: frames without local variables, which may be secrets
    ]
    line = _Line(journal=to_journal(stream))
    # Our own lines go straight to the stream: by way of `logging` each costs four times as much.
    structlog.configure(
        processors=[_Own(line, facts)],
        logger_factory=structlog.WriteLoggerFactory(patient),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(patient)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, line],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # logs the traces of faults that we catch
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)  # aiosmtpd logs every DATA line at DEBUG
