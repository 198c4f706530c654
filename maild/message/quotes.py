"""What single lines of a mail are: empty, quoted or the author's, and lines that mail programs glued together.

`excerpt` gives each line one of these kinds
    e  empty          q  quoted                     s  signature
    t  the author's   a  announces a quote (`announcements`)

In doubt a line is the author's: a quote that stays is a blemish, a lost word is a fault.
"""

import re
from collections.abc import Sequence

from maild.message import phrases

LINE_SEEN = 400  # characters of a line that are looked at
EDGE = " \t*_\u200b\u200e\u200f\u202a\u202b\u202c\ufeff\xa0"  # what may stand around a line's words
DASHES = "-_=*~—–─━"

_BLANK = " \t\u200b\u200e\u200f\ufeff\xa0"
_RULES = "-_—–─━ "
#: The kind of a line by its first character, where that tells.
_KINDS = {chr(code): "t" for code in range(0x21, 0x7F)} | {">": "q", "": "e"}
_LINK_TAIL = re.compile(r"[\s(<]*https?://\S{1,300}\s?[>)]{0,2}\s?>\s*$")

#: What a text holds that quotes anything, each with its rarest character: looking for one is ten times as fast.
_TELLS = (
    (">", ("\n>", "\n >", "\n\t>", "\n\ufeff>")), ("#", ("##-",)), ("-", ("--",)), ("_", ("__",)), ("=", ("==",)),
    ("*", ("**",)), ("~", ("~~",)), (";", (";\n",)), ("—", ("——",)), ("–", ("––",)),
    ("─", ("──",)), ("━", ("━━",)), ("：", ("：",)),
)  # fmt: skip


def may_quote(text: str) -> bool:
    """Tell whether any line of `text` could be quoted or announce a quote; fast, because most texts hold none."""
    if text[:2].strip()[:1] == ">" or any(one in text and any(tell in text for tell in tells) for one, tells in _TELLS):
        return True
    at = text.find(":")
    while at >= 0:
        behind = text[at + 1 : at + 12].lstrip(EDGE)
        if not behind or behind[0] == "\n":
            return True
        start = max(text.rfind("\n", max(0, at - 60), at), at - 60)
        if text[start + 1 : at].strip(EDGE).casefold() in phrases.HEADS:
            return True
        at = text.find(":", at + 1)
    return False


def quoted(line: str) -> bool:
    """Tell whether `line` begins with a quote mark."""
    return line[:1] == ">" or (line[:1] in _BLANK and line.lstrip(_BLANK)[:1] == ">")


def kinds(lines: Sequence[str]) -> list[str]:
    """Return the first, line-wise kind of each line: e, q or t."""
    return [_KINDS.get(line[:1]) or _kind(line) for line in lines]


def _kind(line: str) -> str:
    if not line.strip(_BLANK):
        return "e"
    return "q" if quoted(line) else "t"


def is_rule(line: str) -> bool:
    """Tell whether `line` is nothing but dashes."""
    return len(line) <= LINE_SEEN and len(line.strip()) >= 3 and not line.strip().strip(_RULES)


def is_rest(above: str, line: str) -> bool:
    """Tell whether `line` is the rest of the quoted line `above`: of a link that was folded, of a soft line break."""
    if len(line) > LINE_SEEN or len(above) > LINE_SEEN:
        return False
    if above.endswith("=") and len(above) >= 70:  # quoted-printable that nobody decoded (RFC 2045 6.7)
        return True
    if _LINK_TAIL.match(line) and line.rstrip().endswith(">"):
        return True
    for opened, closed in ("()", "<>"):
        head = above.lstrip("> \t")
        at = head.rfind(opened)
        if at >= 0 and closed not in head[at:] and "//" in head[at:]:
            return " " not in line.strip() and line.rstrip().endswith(closed)
    return False
