"""An HTML body as lines, with what its structure says of each, so that the rules for text hold for HTML.

    lines of text  <-  text nodes between block ends and <br>, white space folded as a browser folds it
    marks          <-  the elements in which mail programs put quotes and signatures
    nodes          <-  where each line's text stands, so that what was decided of lines can be done to the HTML

The walk is a loop, not a recursion, and takes every node once.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maild.message import excerpt, signatures

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_BLOCKS = frozenset(
    """
    address|article|aside|blockquote|body|center|dd|div|dl|dt|fieldset|figure|footer|form|h1|h2|h3|h4|h5|h6|header|li|
    main|nav|ol|p|pre|section|table|tbody|tr|ul
    """.replace("\n", "")
    .replace(" ", "")
    .split("|")
)
_SKIPPED = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "object"})
_SPACE = re.compile(r"[ \t\r\n\f]+")

#: Classes and ids under which a mail program puts a quote (in lower case).
_CITES = re.compile(
    r"\b(?:yahoo_quoted|yahooquoted|protonmail_quote|tutanota_quote|zmail_extra|olk_src_body_section"
    r"|mail-editor-reference-message-container|replyblock|isforwardcontent|hmquote|mailru-quote|mailrucssquote|reply_quote"
    r"|skiptranslate_quote|ox-quote|cite-quote|wmquote|gwt-quote|mailcue_quote|quoted_history|freebirdquoted)\b"
)
#: ... and the line that announces one; people write into these elements, too.
_PREFIXES = re.compile(r"\b(?:gmail_attr|moz-cite-prefix)\b")
_BELOWS = re.compile(
    r"\b(?:divrplyfwdmsg|stopspelling|zwchr|x_divrplyfwdmsg|mail_android_quote|orig-?header|outlookmessageheader)\b"
)
_SIGNS = re.compile(
    r"\b(?:gmail_signature|moz-signature|ms-outlook-mobile-signature|protonmail_signature_block(?!-empty)|applemailsignature"
    r"|ymail_android_signature|bloop_sign|aqm-signature|messagesignaturesection|x_signature|signature)\b"
)
_OUTLOOK_RULE = re.compile(r"border-top:\s?(?:solid|[\d.]+p[tx] solid)|border-top-style:\s?solid")
_WHITE_SPACE = re.compile(r"white-space:\s{0,3}([a-z-]+)", re.IGNORECASE)
_INDENT = re.compile(r"border:\s?(?:none|0)|border-style:\s?none")


_PREFIX = "p"  # in the element of an attribution line
_ANNOUNCES = re.compile(r"[:：]\s*$|\d{1,2}[:.]\d{2}")


@dataclass(slots=True)
class Outline:
    """The lines of an HTML body."""

    lines: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    nodes: list[list["LexborNode"]] = field(default_factory=list)  # text nodes, images and rules of each line


class _Walk:
    """One pass over a tree."""

    def __init__(self) -> None:
        self.outline = Outline()
        self.text: list[str] = []
        self.nodes: list[LexborNode] = []
        self.mark = excerpt.PLAIN
        self.pre = False  # line ends in the text are line ends
        self.below = False

    def end_line(self) -> None:
        """End the present line, if there is anything on it."""
        if self.nodes:
            self._put("".join(self.text).strip())

    def _put(self, line: str) -> None:
        out = self.outline
        out.lines.append(line)
        out.marks.append(self.mark)
        if self.below and line:
            out.marks[-1] = excerpt.BELOW
            self.below = False
        out.nodes.append(self.nodes)
        self.text, self.nodes = [], []

    def run(self, root: "LexborNode") -> Outline:
        """Return the outline of all below `root`."""
        stack: list[tuple[LexborNode, tuple[str, bool] | None]] = [(root, None)]
        while stack:
            node, left = stack.pop()
            if left is not None:
                self.end_line()
                self.mark, self.pre = left
                continue
            tag = node.tag or ""
            if tag == "-text":
                self._text(node)
            elif tag == "br":
                self.nodes.append(node)
                self._put("".join(self.text).strip())
            elif tag in ("hr", "img"):
                self._object(node, tag)
            elif tag not in _SKIPPED and not tag.startswith(("-", "!")):
                self._enter(node, tag, stack)
        self.end_line()
        _settle(self.outline)
        return self.outline

    def _text(self, node: "LexborNode") -> None:
        text = node.text_content or ""
        if self.pre and "\n" in text:
            self._lines(node, text)
        elif text.strip():
            self._line_of(node, _SPACE.sub(" ", text))
        elif text and self.text:
            self.text.append(" ")

    def _lines(self, node: "LexborNode", text: str) -> None:
        """Take each line of a preformatted text for itself: the text node is parted into one for each."""
        pieces = text.split("\n")
        for piece in pieces[:-1]:
            node.insert_before(f"{piece}\n")
            self._line_of(node.prev, piece)
            self._put("".join(self.text).strip())
        if pieces[-1]:
            node.insert_before(pieces[-1])
            self._line_of(node.prev, pieces[-1])
        node.decompose()

    def _line_of(self, node: "LexborNode | None", text: str) -> None:
        self.text.append(text.replace("\xa0", " "))
        if node is not None:
            self.nodes.append(node)

    def _object(self, node: "LexborNode", tag: str) -> None:
        if tag == "hr":
            self.end_line()
            if _BELOWS.search((node.attributes.get("id") or "").lower()):
                self.below = True
            self.nodes.append(node)
            self._put("-" * 20)
        else:
            self.nodes.append(node)
            self.text.append(" [image] " if (node.attributes.get("src") or "").startswith("cid:") else " ")

    def _enter(self, node: "LexborNode", tag: str, stack: list[tuple["LexborNode", tuple[str, bool] | None]]) -> None:
        """Put the children of an element before what is still to be walked, and then its end."""
        mark, pre = self.mark, self.pre or tag == "pre"
        if node.attributes:
            mark = self._mark_of(node, tag)
            space = _WHITE_SPACE.search(node.attributes.get("style") or "")
            if space is not None:
                pre = space.group(1).lower() in ("pre", "pre-wrap", "pre-line", "break-spaces")
        elif tag == "blockquote" and mark == excerpt.PLAIN:
            mark = excerpt.QUOTED
        if tag in _BLOCKS or mark != self.mark or pre != self.pre:
            if tag in _BLOCKS or mark != self.mark:
                self.end_line()
            stack.append((node, (self.mark, self.pre)))
            self.mark, self.pre = mark, pre
            if tag == "p" and self.outline.lines and self.outline.lines[-1]:
                self._put("")
        child = node.last_child
        while child is not None:
            stack.append((child, None))
            child = child.prev

    def _mark_of(self, node: "LexborNode", tag: str) -> str:
        """Return what the attributes of an element say of the lines in it."""
        if self.mark == excerpt.CITED:
            return self.mark
        given = node.attributes
        name = f"{given.get('class') or ''} {given.get('id') or ''} {given.get('name') or ''}".lower()
        style = (given.get("style") or "").lower()
        if tag == "blockquote":
            if given.get("type") == "cite" or "gmail_quote" in name or given.get("cite"):
                return excerpt.CITED
            return self.mark if _INDENT.search(style) else self.mark or excerpt.QUOTED
        if len(name) > 2:
            if _CITES.search(name):
                return excerpt.CITED
            if _PREFIXES.search(name):
                return _PREFIX
            if _BELOWS.search(name):
                self.below = True
            elif self.mark == excerpt.PLAIN and _SIGNS.search(name):
                return excerpt.SIGNED
        if "border-top" in style and _OUTLOOK_RULE.search(style) and _is_header(node):
            self.below = True
        return self.mark


def _settle(outline: Outline) -> None:
    """Take back the marks of what stands in a signature's or an attribution's element but is the author's text.

    Seen in practice: whole mails written into Gmail's signature, an answer inside Thunderbird's prefix.
    """
    start = 0
    marks, size = outline.marks, len(outline.marks)
    while start < size:
        mark = marks[start]
        end = start + 1
        while end < size and marks[end] == mark:
            end += 1
        if mark == excerpt.SIGNED and not signatures.is_block(outline.lines[start:end]):
            marks[start:end] = [excerpt.PLAIN] * (end - start)
        elif mark == _PREFIX:
            while end > start and not outline.lines[end - 1]:
                end -= 1
            marks[start:end] = [excerpt.PLAIN] * (end - start)
            if end > start and _ANNOUNCES.search(outline.lines[end - 1][-200:]):
                marks[end - 1] = excerpt.CITED
        start = max(end, start + 1)


def _is_header(node: "LexborNode") -> bool:
    """Tell whether the element holds the rows of a quoted header: three bold words and an address or a year."""
    return len(node.css("b")) >= 3 and re.search(r"@|\b(?:19|20)\d\d\b", node.text(deep=True)[:2000]) is not None


def read(tree: "LexborHTMLParser") -> Outline:
    """Return the lines of a parsed HTML body."""
    return _Walk().run(tree.body) if tree.body is not None else Outline()


def keep(outline: Outline, kept: Sequence[bool]) -> None:
    """Take the lines that are not `kept` out of the tree that `outline` was read from, and what they leave empty."""
    for nodes, stays in zip(outline.nodes, kept, strict=True):
        if stays:
            continue
        for node in nodes:
            parent = node.parent
            node.decompose()
            while parent is not None and parent.child is None and parent.tag != "body":
                empty, parent = parent, parent.parent
                empty.decompose()


def trim(tree: "LexborHTMLParser") -> None:
    """Take from the end of the body what shows nothing: the frames of a quote that is gone, and the lines before it."""
    body = tree.body
    node = body
    while body is not None and node is not None:
        last = node.last_child
        if last is not None and (node.tag or "") not in _SKIPPED:
            node = last
        elif node.tag == "body" or _shows(node):
            return
        else:
            empty, node = node, node.parent
            empty.decompose()


def _shows(node: "LexborNode") -> bool:
    if node.tag == "-text":
        return bool((node.text_content or "").strip())
    return node.tag == "img"
