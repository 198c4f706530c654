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
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from maild.message import html_tokens
from maild.message.html_lines import LISTS, Box, collapsed
from maild.message.html_style import HIDDEN, State, styled
from maild.message.html_tokens import Tag

HTML_CHARACTERS: Final = 4_000_000
QUOTE_DEPTH: Final = 25  # deeper quotes are shown at this depth
TABLE_DEPTH: Final = 30  # deeper tables are read as if they were paragraphs
_URL_CHARACTERS: Final = 2_000
_ROW_CHARACTERS: Final = 300  # cells are set side by side in a row of up to so many
_ALTERNATIVE_CHARACTERS: Final = 300

_FILLER: Final = re.compile(
    "[\u200b\ufeff\u034f\u00ad\u2060]+|(?<=[ \u00a0])[\u200c\u200d]+|[\u200c\u200d]+(?=[ \u00a0]|\\Z)"
)
_NO_MARGIN: Final = re.compile(r"margin(?:-bottom)?\s*:\s*0", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(?:https?|ftps?|mailto|tel|sms|news|xmpp|sip):", re.IGNORECASE)

_PARAGRAPHS: Final = frozenset(
    ("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "blockquote", "pre", "table", "fieldset", "figure",
     "listing", "xmp")
)  # fmt: skip
_BLOCKS: Final = _PARAGRAPHS | frozenset(
    ("address", "article", "aside", "body", "caption", "center", "dd", "details", "dir", "div", "dt", "figcaption",
     "footer", "form", "header", "html", "legend", "li", "main", "menu", "nav", "option", "section", "summary", "tbody",
     "td", "tfoot", "th", "thead", "tr")
)  # fmt: skip
_TABLE: Final = frozenset(("table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"))
_UNREAD: Final = frozenset(("script", "style", "title", "iframe", "noembed", "noframes"))


@dataclass
class _Table:
    """A table that is being read; its cells are written into boxes of their own."""

    outer: Box
    row: list[list[tuple[int, str]]] = field(default_factory=list)
    cell: Box | None = None


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
        self.box = Box(State())
        self.tables: list[_Table] = []
        self.link: _Link | None = None
        self.last_url = ""  # a banner cut into pictures repeats its address

    def text(self, raw: str) -> None:
        """Write a text."""
        if self.box.state.hidden or self.box.state.tiny:
            return
        text = entities.unescape(raw) if "&" in raw else raw
        written = self.box.write(text if text.isascii() else _FILLER.sub("", text))
        if self.link is not None:
            self.link.text.append(written)

    def tag(self, tag: Tag) -> None:
        """Act on a tag."""
        name = tag.name
        if name in _UNREAD:
            return
        if name == "br":
            if not self.box.state.hidden:
                self.box.end_line(empty=True)
        elif name in _TABLE:
            self._table_tag(tag)
        elif tag.closes:
            self._end(name)
        elif name == "img":
            self._image(tag)
        elif name == "hr":
            self._separate(0)
            if not self.box.state.hidden:
                self.box.place([(self.box.state.quotes, "---")])
        else:
            self._start(name, _given(tag))

    def finish(self) -> str:
        """Return the text."""
        self._end_link()
        while self.tables:
            self._end_table()
        return self.box.text()

    # Elements

    def _start(self, name: str, given: Mapping[str, str]) -> None:
        box = self.box
        if name in _BLOCKS:
            if "p" in box.open:
                self._pop("p")
            if name == "li":
                self._close_item()
            gap = self._gap(name, given)
            box.tight = name == "p" and not gap
            self._separate(gap)
        new = styled(box.state, name, given)
        if name == "blockquote":
            new = new._replace(quotes=min(new.quotes + 1, QUOTE_DEPTH), indent="")
        elif name in LISTS:
            if box.counters and len(new.indent) < 40:
                new = new._replace(indent=new.indent + "  ")
            box.counters.append(_first_number(given.get("start", "")) if name == "ol" else -1)
        elif name == "li":
            box.count_item()
        elif name == "a" and not new.hidden:
            self._end_link()
            url = entities.unescape(given.get("href", "")).strip()
            if _SCHEME.match(url) and not any(letter in url for letter in '<> \n\t"'):
                self.link = _Link(url[:_URL_CHARACTERS])
        if new != box.state or name in box.open or name in LISTS:
            box.enter(name, new)

    def _end(self, name: str) -> None:
        if name == "a":
            self._end_link()
        if name in _BLOCKS:
            self._separate(1 if name in _PARAGRAPHS and not self._is_tight(name) else 0)
        if name in self.box.open:
            self._pop(name)

    def _pop(self, name: str) -> None:
        """Close what is open down to the innermost `name`."""
        if name in _BLOCKS:
            self.box.end_line()
        self.box.leave(name)

    def _close_item(self) -> None:
        """Close a list item that was left open (HTML 13.2.6.4.7)."""
        for name, _ in reversed(self.box.stack):
            if name == "li":
                self._pop("li")
                return
            if name in LISTS:
                return

    def _gap(self, name: str, given: Mapping[str, str]) -> int:
        """Return how many empty lines an element sets before itself."""
        if name not in _PARAGRAPHS or (name in LISTS and self.box.counters):
            return 0
        if name == "p" and ("mso" in given.get("class", "").lower() or _NO_MARGIN.search(given.get("style", ""))):
            return 0  # Outlook's lines are paragraphs without margins
        return 1

    def _is_tight(self, name: str) -> bool:
        """Return whether no empty line follows the end of `name`: a list in a list, a paragraph without margins."""
        return len(self.box.counters) > 1 if name in LISTS else name == "p" and self.box.tight

    def _separate(self, gap: int) -> None:
        if not self.box.state.hidden:
            self.box.separate(gap)

    # Images and links

    def _image(self, tag: Tag) -> None:
        given = _given(tag)
        alternative = collapsed(entities.unescape(given.get("alt", ""))).strip()
        if alternative and given.get("width") not in ("0", "1") and not HIDDEN.search(given.get("style", "")):
            self.text(entities.escape(f"[{alternative[:_ALTERNATIVE_CHARACTERS]}]"))

    def _end_link(self) -> None:
        """Write the address of the link that ends, unless its text says it."""
        link, self.link = self.link, None
        if link is None or self.box.state.hidden:
            return
        text = "".join(link.text).strip()
        if _bare(text) == _bare(link.url) or (not text and link.url == self.last_url):
            return
        self.last_url = link.url
        line = self.box.line
        ends_in_space = bool(line) and line[-1].endswith(" ")
        if ends_in_space:
            line[-1] = line[-1].rstrip(" ")
        self.box.write(f"{' ' if line else ''}<{link.url}>{' ' if ends_in_space else ''}")

    # Tables

    def _table_tag(self, tag: Tag) -> None:
        name = tag.name
        if name == "table":
            if tag.closes:
                self._end_table()
            else:
                self._begin_table(tag)
        elif not self.tables:
            self._separate(0)
        else:
            self._end_cell()
            if name not in ("td", "th"):
                self._end_row()
            elif not tag.closes:
                outer = self.tables[-1].outer.state._replace(indent="")
                self.tables[-1].cell = self.box = Box(styled(outer, name, _given(tag)))

    def _begin_table(self, tag: Tag) -> None:
        if "p" in self.box.open:
            self._pop("p")
        self._separate(0)
        if len(self.tables) < TABLE_DEPTH:
            self.tables.append(_Table(self.box))
            self.box.enter("table", styled(self.box.state, "table", _given(tag)))

    def _end_table(self) -> None:
        if self.tables:
            self._end_cell()
            self._end_row()
            self.box = self.tables.pop().outer
            if "table" in self.box.open:
                self._pop("table")
        self._separate(0)

    def _end_cell(self) -> None:
        table = self.tables[-1]
        if table.cell is not None:
            table.cell.end_line()
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
        depth = self.box.state.quotes
        row = " | ".join(cell[0][1] for cell in cells) if all(len(cell) == 1 for cell in cells) else ""
        if row and len(row) <= _ROW_CHARACTERS and all(cell[0][0] == depth for cell in cells):
            self.box.place([(depth, self.box.state.indent + row)])
        elif cells:
            self.box.place([line for cell in cells for line in cell])


def _given(tag: Tag) -> Mapping[str, str]:
    """Return the attributes of `tag`; most have none that matter."""
    text = tag.attributes
    return html_tokens.attributes(text) if "=" in text or "hidden" in text else {}


def _first_number(start: str) -> int:
    return int(start) if start.isascii() and start.isdigit() and len(start) < 6 else 1


def _bare(url: str) -> str:
    """Return an address as it is compared with the text of its link."""
    bare = re.sub(r"\A(?:(?:mailto|tel):|https?://)?(?:www\.)?", "", url.strip().lower())
    return bare.partition("?")[0].rstrip("/") if "@" in bare else bare.rstrip("/")
