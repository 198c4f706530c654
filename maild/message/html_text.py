"""HTML to the text that a person would read in it.

    links        text <https://...>, or the address alone where the text is the address
    quotes       "> " for each blockquote around a line
    lists        "- " and "1. ", indented
    tables       cells of one line in a row "a | b"; cells of more are set below each other, since most tables in
                 mails are layout
    images       [alternative text]
    hidden       dropped: display:none and what else newsletters hide their preview texts with

One pass over the tags; the state is a stack of what is open, as much of HTML's own rules (HTML 13.2.6) as mail needs.
"""

import html as entities
import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from maild.message import html_tokens
from maild.message.html_tokens import Tag

HTML_CHARACTERS: Final = 4_000_000
QUOTE_DEPTH: Final = 25  # deeper quotes are shown at this depth
TABLE_DEPTH: Final = 30  # deeper tables are read as if they were paragraphs
_URL_CHARACTERS: Final = 2_000

_SPACES: Final = re.compile(r"[ \t\r\n\f\u00a0\u2000-\u200a\u202f\u205f\u3000]+")
_FILLER: Final = re.compile(
    "[\u200b\ufeff\u034f\u00ad\u2060]+|(?<=[ \u00a0])[\u200c\u200d]+|[\u200c\u200d]+(?=[ \u00a0]|\\Z)"
)
_HIDDEN: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|(?<![a-z-])opacity\s*:\s*0(?:\.0+)?\s*(?:[;!]|\Z)"
    r"|max-height\s*:\s*0(?:px|em|pt|%)?\s*(?:[;!]|\Z)(?=.*overflow\s*:\s*hidden)"
    r"|overflow\s*:\s*hidden(?=.*max-height\s*:\s*0(?:px|em|pt|%)?\s*(?:[;!]|\Z))",
    re.IGNORECASE | re.DOTALL,
)
_FONT_SIZE: Final = re.compile(r"font-size\s*:\s*([0-9.]*)\s*([a-z%]*)", re.IGNORECASE)
_PRE: Final = re.compile(r"white-space\s*:\s*(pre|break-spaces)?", re.IGNORECASE)
_NO_MARGIN: Final = re.compile(r"margin(?:-bottom)?\s*:\s*0", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(?:https?|ftps?|mailto|tel|sms|news|xmpp|sip):", re.IGNORECASE)

_PARAGRAPHS: Final = frozenset(
    {
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "dl",
        "blockquote",
        "pre",
        "table",
        "fieldset",
        "figure",
        "listing",
        "xmp",
    }
)
_BLOCKS: Final = _PARAGRAPHS | {
    "address", "article", "aside", "body", "caption", "center", "dd", "details", "dir", "div", "dt", "figcaption", "footer", "form",
    "header", "html", "legend", "li", "main", "menu", "nav", "option", "section", "summary", "tbody", "td", "tfoot", "th", "thead", "tr",
}  # fmt: skip
_CLOSES_P: Final = _BLOCKS | {"hr"}
_UNREAD: Final = frozenset({"script", "style", "title", "iframe", "noembed", "noframes"})
_DROPPED: Final = frozenset(
    {"svg", "math", "object", "audio", "video", "template", "select", "datalist", "canvas", "map"}
)


class _State(NamedTuple):
    """What an element passes on to what is in it."""

    hidden: bool = False
    tiny: bool = False  # letters of no size: only what sets a size again is seen
    pre: bool = False
    quotes: int = 0
    indent: str = ""


@dataclass
class _Box:
    """What is being written: the body, or one cell of a table."""

    state: _State
    lines: list[tuple[int, str]] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    spaced: bool = True  # the line is empty or ends in white space
    gap: int = 0  # empty lines wanted before the next line
    bullet: str = ""
    stack: list[tuple[str, _State]] = field(default_factory=list)
    open: dict[str, int] = field(default_factory=dict)
    counters: list[int] = field(default_factory=list)  # of the lists that are open; -1 for those without numbers


@dataclass
class _Table:
    """A table that is being read; its cells are written into boxes of their own."""

    outer: _Box
    row: list[list[tuple[int, str]]] = field(default_factory=list)
    cell: _Box | None = None


@dataclass
class _Link:
    """A link whose text is being read."""

    url: str
    text: list[str] = field(default_factory=list)


def text_of(html: str) -> str:
    """Return the text of `html`, of which at most HTML_CHARACTERS are read."""
    reader = _Reader()
    for token in html_tokens.read(html[:HTML_CHARACTERS]):
        if isinstance(token, str):
            reader.text(token)
        else:
            reader.tag(token)
    return reader.finish()


class _Reader:
    """The one pass over the tokens."""

    def __init__(self) -> None:
        self.box = _Box(_State())
        self.tables: list[_Table] = []
        self.link: _Link | None = None

    # -- text ----------------------------------------------------------------------------------------------------

    def text(self, raw: str) -> None:
        """Write a text."""
        state = self.box.state
        if state.hidden or state.tiny:
            return
        text = entities.unescape(raw) if "&" in raw else raw
        if not text.isascii():
            text = _FILLER.sub("", text)
        if state.pre:
            for index, line in enumerate(text.replace("\r\n", "\n").split("\n")):
                if index:
                    self._break()
                self._write(line.replace("\u00a0", " "))
            return
        text = _SPACES.sub(" ", text)
        if self.box.spaced:
            text = text.lstrip(" ")
        if text:
            self._write(text)

    def _write(self, text: str) -> None:
        box = self.box
        if not text:
            return
        if box.gap and not box.line:
            self._blank()
        if box.bullet and not box.line:
            box.line.append(box.bullet)
            box.bullet = ""
        box.line.append(text)
        box.spaced = text[-1] == " "
        if self.link is not None:
            self.link.text.append(text)

    def _blank(self) -> None:
        """Set an empty line, unless one stands there or nothing does."""
        box = self.box
        box.gap = 0
        if box.lines and box.lines[-1][1]:
            depth = min(box.lines[-1][0], box.state.quotes)
            box.lines.append((depth, ""))

    def _end_line(self) -> None:
        """End the line that is being written, if there is anything on it."""
        box = self.box
        if box.line:
            text = "".join(box.line)
            box.lines.append((box.state.quotes, (box.state.indent + text).rstrip() if text.strip() else ""))
            box.line = []
        box.spaced = True

    def _break(self) -> None:
        """End the line, empty or not."""
        box = self.box
        if box.line:
            self._end_line()
        elif not box.gap:
            box.lines.append((box.state.quotes, ""))

    # -- tags ----------------------------------------------------------------------------------------------------

    def tag(self, tag: Tag) -> None:
        """Act on a tag."""
        name = tag.name
        if name in _UNREAD:
            return
        if name == "br":
            if not self.box.state.hidden:
                self._break()
        elif name in ("td", "th", "tr", "table", "tbody", "thead", "tfoot", "caption"):
            self._table_tag(tag)
        elif tag.closes:
            self._end(name)
        else:
            self._start(tag)

    def _start(self, tag: Tag) -> None:
        name = tag.name
        if name == "img":
            self._image(tag)
            return
        if name == "hr":
            self._separate(0)
            if not self.box.state.hidden:
                self.box.lines.append((self.box.state.quotes, "---"))
            return
        if name in _CLOSES_P and self.box.open.get("p"):
            self._pop("p")
        if name == "li":
            self._close_item()
        state = self.box.state
        given = html_tokens.attributes(tag.attributes) if "=" in tag.attributes or "hidden" in tag.attributes else {}
        if name in _BLOCKS:
            self._separate(self._gap(name, given))
        new = _styled(state, name, given)
        if name == "blockquote":
            new = new._replace(quotes=min(state.quotes + 1, QUOTE_DEPTH), indent="")
        elif name in ("ul", "ol", "dir", "menu"):
            new = new._replace(
                indent=state.indent + "  " if self.box.counters and len(state.indent) < 40 else state.indent
            )
            start = given.get("start", "")
            self.box.counters.append(
                (int(start) if start.isascii() and start.isdigit() and len(start) < 6 else 1) if name == "ol" else -1
            )
        elif name == "li":
            self._item()
        elif name == "a" and not state.hidden:
            self._end_link()
            url = entities.unescape(given.get("href", "")).strip()
            if _SCHEME.match(url) and not any(letter in url for letter in '<> \n\t"'):
                self.link = _Link(url[:_URL_CHARACTERS])
        if new != state or name in self.box.open or name in ("ul", "ol", "dir", "menu"):
            self.box.stack.append((name, state))
            self.box.open[name] = self.box.open.get(name, 0) + 1
            self.box.state = new

    def _end(self, name: str) -> None:
        if name == "a":
            self._end_link()
        if name in _BLOCKS:
            self._separate(1 if name in _PARAGRAPHS and not self._tight(name) else 0)
        if self.box.open.get(name):
            self._pop(name)

    def _pop(self, name: str) -> None:
        """Close what is open down to the innermost `name`."""
        box = self.box
        self._end_line() if name in _BLOCKS else None
        while box.stack:
            popped, box.state = box.stack.pop()
            left = box.open[popped] - 1
            if left:
                box.open[popped] = left
            else:
                del box.open[popped]
            if popped in ("ul", "ol", "dir", "menu") and box.counters:
                box.counters.pop()
            if popped == name:
                return

    def _close_item(self) -> None:
        """Close a list item that was left open (HTML 13.2.6.4.7)."""
        for popped, _ in reversed(self.box.stack):
            if popped == "li":
                self._pop("li")
                return
            if popped in ("ul", "ol", "dir", "menu"):
                return

    def _item(self) -> None:
        counters = self.box.counters
        if counters and counters[-1] >= 0:
            self.box.bullet = f"{counters[-1]}. "
            counters[-1] += 1
        else:
            self.box.bullet = "- "

    def _tight(self, name: str) -> bool:
        """Return whether a list within a list ends: no empty line there."""
        return name in ("ul", "ol") and len(self.box.counters) > 1

    def _gap(self, name: str, given: dict[str, str]) -> int:
        """Return how many empty lines an element sets before and after itself."""
        if name not in _PARAGRAPHS or (name in ("ul", "ol") and self.box.counters):
            return 0
        if name == "p" and ("mso" in given.get("class", "").lower() or _NO_MARGIN.search(given.get("style", ""))):
            return 0  # Outlook's lines are paragraphs without margins
        return 1

    def _separate(self, gap: int) -> None:
        if self.box.state.hidden:
            return
        self._end_line()
        self.box.gap = max(self.box.gap, gap)

    def _image(self, tag: Tag) -> None:
        given = html_tokens.attributes(tag.attributes)
        alternative = _SPACES.sub(" ", entities.unescape(given.get("alt", ""))).strip()
        if (
            not alternative
            or self.box.state.hidden
            or given.get("width", "") in ("0", "1")
            or _HIDDEN.search(given.get("style", ""))
        ):
            return
        self.text(entities.escape(f"[{alternative[:300]}]"))

    def _end_link(self) -> None:
        """Write the address of the link that ends, unless its text says it."""
        link, self.link = self.link, None
        if link is None or self.box.state.hidden:
            return
        text = "".join(link.text).strip()
        if _bare(text) == _bare(link.url):
            return
        box = self.box
        if box.line and box.line[-1].endswith(" "):
            box.line[-1] = box.line[-1].rstrip(" ")
            self._write(f" <{link.url}> ")
            return
        if not box.line and box.lines and text and not box.gap:
            self._write(f"<{link.url}>")
            return
        self._write(f" <{link.url}>" if box.line else f"<{link.url}>")

    # -- tables --------------------------------------------------------------------------------------------------

    def _table_tag(self, tag: Tag) -> None:
        name = tag.name
        if name == "table":
            if tag.closes:
                self._end_table()
            else:
                self._begin_table(tag)
            return
        if not self.tables:
            self._separate(0)
            return
        if name in ("td", "th"):
            self._end_cell()
            if not tag.closes:
                self._begin_cell(tag)
        else:
            self._end_cell()
            self._end_row()

    def _begin_table(self, tag: Tag) -> None:
        if self.box.open.get("p"):
            self._pop("p")
        self._separate(0)
        if len(self.tables) >= TABLE_DEPTH:
            return
        given = html_tokens.attributes(tag.attributes) if "=" in tag.attributes else {}
        self.tables.append(_Table(self.box))
        outer = self.box
        outer.stack.append(("table", outer.state))
        outer.open["table"] = outer.open.get("table", 0) + 1
        outer.state = _styled(outer.state, "table", given)

    def _end_table(self) -> None:
        if not self.tables:
            self._separate(0)
            return
        self._end_cell()
        self._end_row()
        table = self.tables.pop()
        self.box = table.outer
        if self.box.open.get("table"):
            self._pop("table")
        self._separate(0)

    def _begin_cell(self, tag: Tag) -> None:
        table = self.tables[-1]
        given = html_tokens.attributes(tag.attributes) if "=" in tag.attributes else {}
        inherited = table.outer.state._replace(indent="")
        table.cell = self.box = _Box(_styled(inherited, tag.name, given))

    def _end_cell(self) -> None:
        table = self.tables[-1]
        if table.cell is None:
            return
        self.box = table.cell
        self._end_line()
        lines = table.cell.lines
        while lines and not lines[-1][1]:
            lines.pop()
        table.row.append(lines)
        table.cell = None
        self.box = table.outer

    def _end_row(self) -> None:
        """Write the cells of a row: side by side if each is one line, else below each other."""
        table = self.tables[-1]
        cells = [cell for cell in table.row if any(line for _, line in cell)]
        table.row = []
        if not cells:
            return
        self._end_line()
        if self.box.gap:
            self._blank()
        out = self.box.lines
        if len(cells) > 1 and all(len(cell) == 1 and cell[0][0] == self.box.state.quotes for cell in cells):
            out.append((self.box.state.quotes, self.box.state.indent + " | ".join(cell[0][1] for cell in cells)))
            return
        for cell in cells:
            out.extend(cell)

    def finish(self) -> str:
        """Return the text."""
        self._end_link()
        while self.tables:
            self._end_table()
        self._end_line()
        out: list[str] = []
        blank = True
        for depth, line in self.box.lines:
            if not line and blank:
                continue
            blank = not line
            out.append(("> " * depth + line).rstrip())
        while out and not out[-1].strip("> "):
            out.pop()
        return "\n".join(out) + "\n" if out else ""


def _styled(state: _State, name: str, given: dict[str, str]) -> _State:
    """Return what an element with these attributes passes on."""
    if name in _DROPPED:
        return state._replace(hidden=True)
    if name in ("pre", "listing", "xmp", "textarea"):
        state = state._replace(pre=True)
    if not given:
        return state
    style = given.get("style", "")
    if style:
        style = entities.unescape(style)
        if _HIDDEN.search(style):
            return state._replace(hidden=True)
        size = _FONT_SIZE.search(style)
        if size and size.group(1):
            state = state._replace(tiny=_is_tiny(size.group(1), size.group(2).lower()))
        elif size:
            state = state._replace(tiny=False)
        pre = _PRE.search(style)
        if pre:
            state = state._replace(pre=bool(pre.group(1)))
    if "hidden" in given:
        return state._replace(hidden=True)
    return state


def _is_tiny(number: str, unit: str) -> bool:
    try:
        return float(number) <= (1 if unit in ("px", "pt", "") else 0)
    except ValueError:
        return False


def _bare(url: str) -> str:
    """Return an address as it is compared with the text of its link."""
    url = re.sub(r"\A(?:mailto|tel):|\Ahttps?://(?:www\.)?", "", url.strip().lower())
    return url.partition("?")[0].rstrip("/") if "@" in url else re.sub(r"\Awww\.", "", url).rstrip("/")
