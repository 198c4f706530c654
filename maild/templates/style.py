"""How instants, spans, sizes and texts are written in one language: the filters of the templates."""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote as percent
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import format_decimal
from markupsafe import Markup, escape

_UNITS: Final = ("kB", "MB", "GB")
_URL: Final = re.compile(r"\bhttps?://[^\s<>\"'{}|\\^`]{1,2000}", re.IGNORECASE)
_SPACES: Final = re.compile("  +|^ ", re.MULTILINE)
_PLAIN_ADDRESS: Final = re.compile(r"[A-Za-z0-9@+._=~-]*")  # what need not be quoted in a link


def locale_of(language: str) -> Locale:
    """Return the locale of a language tag such as "de" or "pt-BR"; that of English for one that nobody knows."""
    try:
        return Locale.parse(language.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def filters(language: str) -> dict[str, Callable[..., Any]]:
    """Return the filters that write in `language`, by the names that templates use."""
    locale = locale_of(language)

    @lru_cache(maxsize=256)  # all mails of a tick promise the same few instants
    def instant(at: datetime, zone: ZoneInfo) -> str:
        local = at.astimezone(zone)
        day = format_date(local, "full", locale=locale)
        time = format_time(local, "short", tzinfo=zone, locale=locale)
        name = format_time(local, "z", tzinfo=zone, locale=locale)
        if name[0] in "+-":  # the language has no short name for this zone
            name = local.tzname() or name
        joined = str(locale.datetime_formats["medium"]).replace("'", "").replace("{0}", time).replace("{1}", day)
        return f"{joined} {name}".replace("\u202f", "\u00a0")

    def day(on: date) -> str:
        return str(format_date(on, "full", locale=locale))

    def span(length: timedelta) -> str:
        return str(format_timedelta(length, locale=locale, threshold=1.5, add_direction=False))

    def size(octets: int) -> str:
        number, unit = float(octets), "B"
        for larger in _UNITS:
            if number < 1000:
                break
            number, unit = number / 1000, larger
        pattern = "0" if number >= 10 or unit == "B" else "0.#"
        return f"{format_decimal(number, format=pattern, locale=locale)}\u00a0{unit}"

    return {
        "instant": instant,
        "day": day,
        "span": span,
        "size": size,
        "quoted": quoted,
        "paragraphs": paragraphs,
        "mailto": mailto,
    }


def is_right_to_left(language: str) -> bool:
    """Return whether `language` is written from right to left."""
    return bool(locale_of(language).text_direction == "rtl")


def quoted(text: str) -> str:
    """Return `text` as a quotation of plain-text mail (RFC 3676 4.5)."""
    return "\n".join(f"> {line}" if line and line[0] != ">" else f">{line}" for line in text.splitlines())


def mailto(address: str, subject: str = "", body: str = "") -> str:
    """Return a link that begins a mail (RFC 6068)."""
    if not _PLAIN_ADDRESS.fullmatch(address):
        address = percent(address, safe="@+.-_=")
    return f"mailto:{address}{_parameters(subject, body)}"


@lru_cache(maxsize=1024)  # a few words, in every mail to agents
def _parameters(subject: str, body: str) -> str:
    found = [f"{name}={percent(value, safe='')}" for name, value in (("subject", subject), ("body", body)) if value]
    return "?" + "&".join(found) if found else ""


def paragraphs(text: str) -> Markup:
    """Return plain text as HTML: its line ends and indents kept, its web addresses made links."""
    pieces: list[str] = []
    end = 0
    text = text.strip("\n")
    for match in _URL.finditer(text) if "://" in text else ():
        url = match[0].rstrip(".,:;!?)]")
        pieces.append(_lines(text[end : match.start()]))
        pieces.append(f'<a href="{escape(url)}">{escape(url)}</a>')
        end = match.start() + len(url)
    pieces.append(_lines(text[end:]))
    return Markup("".join(pieces))  # noqa: S704 - every piece is escaped above


def _lines(text: str) -> str:
    escaped = str(escape(text))
    if "  " in escaped or "\n " in escaped or escaped.startswith(" "):
        escaped = _SPACES.sub(lambda match: "&nbsp;" * len(match[0]), escaped)
    return escaped.replace("\n", "<br>\n")
