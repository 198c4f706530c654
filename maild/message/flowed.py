"""text/plain with format=flowed (RFC 3676): soft line breaks undone, quote depth kept."""

import re
from typing import Final

_QUOTES: Final = re.compile(r">*")


def unflow(text: str, delsp: bool = False) -> str:
    """Return `text` with its flowed lines joined; `delsp` drops the space that marks a soft break (RFC 3676 4.2)."""
    out: list[str] = []
    open_depth = -1  # quote depth of the paragraph that goes on, -1 for none
    for line in text.split("\n"):
        depth = len(_QUOTES.match(line).group(0)) if line[:1] == ">" else 0  # type: ignore[union-attr]  # the pattern matches anything
        rest = line[depth:]
        if rest[:1] == " ":
            rest = rest[1:]  # RFC 3676 4.4: space-stuffing
        signature = rest == "-- "
        flows = rest[-1:] == " " and not signature
        if flows and delsp:
            rest = rest[:-1]
        if open_depth == depth and not signature:
            out[-1] += rest if len(out[-1]) < _LONGEST else "\n" + rest
        else:
            prefix = ">" * depth + " " if depth else ""
            out.append(prefix + rest if rest or not depth else ">" * depth)
        open_depth = depth if flows else -1
    return "\n".join(out)


_LONGEST: Final = 20_000  # a paragraph longer than this is no paragraph; also keeps joining linear

_COMMAND: Final = re.compile(r"<param>[^<]*</param>|<(?!<)/?[A-Za-z][A-Za-z0-9-]{0,59}>", re.IGNORECASE)
_BREAKS: Final = re.compile(r"\n+")


def unenrich(text: str) -> str:
    """Return text/enriched (RFC 1896) without its commands; a single line break is a space there."""
    text = _COMMAND.sub("", text).replace("<<", "<")
    return _BREAKS.sub(lambda found: "\n" * (len(found.group(0)) - 1) or " ", text)
