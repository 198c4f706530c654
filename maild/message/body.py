"""Which parts of a mail are its text, and which are files.

    multipart/alternative   the richest forms of one text: plain for `text`, HTML for `html`
    multipart/related       the first part (or `start`) is the text, the rest belong to it
    multipart/signed        the first part is the text, the second is shown as a file
    multipart/report        the first part is the text; what the machine adds are files
    any other multipart     its parts one after the other: texts without a file name are joined
    message/rfc822          a file, whatever is in it

A text with a file name or `attachment` is a file. uuencoded files in a plain text are taken out of it, and what
`winmail.dat` holds is listed in its place. A mail without any text that brings an invitation shows what it invites to.
Signatures and encrypted parts (S/MIME, PGP) are files like any other: nothing is decrypted or verified here.
"""

import html as entities
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from maild.message import filename, flowed, html, invitation, mime, smime, tnef, uuencode
from maild.message.charset import decode
from maild.message.mime import Part

_BODIES: Final = ("text/plain", "text/html", "text/enriched", "text/richtext", "text/x-markdown", "text/markdown")
_NO_BODIES: Final = (
    "text/calendar",
    "text/x-vcalendar",
    "text/vcard",
    "text/x-vcard",
    "text/directory",
    "text/csv",
    "text/rfc822-headers",
    "text/css",
)
_FURTHER_FORMS: Final = (
    "text/x-amp-html",
    "text/watch-html",
    "text/enriched",
    "text/richtext",
    "text/rtf",
    "application/rtf",
)
_TNEF: Final = ("application/ms-tnef", "application/vnd.ms-tnef", "application/x-tnef")
_SIGNED: Final = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_SOURCE: Final = re.compile(r"\s*(?:<!doctype html|<html[\s>])", re.IGNORECASE)
_STUB_CHARACTERS: Final = 300
_SAME: Final = 0.8  # a greater share of common words, and two texts are one


@dataclass(frozen=True)
class File:
    """An attachment, located."""

    name: str
    content_type: str
    inline: bool
    content_id: str
    load: Callable[[], bytes] = field(repr=False)
    size: Callable[[], int] | None = field(default=None, repr=False)  # where that is cheaper


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

    bodies: list[tuple[list[Part], list[Part]]] = field(default_factory=list)  # plain, HTML: two forms of one text
    files: list[tuple[Part, bool]] = field(default_factory=list)  # with: within multipart/related


def read(root: Part, fallback: str = "") -> Body:
    """Return the text and the files of the mail whose tree is `root`."""
    found = _Gathering()
    _gather(root, found, related=False)
    if not found.bodies:  # a text with a file name, and nothing else to read: it is shown as well as listed
        named = (part for part, _ in found.files if part.content_type in _BODIES and part.disposition != "attachment")
        for part in itertools.islice(named, 1):
            _take(part, found)
    texts: list[str] = []
    sources: list[str] = []
    files: list[File] = []
    defects: list[str] = []
    for plain, rich in found.bodies:
        text, source, extracted = _forms(plain, rich, fallback, defects)
        texts.append(text)
        sources.append(source)
        files += extracted
    _merge_doubles(found.bodies, texts)
    for part, related in found.files:
        _list(part, related, texts, sources, files)
    text = _joined(texts)
    if not text.strip():
        offered = next((part for part, _ in found.files if part.content_type == "text/calendar"), None)
        text = invitation.summary(offered.text(fallback).text) if offered else text
    rich_any = any(sources)
    return Body(
        text,
        "\n".join(source or _as_html(text) for text, source in zip(texts, sources, strict=True)) if rich_any else "",
        rich_any and not any(plain for plain, _ in found.bodies),
        tuple(files),
        tuple(defects),
    )


def _merge_doubles(bodies: list[tuple[list[Part], list[Part]]], texts: list[str]) -> None:
    """Take a text that stands twice, plain and then as HTML, for two forms of one: some senders call that mixed."""
    for index in range(1, len(texts)):
        (plain, rich), (more_plain, more_rich) = bodies[index - 1], bodies[index]
        if plain and more_rich and not rich and not more_plain:
            words, again = texts[index - 1].split(), texts[index].split()
            if len(words) < 2 * len(again) and len(again) < 2 * len(words):
                known = frozenset(words)
                if sum(word in known for word in again) > _SAME * len(again):
                    texts[index - 1], texts[index] = "", texts[index - 1]


def _joined(texts: list[str]) -> str:
    """Return the texts below each other, each beginning a line."""
    said = [text for text in texts if text]
    if len(said) == 1:
        return said[0]
    return "\n".join(text if text.endswith("\n") or text is said[-1] else text + "\n" for text in said)


def _forms(plain: list[Part], rich: list[Part], fallback: str, defects: list[str]) -> tuple[str, str, list[File]]:
    """Return one text of the mail, its HTML source, and the files that stood in it."""
    files: list[File] = []
    texts = [_plain(part, fallback, files, defects) for part in plain]
    text = _joined(texts)
    if not rich:
        # seen in practice: HTML that says it is plain
        return (html.to_text(text), text, files) if _SOURCE.match(text) else (text, "", files)
    sources = [part.text(fallback) for part in rich]
    defects += [defect for _, defect in sources if defect]
    source = "\n".join(one for one, _ in sources)
    if not text.strip():
        return html.to_text(source), source, files
    if len(text) < _STUB_CHARACTERS and len(source) > 10 * len(text):
        shown = html.to_text(source)
        if _is_stub(text, shown):
            return shown, source, files
    return text, source, files


def _is_stub(text: str, shown: str) -> bool:
    """Return whether a plain form only says that there is an HTML form: most of its words do not occur in that one."""
    words = text.lower().split()
    known = set(shown.lower().split())
    return len(words) > 2 and len(shown) > 2 * len(text) and sum(word in known for word in words) < len(words) / 2


def _list(part: Part, related: bool, texts: list[str], sources: list[str], files: list[File]) -> None:
    """List a file; of a `winmail.dat`, list what is in it, and show its text where the mail has none."""
    name = part.name
    if part.content_type in _TNEF or name.lower() in ("winmail.dat", "win.dat"):
        contents = tnef.read(part.content())
        if contents is not None:
            unsaid = not any(text.strip() for text in texts)
            if unsaid and (contents.text.strip() or contents.html.strip()):
                texts.append(contents.text if contents.text.strip() else html.to_text(contents.html))
                sources.append(contents.html)
            files += [
                File(one.name, one.content_type, bool(one.content_id), one.content_id, partial(_whole, one.content))
                for one in contents.files
            ]
            if contents.files or not unsaid or texts:
                return
    inline = (related and bool(part.content_id)) or part.disposition == "inline"
    files.append(File(name, part.content_type, inline, part.content_id, part.content, part.size_bytes))


def _whole(content: bytes) -> bytes:
    return content


def _gather(part: Part, found: _Gathering, related: bool) -> None:
    """Sort `part` and what it frames into texts and files; as deep as `mime.DEPTH`."""
    if not part.is_multipart:
        if _is_text(part):
            _take(part, found)
        else:
            found.files.append((part, related))
            if part.content_type in _SIGNED and part.depth < mime.DEPTH:
                _gather_signed(part, found)
    elif part.content_type == "multipart/alternative":
        _alternative(part, found, related)
    elif part.content_type == "multipart/related":
        root = _root(part)
        _gather(root, found, related)
        for child in part.parts:
            if child is not root:
                _gather_file(child, found)
    elif part.content_type in ("multipart/signed", "multipart/report", "multipart/encrypted"):
        texts = 0 if part.content_type == "multipart/encrypted" else 1  # the first part; of an encrypted mail none
        for child in part.parts[:texts]:
            _gather(child, found, related)
        found.files.extend((child, related) for child in part.parts[texts:])
    else:
        for child in part.parts:
            _gather(child, found, related)


def _gather_signed(part: Part, found: _Gathering) -> None:
    """Take the mail that an opaque signature wraps for what it is; the signature itself stays listed as a file."""
    if part.parameters.get("smime-type", "signed-data").lower() == "signed-data":
        content = smime.content(part.content())
        if content is not None:
            _gather(mime.read(content, depth=part.depth + 1), found, related=False)


def _take(part: Part, found: _Gathering) -> None:
    found.bodies.append(([], [part]) if part.content_type == "text/html" else ([part], []))


def _gather_file(part: Part, found: _Gathering) -> None:
    """Take all leaves of `part` for files that belong to an HTML body."""
    if part.is_multipart:
        for child in part.parts:
            _gather_file(child, found)
    else:
        found.files.append((part, True))


def _is_text(part: Part) -> bool:
    kind = part.content_type
    if part.disposition == "attachment":
        return False
    if kind.startswith("multipart/"):
        return True  # one in which no delimiter was found: what it holds can only be read as text
    if part.depth == 0:
        return kind.startswith("text/") and kind not in _NO_BODIES
    return kind in _BODIES and not part.name


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
        if child.content_type in ("text/plain", "text/html") and child.disposition != "attachment":
            _take(child, inner)  # a file name means nothing on a form of the text
        else:
            _gather(child, inner, related)
    plain = [one for ones, _ in inner.bodies for one in ones]
    rich = [one for _, ones in inner.bodies for one in ones]
    if plain or rich:
        best = [one for one in plain if one.content_type not in _FURTHER_FORMS] or ([] if rich else plain)
        found.bodies.append((best, rich))
    found.files.extend(one for one in inner.files if one[0].content_type not in _FURTHER_FORMS)


def _plain(part: Part, fallback: str, files: list[File], defects: list[str]) -> str:
    """Return a plain text; the files that are uuencoded in it go to `files`."""
    content = part.content()
    if uuencode.may_hold(content):
        content = _without_files(part, content, files)
    text, defect = part.decode(content, fallback)
    defects += [defect] * bool(defect)
    if part.content_type in ("text/enriched", "text/richtext"):
        return flowed.unenrich(text)
    if part.parameters.get("format", "").lower() == "flowed":
        return flowed.unflow(text, part.parameters.get("delsp", "").lower() == "yes")
    return text


def _without_files(part: Part, content: bytes, files: list[File]) -> bytes:
    """Return `content` without its uuencoded files, which go to `files`."""
    kept: list[bytes] = []
    at = 0
    for one in uuencode.find(content):
        kept.append(content[at : one.start])
        at = one.end
        name = filename.safe(decode(one.name.strip(), "", part.parameters.get("charset", "")).text)
        files.append(File(name, "application/octet-stream", False, "", one.content))
    return b"".join([*kept, content[at:]])


def _as_html(text: str) -> str:
    """Return plain text as HTML, for a body that is partly HTML."""
    return f'<div style="white-space: pre-wrap">{entities.escape(text)}</div>' if text.strip() else ""
