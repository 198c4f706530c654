"""How commands print: data to standard output, talk to standard error, and no mail's text unless it is harmless.

Whoever writes a mail chooses its subject, and a terminal obeys what it is shown. `printable` is the one gate: no
control characters (an escape sequence could retitle the window, or type for the operator), no bidirectional
overrides (which show a text in another order than it has), no line of its own. There is no markup to be fooled by:
tables are plain columns. JSON is pure ASCII, so it is harmless by itself.

On a terminal tables fit its width; in a pipe nothing is cut. Colours only on a terminal, and not with NO_COLOR.
"""

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

VERSION: Final = 1  # of the envelope; it changes when a key changes its meaning
NUMBER: Final = click.IntRange(1, 2**63 - 1)  # of a ticket, a mail, a delivery: what databases can be asked for
NARROWEST: Final = 8  # columns that a cut cell keeps
NARROW_TERMINAL: Final = 40
MOST_MARKS: Final = 4  # accents on one letter; more of them climb into other lines
_GAP: Final = "  "


def prepare() -> None:
    """Let no character fail to be printed, whatever the locale."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):  # a test's own stream
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def forget_stdout() -> None:
    """Have nothing more written to a pipe that nobody reads, not even when the process ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: object) -> str:
    """Return `text` as one line that a terminal can be shown."""
    line = str(text)
    if line.isascii() and line.isprintable():
        return line
    kept: list[str] = []
    marks = 0
    for char in line:
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if category in ("Cc", "Zl", "Zp") and char.isspace():
            kept.append(" ")
        elif category in ("Cc", "Cs", "Co"):
            kept.append("\N{REPLACEMENT CHARACTER}")
        elif category != "Cf" and marks <= MOST_MARKS:  # Cf: overrides of direction, and what has no width
            kept.append(char)
    return "".join(kept)


def printable_lines(text: str) -> list[str]:
    """Return the lines of `text`, each as `printable` has it, those at the end that are empty left out."""
    return [printable(line.expandtabs(8)) for line in text.rstrip().split("\n")]


def say(text: str) -> None:
    """Tell the user, on standard error, what is no data."""
    click.echo("\n".join(printable_lines(text)), err=True)


def line(text: str = "") -> None:
    """Print a line of data."""
    click.echo(text)


def envelope(kind: str, data: Any) -> None:
    """Print the answer of a command with `--json`."""
    click.echo(json.dumps({"maild": VERSION, "kind": kind, "data": data}, default=_plain, indent=2))


def json_line(data: Mapping[str, Any]) -> None:
    """Print one object on one line, at once."""
    sys.stdout.write(json.dumps(data, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return instant(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def instant(at: datetime) -> str:
    """Return an instant as JSON has it: ISO 8601, UTC, to the second or as exact as it is."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def moment(at: datetime | None) -> str:
    """Return an instant as people read it, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if at else "-"


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit: 40s, 3m, 5h, 12d."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size or (seconds >= size and unit != "m"):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def since(at: datetime | None, now: datetime) -> str:
    """Return how long ago `at` was."""
    return span(now - at) if at else "-"


def until(at: datetime | None, now: datetime) -> str:
    """Return in how long `at` will be."""
    if at is None:
        return "-"
    return f"in {span(at - now)}" if at > now else "now"


def count(number: int, noun: str) -> str:
    """Return a number of things: "1 mail", "2 mails", "3 deliveries"."""
    if number != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}{'es' if noun.endswith('x') else 's'}"
    return f"{number} {noun}"


def terminal_width() -> int | None:
    """Return the columns of the terminal, None if standard output is none."""
    if not sys.stdout.isatty():
        return None
    return max(NARROW_TERMINAL, shutil.get_terminal_size().columns)


def table(
    titles: Sequence[str], rows: Iterable[Sequence[object]], *, width: int | None = None, cut: Collection[str] = ()
) -> str:
    """Return rows as columns under their titles, cut to `width` columns if it is given.

    The columns named in `cut` are cut first, the widest of them before the others; numbers stand to the right.
    """
    cells = [[printable("-" if each is None or each == "" else each) for each in row] for row in rows]
    numeric = [_numeric([row[at] for row in cells]) for at in range(len(titles))]
    widths = [max(_width(row[at]) for row in [list(titles), *cells]) for at in range(len(titles))]
    if width is not None:
        _narrow(widths, width - len(_GAP) * (len(titles) - 1), [each in cut for each in titles])
    head = _laid_out([each.upper() for each in titles], widths, numeric)
    return "\n".join([_dim(head), *(_laid_out(row, widths, numeric) for row in cells)])


def _numeric(column: Sequence[str]) -> bool:
    return any(each.isdigit() for each in column) and all(each == "-" or each.isdigit() for each in column)


def _narrow(widths: list[int], room: int, first: Sequence[bool]) -> None:
    places = range(len(widths))
    for wanted in ([at for at in places if first[at]], list(places)):
        while sum(widths) > room:
            widest = max(wanted, key=lambda at: widths[at], default=None)
            if widest is None or widths[widest] <= NARROWEST:
                break
            widths[widest] -= 1


def _laid_out(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    return _GAP.join(map(_padded, row, widths, numeric)).rstrip()


def _padded(cell: str, width: int, right: bool) -> str:
    cell = _cut(cell, width)
    space = " " * (width - _width(cell))
    return space + cell if right else cell + space


def _cut(cell: str, width: int) -> str:
    if _width(cell) <= width:
        return cell
    kept, used = "", 0
    for char in cell:
        used += _width(char)
        if used > width - 1:
            break
        kept += char
    return kept + "…"


def _width(text: str) -> int:
    """Return how many columns a terminal takes for `text`."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pairs(values: Iterable[tuple[str, object]]) -> str:
    """Return names and values below each other; those without a value are left out."""
    shown = [(name, printable(value)) for name, value in values if value not in (None, "", (), [])]
    room = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{_dim(name.ljust(room))}  {value}" for name, value in shown)


def _dim(text: str) -> str:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return click.style(text, bold=True)
