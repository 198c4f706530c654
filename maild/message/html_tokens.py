"""HTML as a stream of tags and texts, read the way browsers do and in linear time.

No tree is built, so no nesting, however deep, costs anything. What browsers drop at the end of a broken document (a tag
that never ends) is kept as text here: a customer may have written it.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

# A tag with its end, where each quote in it stands right behind an equals sign, as nearly all do.
_HEAD: Final = re.compile(
    r"<(?:(/?)([a-zA-Z][^\s/>]*+)([^>\"'=]*+(?:=(?:\"[^\"]*+\"|'[^']*+')?[^>\"'=]*+)*+>)?|(!--)|[!?/])"
)
_STOP: Final = re.compile(r"[>\"']")
_COMMENT_END: Final = re.compile(r"--!?>")
_ATTRIBUTE: Final = re.compile(r"([^\s\"'<>/=]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+)))?")
_REMEMBERED_CHARACTERS: Final = 300
_RAW_END: Final = {
    name: re.compile(rf"</{name}(?=[\s/>])[^>]*>", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")
}


class Tag(NamedTuple):
    """A start or end tag; `attributes` is what stands behind its name, unread."""

    name: str  # lower case
    closes: bool
    attributes: str
    raw: str  # the text inside an element whose content is no HTML (`style`, `title`), "" for all others


def read(html: str) -> Iterator[Tag | str]:
    """Yield the tags of `html`, and the texts between them with their entities still in them."""
    at, end = 0, len(html)
    closed = {'"': True, "'": True} | dict.fromkeys(
        _RAW_END, True
    )  # False once it is known not to come again: keeps the scan linear
    while at < end:
        bracket = html.find("<", at)
        if bracket < 0:
            yield html[at:]
            return
        head = _HEAD.match(html, bracket)
        if head is None:  # "a < b"
            following = html.find("<", bracket + 1)
            following = end if following < 0 else following
            yield html[at:following]
            at = following
            continue
        if bracket > at:
            yield html[at:bracket]
        closes, name, rest, comment = head.groups()
        if name is None:
            at = _after_markup(html, bracket, bool(comment))
            continue
        stop = head.end() if rest else _tag_end(html, head.end(), closed)
        if stop < 0:
            yield html[bracket:]
            return
        name = name.lower()
        attributes = rest[:-1] if rest else html[head.end(2) : stop - 1]
        at = stop
        raw = ""
        if name in _RAW_END and not closes and closed[name]:
            finish = _RAW_END[name].search(html, stop)
            if finish:
                raw, at = html[stop : finish.start()], finish.end()
            else:
                closed[name] = False  # browsers would hide all the rest; here it is read as HTML
        yield Tag(name, bool(closes), attributes, raw)


def _after_markup(html: str, at: int, comment: bool) -> int:
    """Return the offset behind a comment, a declaration or other markup that is neither tag nor text."""
    if comment:
        if html.startswith(("<!-->", "<!--->"), at):
            return html.index(">", at) + 1
        finish = _COMMENT_END.search(html, at + 4)
        return finish.end() if finish else len(html)
    close = html.find(">", at)
    return len(html) if close < 0 else close + 1


def _tag_end(html: str, at: int, closed: dict[str, bool]) -> int:
    """Return the offset behind the tag whose attributes go on at `at`, -1 if it never ends."""
    while True:
        stop = _STOP.search(html, at)
        if stop is None:
            return -1
        mark = stop.group(0)
        at = stop.end()
        if mark == ">":
            return at
        # only a quote behind an equals sign quotes (HTML 13.2.5.37)
        if closed[mark] and html[max(0, at - 8) : at - 1].rstrip().endswith("="):
            other = html.find(mark, at)
            if other < 0:
                closed[mark] = False
            else:
                at = other + 1


def attributes(text: str) -> Mapping[str, str]:
    """Return the attributes of a tag, names in lower case; the first of two counts, as in browsers."""
    return _remembered(text) if len(text) <= _REMEMBERED_CHARACTERS else _attributes(text)


@lru_cache(maxsize=1_024)
def _remembered(text: str) -> Mapping[str, str]:
    """Return the same for a short text: within a mail, and among those of one program, most repeat themselves."""
    return _attributes(text)


def _attributes(text: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        found.setdefault(name.lower(), double or single or bare)
    return found
