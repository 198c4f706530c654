"""HTML bodies: their text, and a clean form of them that may be passed on.

Every tree builder of the world takes quadratic time or worse on some nesting (50,000 open elements cost lexbor 3 s and
nh3 4 s, formatting elements that are never closed multiply). `is_tame` tells beforehand, in linear time; what
is not tame is never given to one.
"""

import html as entities
import re
from typing import Final

from maild.message import html_tokens
from maild.message.html_text import HTML_CHARACTERS, text_of

DEPTH: Final = 400  # of open elements; real mails stay below 100
_WORK: Final = 3_000_000  # elements that a tree builder would visit or make, roughly
_ENTITIES_WORK: Final = 50_000_000_000  # entities times characters of the text they stand in: 0.3 s

_VOID: Final = frozenset(
    ("area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link",
     "meta", "param", "source", "track", "wbr")
)  # fmt: skip
_FORMATTING: Final = frozenset(
    {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"}
)
_IMPLIED: Final = frozenset(
    ("body", "colgroup", "dd", "dt", "head", "html", "li", "optgroup", "option", "p", "tbody", "td", "tfoot", "th",
     "thead", "tr")
)  # fmt: skip

_TAGS: Final = frozenset(
    ("a", "abbr", "acronym", "address", "article", "aside", "b", "bdi", "bdo", "big", "blockquote", "br", "caption",
     "center", "cite", "code", "col", "colgroup", "dd", "del", "details", "dfn", "dir", "div", "dl", "dt", "em",
     "figcaption", "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "img", "ins",
     "kbd", "label", "li", "main", "mark", "menu", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "section",
     "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
     "time", "tr", "tt", "u", "ul", "var", "wbr")
)  # fmt: skip
_DROPPED_WHOLE: Final = frozenset(
    ("audio", "canvas", "iframe", "math", "noembed", "noframes", "object", "script", "select", "style", "svg",
     "template", "textarea", "title", "video", "xml")
)  # fmt: skip
_ATTRIBUTES: Final = {
    "*": {"dir", "lang", "style", "align", "valign", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height", "border"},
    "blockquote": {"type"},
    "font": {"color", "face", "size"},
    "ol": {"start", "type"},
    "li": {"value"},
    "table": {"border", "cellpadding", "cellspacing", "width", "height", "bgcolor", "summary"},
    "tr": {"bgcolor", "height"},
    "td": {"colspan", "rowspan", "width", "height", "bgcolor", "nowrap"},
    "th": {"colspan", "rowspan", "width", "height", "bgcolor", "nowrap", "scope"},
    "col": {"span", "width"},
    "colgroup": {"span", "width"},
    "hr": {"size", "width", "color", "noshade"},
    "time": {"datetime"},
}
# Properties that can neither load anything nor cover what is around the mail.
_STYLES: Final = frozenset(
    ("background-color", "border", "border-bottom", "border-bottom-color", "border-bottom-style",
     "border-bottom-width", "border-collapse", "border-color", "border-left", "border-left-color", "border-left-style",
     "border-left-width", "border-radius", "border-right", "border-right-color", "border-right-style",
     "border-right-width", "border-spacing", "border-style", "border-top", "border-top-color", "border-top-style",
     "border-top-width", "border-width", "caption-side", "clear", "color", "direction", "display", "empty-cells",
     "float", "font", "font-family", "font-size", "font-style", "font-variant", "font-weight", "height",
     "letter-spacing", "line-height", "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right",
     "margin-top", "max-height", "max-width", "min-height", "min-width", "opacity", "overflow", "overflow-wrap",
     "padding", "padding-bottom", "padding-left", "padding-right", "padding-top", "table-layout", "text-align",
     "text-decoration", "text-indent", "text-transform", "unicode-bidi", "vertical-align", "visibility", "white-space",
     "width", "word-break", "word-spacing", "word-wrap")
)  # fmt: skip
_LINK: Final = re.compile(r"\s*(?:https?|mailto|tel|cid):", re.IGNORECASE)
# What loads, runs, hides its meaning, or moves its element out of its place.
_HARMFUL_STYLE: Final = re.compile(
    r"url\s*\(|expression|image|@|\\|/\*|script|behaviou?r|binding|(?:margin|indent)[a-z-]*\s*:[^;]*-\s*[\d.]",
    re.IGNORECASE,
)


def to_text(html: str) -> str:
    """Return the text of an HTML body: links, quote depth, lists, tables; without what is hidden. Linear."""
    return text_of(html)


def is_tame(html: str) -> bool:
    """Return whether a tree builder can be given `html`: neither too long nor too deep, and nothing multiplies."""
    if len(html) > HTML_CHARACTERS:
        return False
    open_: dict[str, int] = {}
    depth = formatting = work = entities_work = 0
    for token in html_tokens.read(html):
        if isinstance(token, str):
            entities_work += token.count("&") * len(token)  # each entity moves the text that stands before it
            if entities_work > _ENTITIES_WORK:
                return False
            continue
        if token.name in _VOID:
            continue
        name = token.name
        if token.closes:
            if open_.get(name):
                open_[name] -= 1
                depth -= 1
                formatting -= name in _FORMATTING
        else:
            work += 1 + formatting + depth // 8
            if name not in _IMPLIED:
                open_[name] = open_.get(name, 0) + 1
                depth += 1
                formatting += name in _FORMATTING
            if depth > DEPTH or work > _WORK:
                return False
    return True


def _stripped(html: str) -> str:
    """Return the bare text of HTML that is not tame, each element on a line of its own."""
    texts = (entities.unescape(token) for token in html_tokens.read(html[:HTML_CHARACTERS]) if isinstance(token, str))
    return "\n".join(line for text in texts if (line := " ".join(text.split())))


def _as_outlook_shows(html: str) -> str:
    """Return `html` with what Outlook's style sheet says of its paragraphs said by themselves: no room between them.

    The style sheet goes, and without it each line of a letter would stand by itself.
    """
    return _OUTLOOKS.sub(_close, html) if "Mso" in html else html


def _close(found: re.Match[str]) -> str:
    given = found[0]
    if _STYLE.search(given):
        return _STYLE.sub(lambda match: f"{match[0]}margin:0;", given, count=1)
    return f'{given[:-1].rstrip("/")} style="margin:0">'


_OUTLOOKS: Final = re.compile(
    r"<p(?=\s)(?=[^<>]{0,300}?\sclass=[\"']?(?:MsoNormal|MsoPlainText|MsoNoSpacing)(?![\w-]))[^<>]{1,900}>",
    re.IGNORECASE,
)
_STYLE: Final = re.compile(r"\sstyle=[\"']", re.IGNORECASE)


def clean(html: str, remote_images: bool = False) -> str:
    """Return `html` as it may be shown and passed on.

    No scripts, styles sheets, forms, frames or foreign content; links to the web, to mail and telephone; images by
    `cid:`, and from the web only with `remote_images`, since they tell their sender who read the mail and when.
    """
    if not html.strip():
        return ""
    if not is_tame(html):
        return f'<div style="white-space:pre-wrap">{entities.escape(_stripped(html))}</div>'
    import nh3  # noqa: PLC0415 (a compiled library that plain mails never need)

    def kept(tag: str, attribute: str, value: str) -> str | None:
        if attribute == "style":
            return None if _HARMFUL_STYLE.search(value) else value
        if attribute == "href":  # in a mail there is nothing that a relative link could be relative to
            return value if _LINK.match(value) else None
        if tag == "img" and attribute == "src":
            scheme = value.strip().partition(":")[0].lower()
            return value if scheme == "cid" or (remote_images and scheme in ("http", "https")) else None
        return value

    cleaned = nh3.clean(
        _as_outlook_shows(html),
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED_WHOLE),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=kept,
        url_schemes={"http", "https", "mailto", "tel", "cid"},
        filter_style_properties=set(_STYLES),
        link_rel="noopener noreferrer",
        strip_comments=True,
    )
    return cleaned if cleaned.strip() else ""
