"""The MIME skeleton of outgoing mail (RFC 2045, 2046).

    multipart/mixed              if there are attachments
      multipart/related          if the HTML shows inline files (RFC 2387)
        multipart/alternative    if there is HTML
          text/plain
          text/html
        image/png                shown as cid:...
      application/pdf

Everything but plain ASCII text is encoded, so that a mail is 7-bit from end to end and no server on the way has a
reason to rewrite it (signatures of DKIM survive). The boundary begins with "=_", which neither base64 nor
quoted-printable can contain (RFC 2045 6.7), and is looked for in the parts that stand unencoded.
"""

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Final

from maild.message.compose import fields

_BLOCK_BYTES: Final = 57 * 4_096  # whole lines of 76 octets
LINE_LIMIT: Final = 998  # RFC 5322 2.1.1, octets without CR LF

_LINE_END: Final = re.compile("\r\n?|\n")
_CONTROLS: Final = bytes(code for code in (*range(0x20), 0x7F) if code not in b"\t\n")
_TYPE: Final = re.compile(
    r"\s*([a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63})\s*(?:;.*)?", re.IGNORECASE | re.DOTALL
)
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([a-z0-9_.:+-]{1,40})\"?\s*(?:;|$)", re.IGNORECASE)
_STYLE: Final = re.compile(rb"<(/?)(?i:style|script|xmp|plaintext)")  # so "<" is looked for first
_LAST: Final = frozenset((b" ", b"\t"))  # octets that need encoding at the end of a line
_REFER: Final = "xmlcharrefreplace"
_CONTENT_ID: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,200}")


@dataclass(frozen=True, slots=True)
class File:
    """A file of a mail: an attachment, or an image that the HTML shows as `cid:` and its `content_id`."""

    name: str  # as a person wrote it; cleaned here
    content_type: str  # "image/png"; what is malformed becomes application/octet-stream
    content: bytes
    content_id: str = ""  # without angle brackets
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A node of the MIME tree: its own header fields, and its encoded content, which ends in CR LF."""

    head: str
    content: tuple[bytes, ...]  # in pieces, so that a file is joined once, with all the rest
    plain: bool = False  # the content stands unencoded: a boundary might occur in it


def body(text: str, html: str, files: Sequence[File], seed: str) -> Part:
    """Return the whole body of a mail as one part; its boundaries follow from `seed` alone, the mail's id."""
    whole = _text(text, "plain")
    shown: list[Part] = []
    attached: list[Part] = []
    for file in files:
        if html and file.inline and _CONTENT_ID.fullmatch(file.content_id):
            shown.append(_file(file, shown=True))
        else:
            attached.append(_file(file))
    if html:
        whole = _multipart("alternative", [whole, _text(html, "html")], seed)
    if shown:
        whole = _multipart("related", [whole, *shown], seed)
    return _multipart("mixed", [whole, *attached], seed) if attached else whole


def _text(text: str, subtype: str) -> Part:
    if "\r" in text:
        text = _LINE_END.sub("\n", text)
    octets = text.encode("utf-8", "replace").translate(None, _CONTROLS)  # "replace": a lone surrogate becomes "?"
    foreign = len(octets) - len(text)  # a lower bound of what quoted-printable would write as three
    if not octets.endswith(b"\n"):
        octets += b"\n"
    if subtype == "html" and 0 < foreign * 20 <= len(octets):
        octets = _referring(octets)
    if octets.isascii() and b"\nFrom " not in octets and not octets.startswith(b"From "):
        if not _has_long_line(octets):
            head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n"
            return Part(head, (octets.replace(b"\n", b"\r\n"),), plain=True)
        foreign = 0
    content: tuple[bytes, ...]
    if foreign * 6 <= len(octets):
        encoding, content = "quoted-printable", (_quoted_printable(octets),)
    else:
        encoding, content = "base64", _base64(octets.replace(b"\n", b"\r\n"))
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n"
    return Part(head, content)


def _referring(octets: bytes) -> bytes:
    """Return HTML with its few foreign characters as references, which all who read HTML know (HTML 13.5).

    Style sheets know no references: the first is left as it is, and with a second one everything is.
    """
    places = [(found.start(), bool(found[1])) for found in islice(_STYLE.finditer(octets), 3)]
    start, end = 0, 0
    if places:
        if [closes for _, closes in places] != [False, True]:
            return octets
        (start, _), (end, _) = places
    before, after = octets[:start].decode("utf-8"), octets[end:].decode("utf-8")
    return before.encode("ascii", _REFER) + octets[start:end] + after.encode("ascii", _REFER)


def _file(file: File, *, shown: bool = False) -> Part:
    content_type, charset = _content_type(file.content_type)
    name = fields.clean_filename(file.name)
    encoding = "base64"
    content: tuple[bytes, ...] = ()
    plain = False
    if content_type.startswith(("message/", "multipart/")):  # RFC 2046 5.2.1: these may not be encoded
        if content_type == "message/rfc822" and _is_seven_bit(file.content):
            encoding, content, plain = "7bit", (file.content,), True
        else:
            content_type, charset = "application/octet-stream", ""
    if not plain:
        content = _base64(file.content)
    head = (
        fields.field("Content-Type", f"{content_type};", f"charset={charset}")
        if charset
        else fields.field("Content-Type", content_type)
    )
    head += fields.field("Content-Transfer-Encoding", encoding)
    head += fields.with_filename("Content-Disposition", "inline" if shown else "attachment", name)
    if shown:
        head += fields.field("Content-ID", f"<{file.content_id}>")
    return Part(head, content, plain)


def _multipart(subtype: str, children: Sequence[Part], seed: str) -> Part:
    plain = [piece for child in children if child.plain for piece in child.content]
    number = 0
    while True:
        boundary = "=_" + blake2b(f"{subtype} {number} {seed}".encode(), digest_size=12).hexdigest()
        if not any(boundary.encode() in content for content in plain):
            break
        number += 1
    chunks: list[bytes] = []
    for child in children:
        chunks += (f"--{boundary}\r\n{child.head}\r\n".encode(), *child.content)
        if not child.content[-1].endswith(b"\r\n"):
            chunks.append(b"\r\n")
    chunks.append(f"--{boundary}--\r\n".encode())
    # RFC 2387 3.1: related names the type of its root
    root = ' type="multipart/alternative";' if subtype == "related" else ""
    head = f'Content-Type: multipart/{subtype};{root}\r\n boundary="{boundary}"\r\n'
    return Part(head, tuple(chunks), plain=bool(plain))


def _quoted_printable(octets: bytes) -> bytes:
    """Return lines of at most 76 octets, none of which begins with "From ", which mailbox files would mark with ">"."""
    # Line by line: most need little or nothing, and of many lines at once the library makes some that are too long.
    lines = octets.replace(b"=", b"=3D").split(b"\n")
    encoded = b"\n" + b"\n".join(
        [
            line
            if len(line) <= 76 and line.isascii() and line[-1:] not in _LAST and line != b"."
            else _quoted_line(line)
            for line in lines
        ]
    )
    if b"\nFrom " in encoded:
        encoded = encoded.replace(b"\nFrom ", b"\n=46=\nrom ")  # the soft line end keeps the line short
    return encoded[1:].replace(b"\n", b"\r\n")


def _quoted_line(line: bytes) -> bytes:
    """Return a line, whose equal signs are written out already, as quoted-printable."""
    return b2a_qp(line.replace(b"=3D", b"="), istext=True)


def _base64(octets: bytes) -> tuple[bytes, ...]:
    """Return lines of 76 octets; a file in blocks, since its lines one by one would take twice its room."""
    if not octets:
        return (b"\r\n",)
    return tuple(_lines(octets[start : start + _BLOCK_BYTES]) for start in range(0, len(octets), _BLOCK_BYTES))


def _lines(octets: bytes) -> bytes:
    encoded = b2a_base64(octets, newline=False)
    if len(encoded) <= 76:
        return encoded + b"\r\n"
    return b"\r\n".join([encoded[at : at + 76] for at in range(0, len(encoded), 76)]) + b"\r\n"


def _content_type(value: str) -> tuple[str, str]:
    """Return the type in lower case and the charset of a text; all other parameters are dropped."""
    match = _TYPE.fullmatch(value)
    if not match:
        return "application/octet-stream", ""
    content_type = match[1].lower()
    charset = _CHARSET.search(value) if content_type.startswith("text/") else None
    return content_type, charset[1].lower() if charset else ""


def _is_seven_bit(octets: bytes) -> bool:
    """Return whether `octets` can stand in a mail as they are (RFC 2045 2.7)."""
    if not octets.isascii() or b"\0" in octets or octets.count(b"\r") != octets.count(b"\r\n"):
        return False
    return octets.count(b"\n") == octets.count(b"\r\n") and max(map(len, octets.split(b"\r\n"))) <= LINE_LIMIT


def _has_long_line(octets: bytes) -> bool:
    """Return whether a line has more octets than a mail may have in one."""
    start, length = 0, len(octets)
    while length - start > LINE_LIMIT:
        start = octets.rfind(b"\n", start, start + LINE_LIMIT + 1) + 1
        if not start:
            return True
    return False
