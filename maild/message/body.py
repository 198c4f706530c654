"""Which parts of a mail are its text, and which are files.

    multipart/alternative   the richest forms of one text: plain for `text`, HTML for `html`
    multipart/related       the first part (or `start`) is the text, the rest belong to it
    multipart/signed        the first part is the text, the second is shown as a file
    multipart/report        the first part is the text; what the machine adds are files
    any other multipart     its parts one after the other: texts without a file name are joined
    message/rfc822          a file, whatever is in it

A text with a file name or `attachment` is a file. uuencoded files in a plain text are taken out of it, and what
`winmail.dat` holds is listed in its place.
"""

import html as entities
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from maild.message import filename, flowed, html, uuencode
from maild.message.charset import decode
from maild.message.mime import Part

_BODIES: Final = ("text/plain", "text/html", "text/enriched", "text/richtext", "text/x-markdown", "text/markdown")


@dataclass(frozen=True)
class File:
    """An attachment, located."""

    name: str
    content_type: str
    inline: bool
    content_id: str
    load: Callable[[], bytes] = field(repr=False)


@dataclass(frozen=True)
class Body:
    """The text of a mail and its files."""

    text: str
    html: str
    html_only: bool
    files: tuple[File, ...]
    defects: tuple[str, ...]


@dataclass
class _Gathering:
    """What is found on the way through the tree."""

    bodies: list[tuple[Part | None, Part | None]] = field(default_factory=list)  # plain, HTML: two forms of one text
    files: list[tuple[Part, bool]] = field(default_factory=list)  # with: within multipart/related


def read(root: Part, fallback: str = "") -> Body:
    """Return the text and the files of the mail whose tree is `root`."""
    found = _Gathering()
    _gather(root, found, related=False)
    files: list[File] = []
    texts: list[str] = []
    htmls: list[str] = []
    plains = 0
    defects: list[str] = []
    for plain, rich in found.bodies:
        text = ""
        if plain is not None:
            text, extracted, defect = _plain(plain, fallback)
            files += extracted
            defects += [defect] * bool(defect)
            plains += 1
        source = ""
        if rich is not None:
            source, defect = rich.text(fallback)
            defects += [defect] * bool(defect)
        if not text.strip() and source:
            text = html.to_text(source)
        texts.append(text)
        htmls.append(source or _as_html(text))
    files += [_file(part, related) for part, related in found.files]
    rich_any = any(rich is not None for _, rich in found.bodies)
    return Body(
        "\n".join(
            text if text.endswith("\n") or index == len(texts) - 1 else text + "\n" for index, text in enumerate(texts)
        ),
        "\n".join(htmls) if rich_any else "",
        rich_any and not plains,
        tuple(files),
        tuple(defects),
    )


def _gather(part: Part, found: _Gathering, related: bool) -> None:
    """Sort `part` and what it frames into texts and files; as deep as `mime.DEPTH`."""
    if not part.is_multipart:
        if _is_text(part):
            found.bodies.append((None, part) if part.content_type == "text/html" else (part, None))
        else:
            found.files.append((part, related))
    elif part.content_type == "multipart/alternative":
        _alternative(part, found, related)
    elif part.content_type == "multipart/related":
        root = _root(part)
        _gather(root, found, related)
        for child in part.parts:
            if child is not root:
                _gather_file(child, found)
    elif part.content_type in ("multipart/signed", "multipart/report", "multipart/encrypted"):
        first = part.parts[0]
        if part.content_type == "multipart/encrypted":
            found.files.extend((child, related) for child in part.parts)
            return
        _gather(first, found, related)
        for child in part.parts[1:]:
            found.files.append((child, related))
    else:
        for child in part.parts:
            _gather(child, found, related)


def _gather_file(part: Part, found: _Gathering) -> None:
    """Take all leaves of `part` for files that belong to an HTML body."""
    if part.is_multipart:
        for child in part.parts:
            _gather_file(child, found)
    else:
        found.files.append((part, True))


def _is_text(part: Part) -> bool:
    if part.disposition == "attachment" or part.content_type not in _BODIES:
        return False
    return not part.name or (part.depth == 0 and part.disposition != "attachment" and not part.parts)


def _root(part: Part) -> Part:
    """Return the part of a multipart/related that the others belong to (RFC 2387 3.2)."""
    start = part.parameters.get("start", "").strip("<> ")
    if start:
        for child in part.parts:
            if child.content_id == start:
                return child
    wanted = part.parameters.get("type", "").lower() or "text/html"
    if not part.parts[0].is_multipart and part.parts[0].content_type not in (*_BODIES, wanted):
        return next((child for child in part.parts if child.content_type == wanted), part.parts[0])
    return part.parts[0]


def _alternative(part: Part, found: _Gathering, related: bool) -> None:
    """Take the plain and the HTML form of one text; whatever else is offered is a file."""
    inner = _Gathering()
    for child in part.parts:
        _gather(child, inner, related)
    plain = [one for one, _ in inner.bodies if one is not None]
    rich = [one for _, one in inner.bodies if one is not None]
    if len(plain) == 1 and len(rich) <= 1:
        found.bodies.append((plain[0], rich[0] if rich else None))
    elif plain or rich:
        # seen in practice: mixed bodies within one alternative; the first plain stands for the HTML parts
        found.bodies.append((plain[0] if plain else None, rich[0] if rich else None))
        found.bodies.extend((None, one) for one in rich[1:])
    found.files.extend(inner.files)


def _plain(part: Part, fallback: str) -> tuple[str, list[File], str]:
    """Return a plain text, the uuencoded files in it, and what was wrong with its charset."""
    files: list[File] = []
    content = part.content()
    if b"\nbegin " in content or content.startswith(b"begin "):
        keep: list[bytes] = []
        at = 0
        for one in uuencode.find(content):
            keep.append(content[at : one.start])
            at = one.end
            name = filename.safe(decode(one.name.strip(), "", part.parameters.get("charset", "")).text)
            files.append(File(name, "application/octet-stream", False, "", one.content))
        if files:
            keep.append(content[at:])
            text, defect = decode(b"".join(keep), part.parameters.get("charset", ""), fallback)
            return text.replace("\r\n", "\n"), files, defect
    text, defect = part.text(fallback)
    if part.parameters.get("format", "").lower() == "flowed":
        text = flowed.unflow(text, part.parameters.get("delsp", "").lower() == "yes")
    return text, files, defect


def _file(part: Part, related: bool) -> File:
    inline = related and bool(part.content_id) or part.disposition == "inline"
    return File(part.name, part.content_type, inline, part.content_id, partial(_content, part))


def _content(part: Part) -> bytes:
    return part.content()


def _as_html(text: str) -> str:
    """Return plain text as HTML, for a body that is partly HTML."""
    return f'<div style="white-space: pre-wrap">{entities.escape(text)}</div>' if text.strip() else ""
