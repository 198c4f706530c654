"""An invitation (iCalendar, RFC 5545) as the few lines that a person needs, in no language."""

import re
from typing import Final

_FOLD: Final = re.compile(r"\r?\n[ \t]")
_LINE: Final = re.compile(r"([A-Za-z-]{1,40})((?:;[^:\"\n]*|;[^\"\n:]*\"[^\"\n]*\")*):([^\n]*)")
_MOMENT: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z?))?")
_ZONE: Final = re.compile(r"TZID=\"?([^;:\"]+)", re.IGNORECASE)
_ESCAPED: Final = re.compile(r"\\([\\;,nN])")
_CHARACTERS: Final = 1_000_000


def summary(source: str) -> str:
    """Return title, time, place and description of the first event of a calendar, "" if it has none."""
    found: dict[str, str] = {}
    inside = False
    for line in _FOLD.sub("", source[:_CHARACTERS]).split("\n"):
        match = _LINE.match(line)
        if not match:
            continue
        name, parameters, value = match.group(1).upper(), match.group(2), match.group(3).strip()
        if name in ("BEGIN", "END"):
            kind = value.upper()
            if name == "END" and kind in ("VEVENT", "VTODO"):
                break
            inside = (kind in ("VEVENT", "VTODO")) if name == "BEGIN" else kind == "VALARM"
        elif inside and name in ("DTSTART", "DTEND", "DUE"):
            found.setdefault(name, _moment(parameters, value))
        elif inside and name in ("SUMMARY", "LOCATION", "DESCRIPTION"):
            found.setdefault(
                name, _ESCAPED.sub(lambda one: "\n" if one.group(1) in "nN" else one.group(1), value).strip()
            )
    if not found:
        return ""
    start, end = found.get("DTSTART", ""), found.get("DTEND") or found.get("DUE", "")
    times = f"{start} - {end}" if start and end and start != end else start or end
    lines = [found.get("SUMMARY", ""), times, found.get("LOCATION", "")]
    text = "\n".join(line for line in lines if line)
    description = found.get("DESCRIPTION", "")
    return (f"{text}\n\n{description}" if description else text) + "\n"


def _moment(parameters: str, value: str) -> str:
    """Return a date or an instant as people write it, with its zone if it has one."""
    match = _MOMENT.match(value)
    if not match:
        return value[:40]
    year, month, day, hour, minute, _, utc = match.groups()
    if hour is None:
        return f"{year}-{month}-{day}"
    zone = _ZONE.search(parameters)
    name = " UTC" if utc else f" {zone.group(1)}" if zone else ""
    return f"{year}-{month}-{day} {hour}:{minute}{name}"
