"""The kinds of values that a configuration holds: how each is written, and what is said when it is not.

Every error is the end of the sentence "KEY: ...", so that an operator reads what was expected. Values as Python has
them (a `Span`, a `ZoneInfo`) are taken as they are, so that defaults need no text.
"""

import difflib
import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, time
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictInt,
    StringConstraints,
    ValidationInfo,
)

from maild.config import passwords
from maild.message.address import normalise, valid
from maild.rules.working_time import ALL_WEEK, Hours, Span

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SIZES: Final = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
SMALLEST_MAIL_BYTES: Final = 64 * 1024  # RFC 5321 4.5.3.1.7: at least 64 K octets are to be taken
NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,39}$"
TITLE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,100}$"

_NO_ZONE = (KeyError, ValueError, OSError)  # unknown, not a name at all, a folder of names
_SIZE = re.compile(r"(\d{1,12})\s*([kmg]?i?b)", re.ASCII | re.IGNORECASE)
_TIME_OF_DAY = re.compile(r"(\d{1,2}):([0-5]\d)", re.ASCII)
_HOURS = re.compile(r"(\d{1,2})(?::(\d\d))?\s*-\s*(\d{1,2})(?::(\d\d))?", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?", re.ASCII)
_COUNTRY = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*", re.ASCII)


class Section(BaseModel):
    """Base of all sections: frozen, no unknown keys, and errors never show what was written."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)


class Endpoint(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def nearest(word: str, words: Collection[str]) -> str:
    """Return `; did you mean 'x'?` if one of `words` is like `word`, else nothing."""
    found = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def is_loopback(host: str) -> bool:
    """Return whether `host` can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_wildcard(host: str) -> bool:
    """Return whether a server that listens on `host` listens on every address."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def endpoint(text: str) -> Endpoint:
    """Return the endpoint that `text` says, such as "127.0.0.1:2525" or "[::1]:25"; without a host it is every address.

    Raises:
        ValueError: it says none.
    """
    expected = "expected 'host:port', such as '127.0.0.1:2525' or '[::1]:25'"
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(expected)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{expected} (an IPv6 address stands in brackets)")
    return Endpoint(_host(host) if host else "0.0.0.0", int(port))  # noqa: S104 - ":25" is how one writes "everywhere"


@lru_cache(maxsize=64)
def holidays_of(country: str, year: int) -> frozenset[date]:
    """Return the public holidays of a country ("EE") or a part of one ("DE-BY") in a year.

    Raises:
        NotImplementedError: the library does not know it.
    """
    import holidays  # noqa: PLC0415 - takes 0.15 s, and few commands need it

    code, _, part = country.partition("-")
    return frozenset(holidays.country_holidays(code, subdiv=part or None, years=year))


def _delay(text: str) -> Span:
    span = Span.parse(text)
    if span.business or span.seconds > 3600:
        raise ValueError("expected a span of time up to an hour, such as '30s' or '2m'")
    return span


def _text(read: Callable[[str], Any], expected: str) -> PlainValidator:
    """Return a validator that reads a text; anything else is taken if it is no plain value of TOML."""

    def check(value: object) -> object:
        if isinstance(value, str):
            return read(value.strip())
        if isinstance(value, bool | int | float | list | dict | date | time):
            raise ValueError(f"expected {expected}")  # noqa: TRY004 - pydantic collects ValueError
        return value

    return PlainValidator(check)


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if _HOST.fullmatch(text) is None:
            raise ValueError("expected the name or the address of a machine") from None
    return text


def _mail_address(text: str) -> str:
    if "<" in text:
        raise ValueError("expected a bare mail address such as 'support@acme.example', without a name")
    if not valid(text):
        raise ValueError("expected a mail address such as 'support@acme.example'")
    return text


def _domain(text: str) -> str:
    domain = text.removeprefix("@")
    if not valid(f"a@{domain}") or "." not in domain:
        raise ValueError("expected a domain such as 'customer.example'")
    return normalise(f"a@{domain}").rpartition("@")[2]


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError("expected a size such as '25MiB'")
    size_bytes = int(found[1]) * SIZES[found[2].lower()]
    if size_bytes < SMALLEST_MAIL_BYTES:
        raise ValueError("expected a size of at least 64KiB (RFC 5321 4.5.3.1.7)")
    return size_bytes


def is_zone(value: object) -> bool:
    """Return whether `value` is or names a time zone."""
    try:
        return isinstance(value, ZoneInfo) or (isinstance(value, str) and bool(ZoneInfo(value.strip()).key))
    except _NO_ZONE:
        return False


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except _NO_ZONE:
        zones = {zone.lower(): zone for zone in available_timezones()}
        close = difflib.get_close_matches(text.lower(), zones, n=1)
        hint = f"; did you mean {zones[close[0]]!r}?" if close else ""
        raise ValueError(f"expected a time zone such as 'Europe/Tallinn'{hint}") from None


def _language(text: str) -> str:
    if _LANGUAGE.fullmatch(text) is None:
        raise ValueError("expected a language such as 'en', 'et' or 'pt-BR'")
    language, dash, rest = text.replace("_", "-").partition("-")
    return language.lower() + dash + rest


def _country(text: str) -> str:
    expected = "expected a country such as 'EE', or a part of one such as 'DE-BY' (ISO 3166)"
    if _COUNTRY.fullmatch(text) is None:
        raise ValueError(expected)
    try:
        holidays_of(text, 2026)
    except NotImplementedError:
        raise ValueError(f"{expected}, whose public holidays are known") from None
    return text


def _clock(hour: str, minute: str | None) -> time:
    number = int(hour) * 60 + int(minute or 0)
    if number > 24 * 60 or int(minute or 0) > 59:
        raise ValueError(f"{hour}:{minute or '00'} is no time of the day")
    return time(number // 60 % 24, number % 60)


def hours_by_day(texts: object) -> tuple[Hours, Hours]:
    """Return the hours that a list such as `["9:00-12:00", "22:00-6:00"]` says: of the day, and of the next morning.

    Raises:
        ValueError: it says something else.
    """
    expected = 'expected a list of hours such as ["9:00-12:00", "13:00-17:30"]'
    if not isinstance(texts, list | tuple):
        raise ValueError(expected)  # noqa: TRY004 - as above
    today, morning = [], []
    for text in texts:
        found = _HOURS.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None:
            raise ValueError(expected)
        opens, closes = _clock(found[1], found[2]), _clock(found[3], found[4])
        if opens < closes or closes == time(0):
            today.append((opens, closes))
        elif opens == closes:
            raise ValueError(f"{text} is no time at all; write '0:00-24:00' for a whole day")
        else:
            today.append((opens, time(0)))
            morning.append((time(0), closes))
    return tuple(today), tuple(morning)


def _weekdays(text: str) -> list[int]:
    """Return the days that "mon", "mon-fri", "sat-sun" or "mon,wed,fri" mean, Monday being 0."""
    days: list[int] = []
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in WEEKDAYS or last not in WEEKDAYS:
            raise ValueError(f"expected days such as 'mon', 'mon-fri' or 'mon,wed', not {text!r}")
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last)
        days += [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]
    return days


def _week(value: object) -> Mapping[int, Hours]:
    """Return the hours by weekday that `{ mon-fri = ["9:00-17:00"] }` or `"always"` mean."""
    if value == "always":
        return ALL_WEEK
    if not isinstance(value, dict):
        raise ValueError("expected 'always' or hours by day such as { mon-fri = [\"9:00-17:00\"] }")  # noqa: TRY004 - as above
    week: dict[int, Hours] = {}
    for days, texts in value.items():
        if isinstance(days, int):  # a week as Python has it
            week[days] = texts
            continue
        today, morning = hours_by_day(texts)
        for weekday in _weekdays(days):
            week[weekday] = (*week.get(weekday, ()), *today)
            if morning:
                week[(weekday + 1) % 7] = (*week.get((weekday + 1) % 7, ()), *morning)
    return week


def _database(text: str, info: ValidationInfo) -> str:
    """Return the URL of a database; a plain name of a file is one of SQLite."""
    scheme, separator, _ = text.partition("://")
    if not separator:
        return f"sqlite:///{_placed(Path(text), info)}"
    if scheme not in {"sqlite", "postgresql", "postgresql+psycopg"}:
        raise ValueError("expected a file, 'sqlite:///FILE' or 'postgresql://USER@HOST/NAME'")
    return text


def _placed(path: Path, info: ValidationInfo) -> Path:
    """Return `path` as it is meant: relative to the configuration's folder, `~` being the user's."""
    folder = (info.context or {}).get("folder")
    return path if folder is None else folder / path.expanduser()


def _file(path: Path, info: ValidationInfo) -> Path:
    path = _placed(path, info)
    if info.context:
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}") from None
    return path


def _private_file(path: Path, info: ValidationInfo) -> Path:
    path = _placed(path, info)
    if info.context and (fault := passwords.check_file(path)):
        raise ValueError(fault)
    return path


def _folder(path: Path, info: ValidationInfo) -> Path:
    path = _placed(path, info)
    if info.context and not path.is_dir():
        raise ValueError(f"{path} is not a folder")
    return path


def _command(text: str, info: ValidationInfo) -> str:
    if info.context and (fault := passwords.check_command(text)):
        raise ValueError(fault)
    return text


def _credential(name: str, info: ValidationInfo) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,255}", name) is None or name in {".", ".."}:
        raise ValueError("expected the name of a systemd credential such as 'relay-password'")
    path = passwords.credential_file(name) if info.context else None
    if path is not None and not path.is_file():
        raise ValueError(f"systemd passed no credential {name!r} (LoadCredential= in the unit)")
    return name


def _day(value: object) -> date:
    if type(value) is date:  # an instant is one too
        return value
    try:
        return date.fromisoformat(value)  # type: ignore[arg-type]  # what is no text fails just so
    except (TypeError, ValueError):
        raise ValueError("expected a date such as 2026-12-24") from None


def _days_away(value: object) -> tuple[tuple[date, date], ...]:
    """Return the first and the last of some days: `2026-05-04`, "2026-12-24..2027-01-06"."""
    if not isinstance(value, list | tuple):
        raise ValueError('expected a list of days such as ["2026-12-24..2027-01-06", 2026-05-04]')  # noqa: TRY004 - as above
    return tuple(each if isinstance(each, tuple) else _span_of_days(each) for each in value)


def _span_of_days(value: object) -> tuple[date, date]:
    first, dots, last = value.partition("..") if isinstance(value, str) else (value, "", "")
    begins = _day(first)
    ends = _day(last) if dots else begins
    if ends < begins:
        raise ValueError(f"{value}: the last day is before the first one")
    return begins, ends


def _digest_time(value: object) -> time | None:
    if value == "never" or value is None or isinstance(value, time):
        return value if isinstance(value, time) else None
    found = _TIME_OF_DAY.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) > 11:
        raise ValueError("expected a time of the morning such as '8:00', or 'never'")
    return time(int(found[1]), int(found[2]))


def _start(value: object) -> object:
    if value in ("now", "all"):
        return value
    try:
        return _day(value)
    except ValueError:
        raise ValueError("expected 'now', 'all', or a date such as \"2026-01-01\"") from None


def _url(text: str) -> str:
    scheme, _, rest = text.partition("://")
    host = rest.partition("/")[0].rpartition(":")[0] or rest.partition("/")[0]
    if not rest or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("expected a URL such as 'https://login.acme.example/token'")
    if scheme != "https" and not (scheme == "http" and is_loopback(host)):
        raise ValueError("expected a URL that begins with https://: secrets are sent there")
    return text


Name = Annotated[str, StringConstraints(pattern=NAME)]
Title = Annotated[str, StringConstraints(pattern=TITLE)]
MailAddress = Annotated[str, _text(_mail_address, "a mail address such as 'support@acme.example'")]
Domain = Annotated[str, _text(_domain, "a domain such as 'customer.example'")]
Host = Annotated[str, _text(_host, "the name or the address of a machine")]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]
Listen = Annotated[Endpoint, _text(endpoint, "'host:port', such as '127.0.0.1:2525' or '[::1]:25'")]
SpanText = Annotated[Span, _text(Span.parse, "a span of time such as '4h' or '2bd'")]
Delay = Annotated[Span, _text(_delay, "a span of time up to an hour such as '2m'")]
Size = Annotated[int, PlainValidator(lambda value: _size(value) if isinstance(value, str) else _size(f"{value}b"))]
Zone = Annotated[ZoneInfo, _text(_zone, "a time zone such as 'Europe/Tallinn'")]
Language = Annotated[str, _text(_language, "a language such as 'en'")]
Country = Annotated[str, _text(_country, "a country such as 'EE'")]
Week = Annotated[Mapping[int, Hours], PlainValidator(_week)]
Day = Annotated[date, PlainValidator(_day)]
DaysAway = Annotated[tuple[tuple[date, date], ...], PlainValidator(_days_away)]
DigestTime = Annotated[time | None, PlainValidator(_digest_time)]
Start = Annotated[Literal["now", "all"] | date, PlainValidator(_start)]
Url = Annotated[str, _text(_url, "a URL such as 'https://login.acme.example/token'")]
Tenant = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,100}$")]
HoursOfDay = Annotated[Hours, PlainValidator(lambda value: hours_by_day(value)[0])]
Database = Annotated[str, StringConstraints(min_length=1), AfterValidator(_database)]
Count = Annotated[StrictInt, Field(ge=1, le=100_000)]
Percent = Annotated[StrictInt, Field(ge=1, le=1000)]
File = Annotated[Path, AfterValidator(_file)]
PrivateFile = Annotated[Path, AfterValidator(_private_file)]
Folder = Annotated[Path, AfterValidator(_folder)]
Command = Annotated[str, AfterValidator(_command)]
Credential = Annotated[str, AfterValidator(_credential)]
