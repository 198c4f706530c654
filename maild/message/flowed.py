"""text/plain with format=flowed (RFC 3676): soft line breaks undone, quote depth kept."""

import re
from typing import Final

_DEPTH: Final = re.compile(r">*")


def unflow(text: str, delsp: bool = False) -> str:
    """Return `text` with its flowed lines joined; `delsp` drops the space that marks a soft break (RFC 3676 4.2)."""
    out: list[str] = []
    ongoing = -1  # quote depth of the paragraph that goes on, -1 for none
    for line in text.split("\n"):
        depth = _DEPTH.match(line).end() if line[:1] == ">" else 0  # type: ignore[union-attr]  # the pattern matches anything
        rest = line[depth:]
        if rest[:1] == " ":
            rest = rest[1:]  # RFC 3676 4.4: space-stuffing
        signature = rest == "-- "  # RFC 3676 4.3: never flowed
        if ongoing != depth or signature:
            out.append("\n" + ("> " * depth).rstrip() + " " if depth and rest else "\n" + ("> " * depth).rstrip())
        flows = rest[-1:] == " " and not signature
        out.append(rest[:-1] if flows and delsp else rest)
        ongoing = depth if flows else -1
    return "".join(out)[1:]


_COMMAND: Final = re.compile(r"<<|<param>[^<]*</param>|</?[A-Za-z][A-Za-z0-9-]{0,59}>", re.IGNORECASE)
_BREAKS: Final = re.compile(r"\n+")


def unenrich(text: str) -> str:
    """Return text/enriched (RFC 1896) without its commands; a single line break is a space there."""
    text = _COMMAND.sub(lambda found: "<" if found.group(0) == "<<" else "", text)
    return _BREAKS.sub(lambda found: "\n" * (len(found.group(0)) - 1) or " ", text)
